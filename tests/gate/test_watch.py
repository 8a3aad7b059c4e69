"""A gate while its instances come in: what it counts, when it decides, and what it then says."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.gate import Rules, decide, gate_arrays
from clinhallu_gate.records import Reading
from clinhallu_gate.vocabulary import Arm, Decision, Method, Stage, Target, Unit

VISUAL = Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION)
Make = Callable[..., Any]


def mixed(n: int, rate: float, seed: int = 1) -> str:
    """Draw n signs, a share of them bad."""
    return "".join("x" if bad else "." for bad in np.random.default_rng(seed).random(n) < rate)


def test_only_the_finished_beginning_counts(gate_spec: Make, plant: Make, visit: Make) -> None:
    """A look reads the finished places of the order and not one more."""
    going = visit(plant({VISUAL: mixed(100, 0.3)}))
    watch = going.watch(gate_spec(max=0.3))
    going.to(40)
    watch.look(25)
    watch.look(40)
    assert watch.result is None
    with pytest.raises(EvaluationFailed, match="was not asked"):
        watch.look(41)


def test_other_scopes_do_not_count(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Of a stratum's gate only its own places among the finished ones are read."""
    going = visit(plant({VISUAL: "x" * 60}, strata=["ct", "xr", "xr"] * 20))
    watch = going.watch(gate_spec(max=0.3, scope="ct"))
    result = going.decided(watch)
    assert (result.decision, result.of) == (Decision.FAIL, 20)
    assert result.n < len(going.asked) / 2


