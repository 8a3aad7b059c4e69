"""``decision.json``: what was decided, for other programs; nothing in it differs between a run and its repetition."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, NoReturn

from pydantic import Field, ValidationError, model_validator

from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.release import EXIT_NOT_COMPLETED, Release, failure_budget
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.judge.agreement import Agreement
from clinhallu_gate.judge.examination import Examination
from clinhallu_gate.published import Placement
from clinhallu_gate.records import Record
from clinhallu_gate.report.gold import GoldCounts
from clinhallu_gate.report.noise import RunNoise
from clinhallu_gate.vocabulary import Decision, Stage

SCHEMA_VERSION: Final = 1
FILE_NAME: Final = "decision.json"
DRAFT_NAME: Final = f".{FILE_NAME}"
"""Of the file until all else of a run is written."""
HELD_BACK: Final = "held back: the evaluation was not completed, and no rate of such a run is a result"


class NamedDigest(Record):
    """A protocol by name and digest."""

    name: str
    sha256: str


class FileDigest(Record):
    """A file by path, as it was given, and digest."""

    file: str
    sha256: str


class DatasetDigest(Record):
    """A data set as it was evaluated."""

    name: str
    sha256: str
    """Digest over instances and images."""
    instances: int
    left_out: int = 0
    """Rows that could not be used and were left out (``--allow-bad-rows``)."""


class Stopped(Record):
    """A run that ends when every gate is decided."""

    seed: str
    """Of the order in which the instances were visited: a function of data and weights."""
    asked: int
    """Instances of which anything was asked."""
    of: int


class DecisionDocument(Record):
    """The fields of ``decision.json``, in their order."""

    schema_version: Literal[1] = SCHEMA_VERSION
    decision: Decision | None
    """PASS, FAIL or INCONCLUSIVE; None if there is no release decision."""
    exit_status: int
    model: str
    judge: str
    baseline: str | None
    """The run folder that ``--baseline`` named."""
    protocol: NamedDigest
    thresholds: FileDigest
    datasets: tuple[DatasetDigest, ...]
    model_sha256: str | None
    """Digest of the weights; None where an endpoint does not say what it serves."""
    failure_budget: Mapping[Stage, float] | None
    """Each stage's share of the sum of the three hallucination rates."""
    gates: tuple[GateResult, ...]
    scorings: Mapping[str, Any] = Field(default_factory=dict)
    """The same verdicts by two rules of scoring, ``paper`` and ``strict``; gates decide on the strict one."""
    judge_sha256: str | None = None
    """Digest of the judge model; None for the oracle, and where an endpoint does not say what it serves."""
    judge_examination: Examination | None = None
    """What the judge made of stages whose truth is known; None if no gate was to be decided."""
    judge_agreement: Agreement | None = None
    """How the judge agrees with human labels, where there are any."""
    published: Placement | None = None
    """The figures among those that were published for the same data."""
    repeats: int = 1
    """Traces per instance and arm."""
    early_stop: Stopped | None = None
    """How far a run went that was to end when every gate is decided."""
    noise: RunNoise | None = None
    """How far repeated traces differ; None with one trace per instance."""
    gold: GoldCounts | None = None
    """Whose word the gold of a site's own data is; None where all of it is as it was released."""

    @model_validator(mode="after")
    def _no_rate_without_completion(self) -> "DecisionDocument":
        rates = any(gate.estimate is not None or gate.interval is not None for gate in self.gates)
        if self.exit_status == EXIT_NOT_COMPLETED and (rates or self.failure_budget is not None):
            raise ValueError("a run that was not completed has no rate")
        return self

    @property
    def completed(self) -> bool:
        """Whether the evaluation delivered what its gates need."""
        return self.exit_status != EXIT_NOT_COMPLETED

    def to_json(self) -> bytes:
        """Return the file's bytes: the same for the same content. Raises ``ValueError`` for NaN or infinity."""
        content = self.model_dump(mode="json")
        content["scorings"] = {name: content["scorings"][name] for name in sorted(content["scorings"])}
        return (json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


@dataclass(frozen=True, slots=True)
class Beside:
    """What a run found beside its gates."""

    scorings: Mapping[str, Any] | None = None
    """Kept in a run that was not completed only where they are another's figures (``recorded``)."""
    recorded: bool = False
    examination: Examination | None = None
    agreement: Agreement | None = None
    placement: Placement | None = None
    repeats: int = 1
    early_stop: Stopped | None = None
    noise: RunNoise | None = None
    gold: GoldCounts | None = None


def build(
    release: Release,
    gates: Sequence[GateResult],
    *,
    model: str,
    model_sha256: str | None,
    judge: str,
    protocol: NamedDigest,
    thresholds: FileDigest,
    datasets: Sequence[DatasetDigest],
    judge_sha256: str | None = None,
    baseline: str | None = None,
    found: Beside | None = None,
) -> DecisionDocument:
    """Put the document together. If the run was not completed, its gates keep their counts and lose their rates."""
    found = found or Beside()
    completed = release.exit_status != EXIT_NOT_COMPLETED
    return DecisionDocument(
        decision=release.decision,
        exit_status=release.exit_status,
        model=model,
        judge=judge,
        baseline=baseline,
        protocol=protocol,
        thresholds=thresholds,
        datasets=tuple(datasets),
        model_sha256=model_sha256,
        failure_budget=failure_budget(gates) if completed else None,
        gates=tuple(gates) if completed else tuple(_held_back(gate) for gate in gates),
        judge_sha256=judge_sha256,
        scorings=(found.scorings or {}) if completed or found.recorded else {},
        judge_examination=found.examination,
        judge_agreement=found.agreement if completed else None,
        published=found.placement if completed else None,
        repeats=found.repeats,
        early_stop=found.early_stop,
        noise=found.noise if completed else None,
        gold=found.gold,
    )


def load(path: Path | str) -> DecisionDocument:
    """Read a ``decision.json``. Raises ``BadInput``, one line, for a file that is none or of another version."""
    try:
        content = json.loads(Path(path).read_bytes(), parse_constant=_refuse)
    except (OSError, ValueError) as error:
        raise BadInput(f"{path}: is not a decision.json: {_one_line(error)}.") from None
    version = content.get("schema_version") if isinstance(content, dict) else None
    if version != SCHEMA_VERSION:
        raise BadInput(f"{path}: schema_version: {version!r} cannot be read. Valid: {SCHEMA_VERSION}.")
    try:
        return DecisionDocument.model_validate(content)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise BadInput(f"{path}: is not a decision.json: {key}: {_one_line(first['msg'])}.") from None


def _held_back(gate: GateResult) -> GateResult:
    if gate.decision in (None, Decision.NOT_APPLICABLE):
        return gate
    kept = {"decision": None, "reason": HELD_BACK, "n": gate.n, "failed": gate.failed, "unjudged": gate.unjudged}
    kept["without_gold"] = gate.without_gold
    what = {name: getattr(gate, name) for name in ("id", "metric", "scope", "arm", "severity", "target", "threshold")}
    return GateResult(**what, **kept, tag=gate.tag, unit=gate.unit, estimate=None, interval=None, interval_levels=None)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")


def _one_line(error: object) -> str:
    return " ".join(str(error).split()).rstrip(".")
