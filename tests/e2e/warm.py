"""Runs whole pytest commands in processes forked from a warm one: seconds of imports are paid once.

Reads one JSON object per line on stdin (``args``, ``cwd``, ``env``, ``out``, ``err``), forks, and prints the child's
pid, then its exit status (negative: the signal that killed it). The child leads a process group of its own.
"""

import json
import os
import signal
import sys
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any

import pytest

# Everything heavy but the plugin, which pytest itself has to import, or it warns that it came too late to rewrite it.
import clinhallu_gate.pipeline.asking
import clinhallu_gate.pipeline.folder  # noqa: F401 - for what it imports
from clinhallu_gate.datasets.load import load_data
from clinhallu_gate.pipeline import prepare

if find_spec("pandas"):  # pyarrow looks for it at its first table
    import_module("pandas")
load = cache(load_data)  # drawn once, the same in every child
load(("phantom",))
vars(prepare)["load_data"] = load


def child(job: dict[str, Any]) -> None:
    """Be ``pytest ARGS`` in the job's folder; never returns."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number, name in ((1, "out"), (2, "err")):
        file = os.open(job[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, number)
        os.close(file)
    os.chdir(job["cwd"])
    os.environ.update(job["env"])
    sys.argv = ["pytest", *job["args"]]
    status = pytest.main(job["args"])
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(int(status))


for line in sys.stdin:
    job = json.loads(line)
    pid = os.fork()
    if pid == 0:
        child(job)
    print(pid, flush=True)  # noqa: T201 - how it answers
    print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201 - as above