def test_half_a_patient_is_not_counted(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Instances of a patient whose others are not finished wait for them."""
    going = visit(plant({VISUAL: "x." * 30}, clusters=[str(i // 3) for i in range(60)]), Unit.PATIENT)
    watch = going.watch(gate_spec(max=0.3))
    counted = []
    for n in range(1, 13):
        watch.look(going.to(n))
        counted.append(watch._arrays.n)
    assert counted == [0, 0, 3, 3, 3, 6, 6, 6, 9, 9, 9, 12]


ONE, SHARED, TWO_STRATA = (None, [str(i // 4) for i in range(40)], [str(i % 20) for i in range(40)])


@pytest.mark.parametrize(
    ("target", "unit", "clusters", "stops"),
    [
        (Target.BENCHMARK, Unit.INSTANCE, ONE, True),
        (Target.BENCHMARK, Unit.INSTANCE, SHARED, True),
        (Target.BENCHMARK, Unit.PATIENT, SHARED, True),
        (Target.BENCHMARK, Unit.PATIENT, TWO_STRATA, True),
        (Target.POPULATION, Unit.INSTANCE, ONE, True),
        (Target.POPULATION, Unit.INSTANCE, SHARED, False),
        (Target.POPULATION, Unit.INSTANCE, TWO_STRATA, False),
        (Target.POPULATION, Unit.PATIENT, ONE, True),
        (Target.POPULATION, Unit.PATIENT, SHARED, True),
        (Target.POPULATION, Unit.PATIENT, TWO_STRATA, False),
    ],
)
def test_what_may_stop(
    *, target: Target, unit: Unit, clusters: list[str] | None, stops: bool, gate_spec: Make, plant: Make, visit: Make
) -> None:
    """A list always; patients like these if what is drawn is independent: no shared cluster, or whole patients."""
    planted = plant({VISUAL: "x" * 40}, clusters=clusters, strata=["ct"] * 20 + ["xr"] * 20)
    going = visit(planted, unit)
    watch = going.watch(gate_spec(max=0.3, target=target))
    assert watch.stops is stops
    result = going.decided(watch)
    assert result.decision is Decision.FAIL
    assert (len(going.asked) < 40) is stops
    assert (result.method is Method.BETTING) is stops


def test_a_scope_without_the_shared_patients_may_stop(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Patients who lie in two strata hinder the mean over both, not the gate of one of them."""
    planted = plant({VISUAL: "x" * 40}, clusters=TWO_STRATA, strata=["ct"] * 20 + ["xr"] * 20)
    assert visit(planted).watch(gate_spec(max=0.3, scope="ct")).stops


def test_clusters_are_decided_at_the_end(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Instances of shared images say nothing on the way; at the end it is what ``decide`` says, by Korn-Graubard."""
    planted = plant({VISUAL: "x" * 40 + "." * 160}, clusters=[str(i // 4) for i in range(200)])
    going = visit(planted)
    spec = gate_spec(max=0.5)
    watch = going.watch(spec)
    watch.look(going.to_the_end())
    assert watch.result is None
    arrays = gate_arrays(spec, planted.frame, planted.verdict_of, members=going.order)
    assert watch.settle() == decide(spec, arrays, Rules(alpha=0.05, blocking_gates=1))
    assert watch.settle().method is Method.KORN_GRAUBARD


def test_what_is_said_at_the_crossing(gate_spec: Make, plant: Make, visit: Make, in_order: Make) -> None:
    """The result counts what decided and no more, has limits for every n so far, and no estimate."""
    planted = in_order(lambda signs: plant({VISUAL: signs}), "xxfx.xuxxfx" + "fu" * 20 + "x" * 149)
    going = visit(planted)
    result = going.decided(going.watch(gate_spec(max=0.3, max_unjudged=0.2), m=4), every=20)
    assert (result.decision, result.n, result.of) == (Decision.FAIL, 11, 200)
    assert (result.failed, result.unjudged) == (2, 1)
    assert (result.estimate, result.method, result.interval_levels) == (None, Method.BETTING, (0.0125, 0.05))
    assert [point.n for point in result.confidence_sequence][-1] == 11
    assert all(a.lower <= b.lower and b.upper <= a.upper for a, b in pairwise(result.confidence_sequence))
    assert result.interval == (result.confidence_sequence[-1].lower, result.confidence_sequence[-1].upper)
    assert result.interval[0] >= 0.3
    assert result.reason.startswith("at most 0.30 wanted; after 11 of 200 instances at 98.75 % confidence more than 0.")
    assert result.reason.endswith("; 1 unjudged are counted either way")


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("unit", list(Unit))
def test_looks_do_not_decide(target: Target, unit: Unit, gate_spec: Make, plant: Make, visit: Make) -> None:
    """Looking after every instance, every 7, every 32, or only at the end gives the same result at the crossing."""
    signs = mixed(240, 0.12).replace(".", "u", 5)
    planted = plant(
        {VISUAL: signs}, strata=["ct", "xr", "xr"] * 80, clusters=[str(i // 6 * 3 + i % 3) for i in range(240)]
    )
    found = []
    for every in (1, 7, 32, 240):
        going = visit(planted, unit)
        watch = going.watch(gate_spec(max=0.4, target=target, max_unjudged=0.03))
        going.decided(watch, every)
        found.append(watch.result)
    assert found[0] is not None or not watch.stops
    assert found == [found[0]] * 4


def test_a_judge_that_fails_once_ends_nothing(gate_spec: Make, plant: Make, visit: Make, in_order: Make) -> None:
    """One unjudged among the first few is more than .02 of them; the gate waits until it is not, and then decides."""
    going = visit(in_order(lambda signs: plant({VISUAL: signs}), "xxu" + "x" * 197))
    for every in (1, 32, 200):
        result = going.decided(going.watch(gate_spec(max=0.3)), every)
        assert (result.decision, result.n, result.unjudged) == (Decision.FAIL, 50, 1)
    dead = visit(plant({VISUAL: "xxxxu" * 40}))
    result = dead.decided(dead.watch(gate_spec(max=0.3)))
    assert (result.decision, result.n, result.unjudged) == (None, 200, 40)


def test_a_list_asked_to_its_end_is_compared(gate_spec: Make, plant: Make, visit: Make, in_order: Make) -> None:
    """A list that began so badly that bets said FAIL passes if all was asked after all and its mean is within."""
    going = visit(in_order(lambda signs: plant({VISUAL: signs}), "x" * 45 + "." * 55))
    watch = going.watch(gate_spec(max=0.45, target=Target.BENCHMARK))
    watch.look(going.to(45))
    assert watch.result is not None
    assert watch.settle().decision is Decision.FAIL
    going.to_the_end()
    result = watch.settle()
    assert (result.decision, result.estimate, result.method) == (Decision.PASS, 0.45, Method.COMPLETE_LIST)
    assert (result.n, result.of, result.interval) == (100, None, (0.45, 0.45))


def test_patients_like_these_keep_what_was_decided(gate_spec: Make, plant: Make, visit: Make, in_order: Make) -> None:
    """What bets decided of a population stays decided, whatever is asked for other gates later."""
    going = visit(in_order(lambda signs: plant({VISUAL: signs}), "x" * 45 + "." * 55))
    watch = going.watch(gate_spec(max=0.45))
    watch.look(going.to(45))
    going.to_the_end()
    assert watch.settle() == watch.result
    assert watch.settle().decision is Decision.FAIL


@pytest.mark.parametrize(("target", "limits"), [(Target.BENCHMARK, True), (Target.POPULATION, False)])
def test_a_gate_left_open(*, target: Target, limits: bool, gate_spec: Make, plant: Make, visit: Make) -> None:
    """What was not asked to the end is INCONCLUSIVE; it has limits only where bets may stop at any n."""
    going = visit(plant({VISUAL: "x..." * 25}, clusters=[str(i // 2) for i in range(100)]))
    watch = going.watch(gate_spec(max=0.25, target=target))
    watch.look(going.to(30))
    result = watch.settle()
    assert (result.decision, result.of) == (Decision.INCONCLUSIVE, 100)
    assert (result.interval is not None, result.n) == (limits, 30 if limits else 0)
    assert result.estimate is None
    assert result.reason.endswith("not asked to the end, since no blocking gate needed it")


ALIKE = {"one cluster": ["1"] * 30, "clusters of one": None}


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("unit", list(Unit))
@pytest.mark.parametrize("clusters", ALIKE.values(), ids=ALIKE.keys())
@pytest.mark.parametrize("signs", ["", "x", ".", "u", "x" * 30, "." * 30, "u" * 30])
def test_never_a_false_certainty(
    *, target: Target, unit: Unit, clusters: list[str] | None, signs: str, gate_spec: Make, plant: Make, visit: Make
) -> None:
    """None, one, all alike, one cluster: a list is compared; a population is decided only with many units."""
    going = visit(plant({VISUAL: signs}, clusters=clusters), unit)
    watch = going.watch(gate_spec(max=0.3, target=target, max_unjudged=1.0))
    watch.look(0)
    assert watch.result is None
    result = going.decided(watch)
    units = 1 if clusters else len(signs)
    sure = signs and "u" not in signs and (target is Target.BENCHMARK or units == 30)
    wanted = (Decision.FAIL if "x" in signs else Decision.PASS) if sure else Decision.INCONCLUSIVE
    assert result.decision is wanted
    assert "nan" not in result.model_dump_json().lower()
