"""The options of the gate, and how they are read."""

import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from clinhallu_gate.config.flags import PASS_THROUGH
from clinhallu_gate.errors import BadInput
from clinhallu_gate.hosting.endpoint import API_KEY, JUDGE_API_KEY
from clinhallu_gate.pipeline.options import RunOptions


def add_options(parser: pytest.Parser) -> None:
    """Declare the gate's options."""
    group = parser.getgroup("clinhallu-gate", "release gate for medical vision-language models")
    _add_model(group)
    _add_judge(group)
    _add_question(group)
    _add_decision(group)


def _add_model(group: pytest.OptionGroup) -> None:
    """Declare who is examined."""
    group.addoption("--model", metavar="NAME|PATH", help="registry name, hub id or checkpoint folder; hosted on vLLM")
    group.addoption(
        "--endpoint",
        metavar="URL",
        action="append",
        default=[],
        help=f"an OpenAI-compatible server that already runs (repeat for replicas; its key from {API_KEY})",
    )
    group.addoption("--model-revision", metavar="REV", help="what an endpoint serves; makes its replies last")
    group.addoption(
        "--allow-host",
        metavar="HOST",
        action="append",
        default=[],
        help="send patient data to this host, too (HOST or HOST:PORT, repeatable); else to this machine alone",
    )
    for flag, (_, valid) in PASS_THROUGH.items():
        group.addoption(flag, metavar="X", help=f"passed on to vLLM, for every model that is hosted: {valid}")
    group.addoption("--concurrency", metavar="N", type=int, help="most calls in flight per server")
    group.addoption("--call-timeout", metavar="S", type=float, default=600.0, help="longest wait for a reply (600 s)")


def _add_judge(group: pytest.OptionGroup) -> None:
    """Declare who judges."""
    group.addoption("--judge", metavar="NAME|oracle", help="judge model; oracle for data that carries its own facts")
    group.addoption(
        "--judge-endpoint",
        metavar="URL",
        action="append",
        default=[],
        help=f"a server of the judge that already runs (repeat for replicas; its key from {JUDGE_API_KEY})",
    )
    group.addoption("--judge-revision", metavar="REV", help="what a judge endpoint serves; makes its replies last")
    group.addoption(
        "--judge-beside",
        action="store_true",
        help="host model and judge at the same time (default: one after the other, as one GPU holds one)",
    )
    group.addoption("--labels", metavar="FILE", help="human labels: a filled sheet of sample-for-review, or any CSV")


def _add_question(group: pytest.OptionGroup) -> None:
    """Declare what is asked."""
    group.addoption(
        "--data", metavar="SPEC", action="append", default=[], help="what to evaluate on (repeatable), e.g. phantom"
    )
    group.addoption("--data-root", metavar="DIR", help="a downloaded copy of the data, instead of the hub")
    group.addoption(
        "--allow-bad-rows", metavar="N", type=int, default=0, help="leave out up to N rows that cannot be used"
    )
    group.addoption("--since", metavar="DATE", help="only studies of this day or later (study_date of the manifest)")
    group.addoption("--until", metavar="DATE", help="only studies of this day or earlier")
    group.addoption("--frozen", metavar="FILE", help="exactly the instances of a list that clinhallu-gate freeze wrote")
    group.addoption(
        "--allow-unsigned-gold",
        action="store_true",
        help="take gold that was drafted and not signed; the report says so",
    )
    group.addoption(
        "--preflight",
        metavar="DEPTH",
        default="headers",
        help="what of patients' files is looked at for names before anything runs: headers (default), full "
        "(within sequences, too) or ocr (the pixels, too; needs tesseract)",
    )
    group.addoption("--limit", metavar="N", type=int, help="only the first N instances of the seeded random order")
    group.addoption("--repeats", metavar="K", type=int, default=1, help="traces per instance and arm (default 1)")
    group.addoption(
        "--from-results", metavar="DIR", help="gate a result tree of the benchmark's own code, without a model"
    )
    group.addoption(
        "--protocol", metavar="NAME|FILE", default="standard", help="standard (default), prefill, paper or a file"
    )
    group.addoption("--prompt-pack", metavar="DIR", help="checkout of the benchmark's code, whose prompts `paper` uses")


