"""Planted verdicts for the gate's tests."""

from collections.abc import Callable, Mapping, Sequence

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate import Frame
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


def instance(number: int, *, dataset: str = "phantom", stratum: str = "ct", cluster: str | None = None) -> Instance:
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
    signs: Mapping[Reading, str], *, strata: Sequence[str] | None = None, clusters: Sequence[str] | None = None
) -> Planted:
    """Plant one sign per instance and reading."""
    n = len(next(iter(signs.values())))
    return Planted(
        signs,
        [
            instance(i, stratum=strata[i] if strata else "ct", cluster=clusters[i] if clusters else None)
            for i in range(n)
        ],
    )


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
