"""Planted verdicts for the gate's tests."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate import Frame, GateResult, Rules, Watch
from clinhallu_gate.records import Failed, Instance, Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.vocabulary import (
    ANSWER,
    Arm,
    FailReason,
    Metric,
    NotAskedReason,
    Outcome,
    QuestionType,
    Severity,
    Target,
    Unit,
    UnjudgedReason,
)

_SIGNS: Mapping[str, Callable[[bool], Verdict]] = {
    ".": lambda answer: Judged(Outcome.CORRECT if answer else Outcome.GROUNDED, "planted"),
    "x": lambda answer: Judged(Outcome.INCORRECT if answer else Outcome.HALLUCINATED, "planted"),
    "f": lambda _: Failed(FailReason.TRUNCATED),
    "u": lambda _: Unjudged(UnjudgedReason.JUDGE_FAILED),
    "g": lambda _: NotAsked(NotAskedReason.NO_GOLD),
    "s": lambda _: NotAsked(NotAskedReason.NOT_SELECTED),
}


def instance(
    number: int,
    *,
    dataset: str = "phantom",
    stratum: str = "ct",
    cluster: str | None = None,
    tags: tuple[str, ...] = (),
) -> Instance:
    """Build an instance that only has a place."""
    return Instance(
        dataset=dataset,
        id=f"{number:05}",
        stratum=stratum,
        cluster=cluster or f"image-{number}",
        images=(),
        question="Is there a nodule?",
        question_type=QuestionType.YES_NO,
        answer="yes",
        tags=tags,
    )


class Planted:
    """Verdicts written as signs: . good, x bad, f failed, u unjudged, g no gold, s not selected."""

    def __init__(self, signs: Mapping[Reading, str], instances: Sequence[Instance]) -> None:
        self.frame = Frame.of(instances)
        place = {each.uid: i for i, each in enumerate(instances)}
        self.verdict_of: Callable[[str, Reading], Verdict] = lambda uid, reading: _SIGNS[signs[reading][place[uid]]](
            reading.part == ANSWER
        )


def plant(
    signs: Mapping[Reading, str],
    *,
    strata: Sequence[str] | None = None,
    clusters: Sequence[str] | None = None,
    tagged: Sequence[int] = (),
) -> Planted:
    """Plant one sign per instance and reading; the instances at the places of ``tagged`` are never-events."""
    n = len(next(iter(signs.values())))
    return Planted(
        signs,
        [
            instance(
                i,
                stratum=strata[i] if strata else "ct",
                cluster=clusters[i] if clusters else None,
                tags=("never",) if i in tagged else (),
            )
            for i in range(n)
        ],
    )


class Visit:
    """A run whose verdicts come in: what was not visited yet was not asked."""

    def __init__(self, planted: Planted, unit: Unit = Unit.INSTANCE, *, baseline: Planted | None = None) -> None:
        self.frame = planted.frame
        self.order = planted.frame.drawn("seed", unit)
        self.unit = unit
        self.asked: set[str] = set()
        self._verdict_of = planted.verdict_of
        self._baseline_of = baseline.verdict_of if baseline else None

    def verdict_of(self, uid: str, reading: Reading) -> Verdict:
        """Give the verdict if the instance was visited."""
        return self._verdict_of(uid, reading) if uid in self.asked else NotAsked(NotAskedReason.EARLY_STOP)

    def watch(self, spec: GateSpec, *, m: int = 1, repeats: int = 1, judge_defined: bool = False) -> Watch:
        """Watch a gate of this unit."""
        rules = Rules(alpha=0.05, blocking_gates=m, repeats=repeats, judge_defined=judge_defined)
        spec = spec.model_copy(update={"unit": self.unit})
        return Watch(spec, self.frame, self.order, self.verdict_of, self._baseline_of, rules)

    def to(self, n: int) -> int:
        """Visit the first ``n`` places of the order; return ``n``."""
        self.asked |= {self.frame.uids[place] for place in self.order[:n]}
        return n

    def to_the_end(self) -> int:
        """Visit all."""
        return self.to(self.order.size)

    def decided(self, watch: Watch, every: int = 1) -> GateResult:
        """Visit on, with a look after every few instances, until the gate is decided, and settle."""
        for n in [*range(every, self.order.size, every), self.order.size]:
            if watch.result is None:
                watch.look(self.to(n))
        return watch.settle()


def in_order(planted: Callable[[str], Planted], wanted: str, unit: Unit = Unit.INSTANCE) -> Planted:
    """Plant signs so that they come in the order of ``wanted`` when they are visited."""
    signs = [""] * len(wanted)
    for place, sign in zip(planted(wanted).frame.drawn("seed", unit), wanted, strict=True):
        signs[place] = sign
    return planted("".join(signs))


def gate_spec(metric: Metric = Metric.VISUAL_HALLUCINATION_RATE, **fields: object) -> GateSpec:
    """Build a gate on the visual rate unless told otherwise."""
    scope = fields.get("scope", "mean")
    base = {
        "id": f"{metric}[{scope}]",
        "metric": metric,
        "arm": Arm.BASELINE,
        "scope": scope,
        "severity": Severity.BLOCKING,
        "target": Target.POPULATION,
        "max_unjudged": 0.02,
    }
    return GateSpec.model_validate({**base, **fields})


@pytest.fixture(name="plant")
def plant_fixture() -> Callable[..., Planted]:
    """Plant verdicts."""
    return plant


@pytest.fixture(name="gate_spec")
def gate_spec_fixture() -> Callable[..., GateSpec]:
    """Build gates."""
    return gate_spec


@pytest.fixture(name="instance")
def instance_fixture() -> Callable[..., Instance]:
    """Build instances."""
    return instance


@pytest.fixture(name="visit")
def visit_fixture() -> Callable[..., Visit]:
    """Visit planted instances in their drawn order."""
    return Visit


@pytest.fixture(name="in_order")
def in_order_fixture() -> Callable[..., Planted]:
    """Plant signs in the order of the visit."""
    return in_order
