"""Gates of every kind while instances come in: paired ones, events, gold that lacks, several traces, extreme bounds."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from clinhallu_gate.gate import Rules, decide, gate_arrays
from clinhallu_gate.records import Reading
from clinhallu_gate.stats.sequential import Drawn, Side, crossing
from clinhallu_gate.vocabulary import ANSWER, Arm, Decision, Method, Metric, Stage, Target, Unit

VISUAL = Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION)
AGAIN = replace(VISUAL, repeat=1)
BASELINE = Reading(Arm.BASELINE, ANSWER)
REPAIRED = Reading(Arm.REPLACE_VR, ANSWER)
Make = Callable[..., Any]


def drop(gate_spec: Make, **fields: Any) -> Any:  # noqa: ANN401 - the fields of a gate
    """Build a regression gate."""
    return gate_spec(Metric.ANSWER_ACCURACY, **{"max_drop": 0.02, **fields})


# --- pairs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("new", "old", "decision"),
    [("x", ".", Decision.FAIL), (".", ".", Decision.PASS), ("x", "x", Decision.PASS), (".", "x", Decision.PASS)],
)
def test_a_drop(*, new: str, old: str, decision: Decision, gate_spec: Make, plant: Make, visit: Make) -> None:
    """Pairs decide on the difference alone, on the way, with limits from -1 to 1 and the flips so far."""
    going = visit(plant({BASELINE: new * 600}), baseline=plant({BASELINE: old * 600}))
    result = going.decided(going.watch(drop(gate_spec)))
    assert (result.decision, result.of, result.method, result.estimate) == (decision, 600, Method.BETTING, None)
    assert -1.0 <= result.interval[0] < result.interval[1] <= 1.0
    assert result.flips.worse == (result.n if decision is Decision.FAIL else 0)
    assert result.flips.better == (result.n if (new, old) == (".", "x") else 0)
    assert result.flips.regressed is (decision is Decision.FAIL)
    assert result.reason.startswith("a drop of at most 0.02 wanted; after ")


def test_flips_have_a_p_value_where_pairs_are_independent(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Exact McNemar for single pairs; none for pairs in clusters of patients like these, or of several traces."""
    signs = {BASELINE: "x" * 6 + "." * 94, replace(BASELINE, repeat=1): "x" * 6 + "." * 94}
    old = dict.fromkeys(signs, "." * 99 + "x")
    clusters = [str(i // 2) for i in range(100)]
    found = {}
    for target in Target:
        for name, shared, repeats in (("single", None, 1), ("shared", clusters, 1), ("traces", None, 2)):
            going = visit(plant(signs, clusters=shared), baseline=plant(old, clusters=shared))
            going.to_the_end()
            result = going.watch(drop(gate_spec, max_drop=0.04, target=target), repeats=repeats).settle()
            assert (result.flips.worse, result.flips.better) == (6 * repeats, repeats)
            found[target, name] = result.flips.p_worse
    assert found[Target.BENCHMARK, "single"] == pytest.approx(8 / 128)
    assert found[Target.BENCHMARK, "shared"] == found[Target.POPULATION, "single"] == found[Target.BENCHMARK, "single"]
    assert found[Target.POPULATION, "shared"] is None
    assert found[Target.BENCHMARK, "traces"] is found[Target.POPULATION, "traces"] is None


def test_a_recovery(gate_spec: Make, plant: Make, visit: Make) -> None:
    """A repair that gains nothing fails a wanted recovery early; one that gains all passes, on its own scale."""
    for repaired, decision in ((".", Decision.PASS), ("x", Decision.FAIL)):
        going = visit(plant({REPAIRED: repaired * 300, BASELINE: "x" * 300}))
        result = going.decided(going.watch(gate_spec(Metric.RECOVERY, arm=Arm.REPLACE_VR, min=0.3)))
        assert (result.decision, result.of) == (decision, 300)
        assert (result.interval[0] >= 0.3) if decision is Decision.PASS else (result.interval[1] <= 0.3)
        assert result.interval_levels == (0.05, 0.05)
        assert result.flips is None


@pytest.mark.parametrize("target", list(Target))
def test_a_baseline_that_lacks_a_part(target: Target, gate_spec: Make, plant: Make, visit: Make) -> None:
    """What the baseline run did not ask is unjudged; with too much of it the gate is not completed, and says why."""
    for lacking, decision in (("s" * 100, None), ("s" * 2 + "." * 98, Decision.PASS)):
        going = visit(plant({BASELINE: "." * 100}), baseline=plant({BASELINE: lacking}))
        result = going.decided(going.watch(drop(gate_spec, max_drop=0.3, target=target)))
        assert result.decision is decision
        if decision is None:
            assert result.reason.endswith(
                "; instances that the baseline run lacks count among them (run a baseline with --no-early-stop)"
            )


# --- events -----------------------------------------------------------------------------------------------------------


def never(gate_spec: Make, **fields: Any) -> Any:  # noqa: ANN401 - the fields of a gate
    """Build a never-event gate on the answers."""
    return gate_spec(Metric.ANSWER_ACCURACY, **{"max_events": 0, "tag": "never", "max_unjudged": 0.2, **fields})


def test_the_first_event_fails(gate_spec: Make, plant: Make, visit: Make) -> None:
    """One wrong answer among the tagged decides at once, while what is wrong elsewhere does not count."""
    planted = plant({BASELINE: "x" * 60 + "." * 39 + "x"}, tagged=range(60, 100))
    going = visit(planted)
    watch = going.watch(never(gate_spec))
    place = int(np.flatnonzero(going.order == 99)[0])
    tagged = int(np.count_nonzero(going.order[: place + 1] >= 60))
    watch.look(going.to(place))
    assert watch.result is None
    watch.look(going.to(place + 1))
    result = watch.settle()
    assert (result.decision, result.n, result.method) == (Decision.FAIL, tagged, Method.EVENTS)
    assert result.of == (40 if tagged < 40 else None)
    assert result.reason == f"no event wanted; 1 of {tagged} instances tagged never"
    assert result.interval[1] < 1.0 - 0.05 / 60  # an accuracy: the event takes the upper limit below 1


def test_no_event_passes_only_at_the_end(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Clean instances pass when all tagged ones were seen, with the rule-of-three bound on the accuracy's scale."""
    going = visit(plant({BASELINE: "." * 100}, tagged=range(59)))
    watch = going.watch(never(gate_spec))
    assert not watch.stops
    last = int(np.flatnonzero(going.order < 59)[-1])
    watch.look(going.to(last))
    assert watch.settle().decision is Decision.INCONCLUSIVE
    watch.look(going.to(last + 1))
    result = watch.settle()
    assert (result.decision, result.n, result.estimate) == (Decision.PASS, 59, 1.0)
    assert result.interval == pytest.approx((0.05 ** (1 / 59), 1.0))
    assert result.reason == (
        "no event wanted; none of 59 tagged never; at 95 % confidence a rate of up to 0.050 remains possible"
    )


def test_events_in_clusters_are_bounded_by_clusters(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Without an event, 60 instances of 20 patients bound the rate as 20 do, unless the list itself is meant."""
    planted = plant({BASELINE: "." * 60}, tagged=range(60), clusters=[str(i // 3) for i in range(60)])
    for target, units in ((Target.POPULATION, 20), (Target.BENCHMARK, 60)):
        going = visit(planted)
        going.to_the_end()
        assert going.watch(never(gate_spec, target=target)).settle().interval[0] == pytest.approx(0.05 ** (1 / units))


def test_an_unjudged_event_keeps_it_open(gate_spec: Make, plant: Make, visit: Make) -> None:
    """What is unjudged may be an event, so there is neither PASS nor FAIL; a known one decides beside it."""
    for signs, decision in (("u" + "." * 39, Decision.INCONCLUSIVE), ("ux" + "." * 38, Decision.FAIL)):
        going = visit(plant({BASELINE: signs}, tagged=range(40)))
        result = going.decided(going.watch(never(gate_spec)))
        assert result.decision is decision
    assert "1 unjudged may each be one" in visit_all(visit, plant, gate_spec).reason


def visit_all(visit: Make, plant: Make, gate_spec: Make) -> Any:  # noqa: ANN401 - a result
    """Decide a never-event gate of 40 instances, one unjudged."""
    going = visit(plant({BASELINE: "u" + "." * 39}, tagged=range(40)))
    going.to_the_end()
    return going.watch(never(gate_spec)).settle()


def test_events_among_traces(gate_spec: Make, plant: Make) -> None:
    """An instance with an event in one trace is one event, whatever its other trace lacks; the estimate is a share."""
    planted = plant({VISUAL: "xx..", AGAIN: "u.u."}, tagged=range(4))
    spec = gate_spec(max_events=1, tag="never", max_unjudged=1.0)
    arrays = gate_arrays(spec, planted.frame, planted.verdict_of, repeats=2)
    result = decide(spec, arrays, Rules(alpha=0.05, blocking_gates=1, repeats=2))
    assert (result.decision, result.unjudged) == (Decision.FAIL, 2)
    assert result.estimate == pytest.approx(2 / 3)


# --- gold, traces, bounds ---------------------------------------------------------------------------------------------


def test_no_gold_is_not_applicable(gate_spec: Make, plant: Make, visit: Make, in_order: Make) -> None:
    """The first instance without gold settles it, and a gate without a baseline run waits for none."""
    going = visit(in_order(lambda signs: plant({VISUAL: signs}), "..g" + "." * 57))
    watch = going.watch(gate_spec(max=0.3))
    watch.look(going.to(2))
    assert watch.result is None
    watch.look(going.to(3))
    assert watch.settle().decision is Decision.NOT_APPLICABLE
    going = visit(plant({BASELINE: "." * 10}))
    assert going.decided(going.watch(drop(gate_spec))).decision is Decision.NOT_APPLICABLE


@pytest.mark.parametrize("unit", list(Unit))
def test_traces_of_an_instance_are_one_draw(unit: Unit, gate_spec: Make, plant: Make, visit: Make) -> None:
    """With two traces an instance is drawn with their mean: halves decide as late as values of a half do."""
    planted = plant({VISUAL: "x" * 200, AGAIN: "." * 200})
    going = visit(planted, unit)
    result = going.decided(going.watch(gate_spec(max=0.3), repeats=2))
    halves = np.full(200, 0.5)
    drawn = Drawn.of_population(halves, halves, np.zeros(200, np.int64), [200])
    found = crossing(drawn, 0.3, within_error=0.05, beyond_error=0.05)
    assert found is not None
    assert (result.decision, result.n, result.of) == (Decision.FAIL, found.n, 200)


def test_traces_in_clusters_are_korn_graubard(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Two equal traces of each of 100 instances are worth what 100 instances are, at the end, for a population."""
    signs = "x" * 20 + "." * 80
    going = visit(plant({VISUAL: signs, AGAIN: signs}, clusters=[str(i // 2) for i in range(100)]))
    going.to_the_end()
    twice = going.watch(gate_spec(max=0.3), repeats=2).settle()
    once = going.watch(gate_spec(max=0.3)).settle()
    assert (twice.method, twice.n, twice.estimate) == (Method.KORN_GRAUBARD, 100, 0.2)
    assert twice.interval == pytest.approx(once.interval, abs=0.002)


@pytest.mark.parametrize("target", list(Target))
def test_extreme_bounds(target: Target, gate_spec: Make, plant: Make, visit: Make) -> None:
    """A budget of 1 always holds; one of 0 falls with the first event, and holds for a complete clean list only."""
    bad, good = (visit(plant({VISUAL: sign * 60})) for sign in "x.")
    assert bad.decided(bad.watch(gate_spec(max=1.0, target=target))).decision is Decision.PASS
    assert bad.decided(bad.watch(gate_spec(max=0.0, target=target))).decision is Decision.FAIL
    clean = good.decided(good.watch(gate_spec(max=0.0, target=target))).decision
    assert clean is (Decision.PASS if target is Target.BENCHMARK else Decision.INCONCLUSIVE)


def test_the_limit_that_decided_is_on_its_side(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Limits are found to 1e-6, and still none lies beyond the threshold that it decided."""
    planted = plant({VISUAL: "x.........." * 20})
    going = visit(planted)
    spec = gate_spec(max=0.3)
    y = gate_arrays(spec, planted.frame, planted.verdict_of, members=going.order).y_pass[:100]
    drawn = Drawn.of_population(y, y, np.zeros(100, np.int64), [220])
    low, high = 0.1, 0.5
    while high - low > 1e-9:
        middle = (low + high) / 2
        found = crossing(drawn, middle, within_error=0.05, beyond_error=1e-300)
        low, high = (low, middle) if found is not None and found.side is Side.WITHIN else (middle, high)
    result = going.decided(going.watch(gate_spec(max=high)))
    assert result.decision is Decision.PASS
    assert result.interval[1] <= high
