"""Run the gate as its users do, in a folder of its own, and look at all that it leaves."""

import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import IO, Any, Final, Self

import psutil
import pyarrow.parquet as pq

from clinhallu_gate.testing import ScriptedServer

CHECKOUT: Final = Path(__file__).parents[2]
#: The gate tests alone: every instance is evaluated all the same.
GATES: Final = (
    "suites/test_visual_recognition.py::test_visual_hallucination_rate",
    "suites/test_knowledge_recall.py::test_knowledge_hallucination_rate",
    "suites/test_reasoning_integration.py::test_reasoning_hallucination_rate",
    "suites/test_answer_accuracy.py::test_answer_accuracy",
    "suites/test_stage_replacement.py::test_recovery",
)
#: Without the plugins that only tests of the gate itself use: importing them takes longer than a run.
_INI: Final = """[pytest]
addopts = --strict-markers --strict-config -p no:hypothesispytest -p no:anyio
"""
#: How a row of ``results.parquet`` is named and what it says, without what differs from run to run.
SAID: Final = ("kind", "outcome", "reason", "text")


@dataclass(frozen=True)
class Outcome:
    """What a command came to."""

    status: int
    out: str
    err: str
    folder: Path
    """The run folder; it may not exist."""
    left: tuple[int, ...]
    """Processes of its group that outlived it."""

    @cached_property
    def decision(self) -> dict[str, Any]:
        """Return ``decision.json``."""
        found: dict[str, Any] = json.loads((self.folder / "decision.json").read_bytes())
        return found

    @cached_property
    def manifest(self) -> dict[str, Any]:
        """Return ``manifest.json``."""
        found: dict[str, Any] = json.loads((self.folder / "manifest.json").read_bytes())
        return found

    @cached_property
    def estimates(self) -> dict[str, float | None]:
        """Return each gate's estimate, by metric and arm where several arms have it."""
        return {gate["id"]: gate["estimate"] for gate in self.decision["gates"]}

    @cached_property
    def verdicts(self) -> dict[tuple[str, str, str], tuple[str | None, ...]]:
        """Return what was said, by uid, arm and part."""
        rows = pq.read_table(self.folder / "results.parquet").to_pylist()
        return {
            (f"{row['dataset']}/{row['id']}", row["arm"], row["part"]): tuple(row[name] for name in SAID)
            for row in rows
        }

    @property
    def counts(self) -> dict[str, int]:
        """Return what pytest counted: passed, failed, skipped, xfailed ..."""
        *_, last = self.out.strip().splitlines()
        return {word: int(number) for number, word in re.findall(r"(\d+) ([a-z]+)", last)}


