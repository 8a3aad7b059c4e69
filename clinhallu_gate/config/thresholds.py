"""The thresholds file: what a release has to hold, and the single gates that it spells out for given data."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pydantic import Field, ValidationError

from clinhallu_gate.config._entries import EACH, MEAN, BaselinePolicy, GateEntry, JudgeMinima, ThresholdsFile
from clinhallu_gate.config._explain import explain
from clinhallu_gate.config._located import line_of, load_located_yaml
from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.records import Record
from clinhallu_gate.vocabulary import METRIC_STAGE, Arm, Metric, Severity, Target, Unit

__all__ = [
    "EACH",
    "MEAN",
    "BaselinePolicy",
    "GateEntry",
    "GateSpec",
    "JudgeMinima",
    "Thresholds",
    "demand_baseline",
    "demand_tags",
    "expand",
    "load_thresholds",
]


class Thresholds(ThresholdsFile):
    """What the file says, which file it is, and where its keys stand."""

    file: str
    sha256: str
    lines: Mapping[str, int] = Field(repr=False, exclude=True)


class GateSpec(Record):
    """A single gate, ready to be decided."""

    id: str
    """Stable: ``metric[scope]``, with the arm where a metric has several: ``recovery-replace_vr[mean]``."""
    metric: Metric
    arm: Arm
    scope: str
    max: float | None = None
    min: float | None = None
    max_drop: float | None = None
    max_events: int | None = None
    tag: str | None = None
    """Only instances with this tag are counted."""
    baseline: BaselinePolicy = BaselinePolicy.IF_GIVEN
    severity: Severity
    target: Target
    unit: Unit = Unit.INSTANCE
    max_unjudged: float
    max_without_gold: float = 0.0
    rationale: str = ""

    @property
    def blocking(self) -> bool:
        """Whether the release needs this gate's PASS."""
        return self.severity is Severity.BLOCKING

    @property
    def may_lack_gold(self) -> bool:
        """Whether instances may lack the gold that the gate needs; a model's own answer needs none."""
        needs = self.metric in METRIC_STAGE or self.arm is not Arm.BASELINE
        return needs and self.max_without_gold > 0


def named_groups(thresholds: Thresholds) -> frozenset[str]:
    """Return the strata, data sets and tags that the policy names."""
    tags = [entry.tag for entry in thresholds.gates if entry.tag is not None]
    scopes = (scope for entry in thresholds.gates for scope in entry.scope)
    return frozenset((*tags, *scopes)) - {MEAN, EACH}


def load_thresholds(path: Path | str) -> Thresholds:
    """Read a thresholds file. Raises ``BadInput``: one line with file, line, key, the bad value and the valid ones."""
    source = load_located_yaml(Path(path))
    if not isinstance(source.content, dict):
        raise BadInput(f"{path}: is not a thresholds file: no keys. Valid: {', '.join(ThresholdsFile.model_fields)}.")
    try:
        body = ThresholdsFile.model_validate(source.content)
    except ValidationError as error:
        explain(source, error.errors()[0])
    thresholds = Thresholds(**dict(body), file=source.file, sha256=source.sha256, lines=source.lines)
    _refuse_twins(thresholds, list(_spelled_out(thresholds, {})))
    return thresholds


def expand(thresholds: Thresholds, strata: Mapping[str, Sequence[str]]) -> tuple[GateSpec, ...]:
    """Return the single gates for data whose datasets (keys) have the strata in ``strata``.

    Raises ``BadInput`` for a scope that names neither a dataset nor a stratum, and for two gates of one id.
    """
    names = dict.fromkeys([*strata, *_stratum_names(strata)])
    for i, entry in enumerate(thresholds.gates):
        for j, scope in enumerate(entry.scope):
            if scope not in (MEAN, EACH, *names):
                place = f"gates[{i}].scope" if len(entry.scope) == 1 else f"gates[{i}].scope[{j}]"
                message = not_one_of(place, scope, [MEAN, EACH, *names], noun="a stratum or dataset of this data")
                raise BadInput(f"{thresholds.file}:{line_of(thresholds.lines, place)}: {message}")
    placed = list(_spelled_out(thresholds, strata))
    _refuse_twins(thresholds, placed)
    return tuple(spec for _, spec in placed)


def demand_baseline(thresholds: Thresholds, *, given: bool) -> None:
    """Raise ``BadInput`` if a gate requires a baseline run and none is given."""
    for i, entry in enumerate(thresholds.gates):
        if not given and entry.baseline is BaselinePolicy.REQUIRED:
            place = f"gates[{i}].baseline"
            line = line_of(thresholds.lines, place)
            raise BadInput(f"{thresholds.file}:{line}: {place}: 'required', but no baseline run is given (--baseline).")


def demand_tags(thresholds: Thresholds, tags: Iterable[str]) -> None:
    """Raise ``BadInput`` if a gate counts instances with a tag that none has: its events could never be seen."""
    known = sorted(set(tags))
    for i, entry in enumerate(thresholds.gates):
        if entry.tag is not None and entry.tag not in known:
            place = f"gates[{i}].tag"
            message = not_one_of(place, entry.tag, known or ("none: there are no tags",), noun="a tag of this data")
            raise BadInput(f"{thresholds.file}:{line_of(thresholds.lines, place)}: {message}")


def _stratum_names(strata: Mapping[str, Sequence[str]]) -> list[str]:
    return list(dict.fromkeys(name for names in strata.values() for name in names))


def _spelled_out(thresholds: Thresholds, strata: Mapping[str, Sequence[str]]) -> Iterator[tuple[str, GateSpec]]:
    """Yield every single gate with the key path of its entry; without data ``each`` stays as it is."""
    for i, entry in enumerate(thresholds.gates):
        for scope in entry.scope:
            scopes = _stratum_names(strata) if scope == EACH and strata else [scope]
            yield from ((f"gates[{i}]", _spec(thresholds, entry, name)) for name in scopes)


def _spec(thresholds: Thresholds, entry: GateEntry, scope: str) -> GateSpec:
    return GateSpec(
        id=f"{entry.stem}[{scope}]",
        metric=entry.metric,
        arm=entry.read_from,
        scope=scope,
        max=entry.max,
        min=entry.min,
        max_drop=entry.max_drop,
        max_events=entry.max_events,
        tag=entry.tag,
        baseline=entry.baseline,
        severity=entry.severity,
        target=entry.target or thresholds.target,
        unit=thresholds.unit,
        max_unjudged=thresholds.max_unjudged,
        max_without_gold=thresholds.max_without_gold,
        rationale=entry.rationale,
    )


def _refuse_twins(thresholds: Thresholds, placed: Sequence[tuple[str, GateSpec]]) -> None:
    first: dict[str, str] = {}
    for place, spec in placed:
        if spec.id in first:
            line = line_of(thresholds.lines, place)
            raise BadInput(f"{thresholds.file}:{line}: {place}: {spec.id!r} is already decided by {first[spec.id]}.")
        first[spec.id] = place