def _add_decision(group: pytest.OptionGroup) -> None:
    """Declare what is decided and kept."""
    group.addoption("--thresholds", metavar="FILE", help="release policy (default: the model's, else default.yaml)")
    group.addoption("--baseline", metavar="RUN", help="run folder of the release in use")
    group.addoption("--public-run", metavar="RUN", help="run of this model on public data, to stand beside patients'")
    group.addoption(
        "--no-early-stop", action="store_true", help="ask every instance, as a release that will be a baseline has to"
    )
    group.addoption("--strict-instances", action="store_true", help="a hallucinated instance fails its own test")
    group.addoption("--no-decision", action="store_true", help="an exploratory run: no gate decides")
    group.addoption(
        "--report-detail",
        metavar="LEVEL",
        help="full, redacted (no text, no image) or summary (no instance); default: full, redacted for patient data",
    )
    group.addoption(
        "--accepted-values",
        metavar="FILE",
        help="private table: in which file which number of a patient is found by chance, who says so, and why",
    )
    group.addoption("--run-dir", metavar="DIR", help="where the run is kept (default: reports/MODEL/TIME)")
    group.addoption(
        "--private-cache",
        metavar="DIR",
        help="patients' images and fetched studies, kept for several runs (RUN.private)",
    )
    group.addoption("--store", metavar="FILE", help="replies kept across runs (reports/store.sqlite)")
    group.addoption("--fresh", action="store_true", help="ask everything anew; the manifest says so")


def run_options(config: pytest.Config) -> RunOptions:
    """Read the options as they were given. Raises ``BadInput`` for the name of a file that is empty."""
    option = config.option
    return RunOptions(
        model=option.model,
        endpoints=tuple(option.endpoint),
        judge=option.judge,
        judge_endpoints=tuple(option.judge_endpoint),
        judge_revision=option.judge_revision,
        judge_beside=option.judge_beside,
        data=tuple(option.data),
        data_root=_path("--data-root", option.data_root),
        allow_bad_rows=option.allow_bad_rows,
        since=option.since,
        until=option.until,
        frozen=_path("--frozen", option.frozen),
        allow_unsigned_gold=option.allow_unsigned_gold,
        from_results=_path("--from-results", option.from_results),
        protocol=option.protocol,
        prompt_pack=_path("--prompt-pack", option.prompt_pack),
        labels=_path("--labels", option.labels),
        thresholds=_path("--thresholds", option.thresholds),
        baseline=_path("--baseline", option.baseline),
        public_run=_path("--public-run", option.public_run),
        limit=option.limit,
        repeats=option.repeats,
        no_early_stop=option.no_early_stop,
        run_dir=_path("--run-dir", option.run_dir),
        private_cache=_path("--private-cache", option.private_cache),
        store=_path("--store", option.store),
        fresh=option.fresh,
        concurrency=option.concurrency,
        call_timeout_s=option.call_timeout,
        model_revision=option.model_revision,
        api_key=os.environ.get(API_KEY),
        judge_api_key=os.environ.get(JUDGE_API_KEY),
        allow_hosts=tuple(option.allow_host),
        serve_flags=_serve_flags(config),
        no_decision=option.no_decision,
        report_detail=option.report_detail,
        accepted_values=_path("--accepted-values", option.accepted_values),
        preflight=option.preflight,
        root=config.rootpath,
        command=repeatable(sys.argv[1:]),
    )


def _serve_flags(config: pytest.Config) -> dict[str, str]:
    given = {flag: config.getoption(flag) for flag in PASS_THROUGH}
    return {flag: value for flag, value in given.items() if value is not None}


def _path(option: str, value: str | None) -> Path | None:
    if value == "":  # an unset variable in a script; as a path it would be the current folder
        raise BadInput(f"{option}: is empty. Name a file or folder, or leave the option out.")
    return None if value is None else Path(value)


def is_asked(config: pytest.Config) -> bool:
    """Whether the command line asks for a gated run at all."""
    option = config.option
    return bool(option.model or option.endpoint or option.from_results)


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