class Rig:
    """A checkout of its own with the suites in it, and a warm process to run commands from."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._number = 0
        self._last: Started | None = None
        self._stores: dict[ScriptedServer, Path] = {}
        for name in ("suites", "thresholds"):
            shutil.copytree(CHECKOUT / name, root / name)
        shutil.copy(Path(__file__).with_name("thresholds.yaml"), root / "thresholds" / "phantom.yaml")
        shutil.copy(CHECKOUT / "conftest.py", root)
        (root / "pytest.ini").write_text(_INI)
        for name in ("tmp", "runs"):
            (root / name).mkdir()
        self._warm = subprocess.Popen(
            [sys.executable, Path(__file__).with_name("warm.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=self.env,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pipe(self._warm.stdin).close()
        self._warm.wait()
        self._pipe(self._warm.stdout).close()

    @property
    def env(self) -> dict[str, str]:
        """Return the environment of commands: no key, and no trace of a CI, where pytest cuts no line.

        Plugins of theirs may import what tests of several folders share.
        """
        theirs = ("PYTEST_", "GITHUB_", "CI", "BUILD_NUMBER", "CLINHALLU_GATE_")
        ours = {name: value for name, value in os.environ.items() if not name.startswith(theirs)}
        found = os.pathsep.join(filter(None, (os.environ.get("PYTHONPATH"), str(CHECKOUT / "tests" / "shared"))))
        return {**ours, "COLUMNS": "120", "TMPDIR": str(self.root / "tmp"), "PYTHONPATH": found}

    def folder(self) -> Path:
        """Return a run folder that nobody has."""
        self._number += 1
        return self.root / "runs" / str(self._number)

    def start(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> "Started":
        """Start ``pytest ARGS``."""
        if self._last is not None and not self._last.ended:  # a test that failed left it
            os.killpg(self._last.pid, signal.SIGKILL)
            self._last.end()
        folder = self.folder()
        if "--run-dir" in args:
            run_dir = Path(args[args.index("--run-dir") + 1])
        else:
            run_dir, args = folder, (*args, "--run-dir", str(folder))
        out, err = folder.with_suffix(".out"), folder.with_suffix(".err")
        job = {"args": args, "cwd": str(cwd or self.root), "env": env or {}, "out": str(out), "err": str(err)}
        pipe = self._pipe(self._warm.stdin)
        pipe.write(json.dumps(job) + "\n")
        pipe.flush()
        answers = self._pipe(self._warm.stdout)
        self._last = Started(int(answers.readline()), answers, out, err, run_dir)
        return self._last

    def run(self, *args: str, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> Outcome:
        """Run ``pytest ARGS`` to its end."""
        return self.start(*args, cwd=cwd, env=env).end()

    def gate(self, server: ScriptedServer, *args: str) -> Outcome:
        """Gate the model that ``server`` is, with phantoms; ``suites/`` unless ``args`` begin with tests."""
        return self.start_gate(server, *args).end()

    def start_gate(self, server: ScriptedServer, *args: str) -> "Started":
        """Start to gate, from a store that the server has to itself; what ``args`` say wins."""
        tests = () if args and "test_" in args[0] else ("suites/",)
        own = self._stores.setdefault(server, self.root / "stores" / f"{len(self._stores)}.sqlite")
        store = () if "--store" in args else ("--store", str(own))
        return self.start(*tests, *gated(server), *args, *store)

    @staticmethod
    def _pipe(pipe: IO[str] | None) -> IO[str]:
        assert pipe is not None
        return pipe


@dataclass
class Started:
    """A command that runs."""

    pid: int
    answers: IO[str]
    out: Path
    err: Path
    folder: Path
    ended: bool = False

    def over(self) -> bool:
        """Whether it has ended."""
        return bool(select.select([self.answers], [], [], 0)[0])

    def end(self) -> Outcome:
        """Wait for its end."""
        status = int(self.answers.readline())
        self.ended = True
        left = tuple(process.pid for process in psutil.process_iter() if _group(process.pid) == self.pid)
        return Outcome(status, self.out.read_text(), self.err.read_text(), self.folder, left)


def gated(server: ScriptedServer) -> tuple[str, ...]:
    """Return the options that gate a server's model on phantoms."""
    served = ("--endpoint", server.base_url, "--model", server.model, "--model-revision", "1")
    return (*served, "--data", "phantom", "--judge", "oracle", "--thresholds", "thresholds/phantom.yaml")


def _group(pid: int) -> int | None:
    try:
        return os.getpgid(pid)
    except ProcessLookupError:
        return None


#: What differs from run to run, and what stands for it in a snapshot.
_VARIES: Final = (
    (r"127\.0\.0\.1:\d+", "127.0.0.1:PORT"),
    (r"\bin \d+\.\d+s\b( \(\d+:\d\d:\d\d\))?", "in TIME"),
    (r"=+ (\d+ .* in TIME) =+", r"== \1 =="),
    (r"\d+\.\d/s", "RATE/s"),
    (r"\b[0-9a-f]{12}\b", "DIGEST"),
    (r"\b\d{8}T\d{6}\.\d+Z", "TIME"),
    (r"(reports|ROOT/runs|runs)/\S*?(TIME|\d+)\b", r"\1/RUN"),
)


def normalised(text: str, **places: Path) -> str:
    """Return ``text`` with names in the place of ``places`` (longest first), ports, times, rates and digests."""
    for name, path in sorted(places.items(), key=lambda place: -len(str(place[1]))):
        text = text.replace(str(path), name.upper())
    for pattern, name in _VARIES:
        text = re.sub(pattern, name, text)
    return text
