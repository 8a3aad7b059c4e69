"""The options of the gate, and how they are read."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from clinhallu_gate.errors import BadInput
from clinhallu_gate.hosting.endpoint import API_KEY
from clinhallu_gate.pipeline.options import RunOptions


def add_options(parser: pytest.Parser) -> None:
    """Declare the gate's options."""
    group = parser.getgroup("clinhallu-gate", "release gate for medical vision-language models")
    group.addoption("--model", metavar="NAME|PATH", help="registry name, hub id or checkpoint folder; hosted on vLLM")
    group.addoption(
        "--endpoint",
        metavar="URL",
        action="append",
        default=[],
        help=f"an OpenAI-compatible server that already runs (repeat for replicas; its key from {API_KEY})",
    )
    group.addoption("--judge", metavar="NAME|oracle", help="judge model; oracle for data that carries its own facts")
    group.addoption(
        "--data", metavar="SPEC", action="append", default=[], help="what to evaluate on (repeatable), e.g. phantom"
    )
    group.addoption("--protocol", metavar="NAME|FILE", default="standard", help="standard (default), prefill or a file")
    group.addoption("--thresholds", metavar="FILE", help="release policy (default: the model's, else default.yaml)")
    group.addoption("--baseline", metavar="RUN", help="run folder of the release in use")
    group.addoption("--limit", metavar="N", type=int, help="only the first N instances of the seeded random order")
    group.addoption("--run-dir", metavar="DIR", help="where the run is kept (default: reports/MODEL/TIME)")
    group.addoption("--store", metavar="FILE", help="replies kept across runs (reports/store.sqlite)")
    group.addoption("--fresh", action="store_true", help="ask everything anew; the manifest says so")
    group.addoption("--concurrency", metavar="N", type=int, help="most calls in flight per server")
    group.addoption("--call-timeout", metavar="S", type=float, default=600.0, help="longest wait for a reply (600 s)")
    group.addoption("--strict-instances", action="store_true", help="a hallucinated instance fails its own test")
    group.addoption("--model-revision", metavar="REV", help="what an endpoint serves; makes its replies last")
    group.addoption("--no-decision", action="store_true", help="an exploratory run: no gate decides")


def run_options(config: pytest.Config) -> RunOptions:
    """Read the options as they were given. Raises ``BadInput`` for the name of a file that is empty."""
    option = config.option
    return RunOptions(
        model=option.model,
        endpoints=tuple(option.endpoint),
        judge=option.judge,
        data=tuple(option.data),
        protocol=option.protocol,
        thresholds=_path("--thresholds", option.thresholds),
        baseline=_path("--baseline", option.baseline),
        limit=option.limit,
        run_dir=_path("--run-dir", option.run_dir),
        store=_path("--store", option.store),
        fresh=option.fresh,
        concurrency=option.concurrency,
        call_timeout_s=option.call_timeout,
        model_revision=option.model_revision,
        api_key=os.environ.get(API_KEY),
        no_decision=option.no_decision,
        root=config.rootpath,
        command=repeatable(sys.argv[1:]),
    )


def _path(option: str, value: str | None) -> Path | None:
    if value == "":  # an unset variable in a script; as a path it would be the current folder
        raise BadInput(f"{option}: is empty. Name a file or folder, or leave the option out.")
    return None if value is None else Path(value)


def is_asked(config: pytest.Config) -> bool:
    """Whether the command line asks for a gated run at all."""
    return bool(config.option.model or config.option.endpoint)


def repeatable(arguments: Sequence[str]) -> str:
    """Return the command line that repeats a run: into a folder of its own, as this one's is taken."""
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--run-dir":
            next(words, None)
        elif not word.startswith("--run-dir="):
            kept.append(word)
    return shlex.join(["pytest", *kept])
