"""Decisions on planted verdicts with known answers."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate import Frame, GateArrays, GateResult, Rules, decide, decide_all, gate_arrays
from clinhallu_gate.records import Judged, Reading
from clinhallu_gate.stats import clopper_pearson_lower, clopper_pearson_upper, tango_lower, tango_upper
from clinhallu_gate.stats.sample import FloatArray
from clinhallu_gate.vocabulary import ANSWER, Arm, Decision, Metric, Outcome, Severity, Stage, Target

VISUAL = Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION)
BASELINE = Reading(Arm.BASELINE, ANSWER)
REPAIRED = Reading(Arm.REPLACE_VR, ANSWER)
Make = Callable[..., Any]
GATE = GateSpec(
    id="visual_hallucination_rate[mean]",
    metric=Metric.VISUAL_HALLUCINATION_RATE,
    arm=Arm.BASELINE,
    scope="mean",
    max=0.3,
    severity=Severity.BLOCKING,
    target=Target.BENCHMARK,
    max_unjudged=1.0,
)


def arrays_of(least: FloatArray, most: FloatArray) -> GateArrays:
    """Build the arrays of one stratum of independent instances."""
    n = least.size
    return GateArrays(most, least, least == most, np.zeros(n, np.int64), np.arange(n), failed=0, paired=False)


def decided(spec: Any, planted: Any, *, alpha: float = 0.05, m: int = 4, complete: bool = True) -> GateResult:  # noqa: ANN401 - the test's own builders
    """Decide one gate on planted verdicts."""
    arrays = gate_arrays(spec, planted.frame, planted.verdict_of)
    return decide(spec, arrays, Rules(alpha=alpha, blocking_gates=m, complete=complete))


def test_pass_with_its_limits(gate_spec: Make, plant: Make) -> None:
    """13 of 100 against 0.30: PASS, the lower limit at alpha/m, the upper one at alpha, and a sentence that says so."""
    result = decided(gate_spec(max=0.3), plant({VISUAL: "x" * 10 + "f" * 3 + "." * 87}))
    assert result.decision is Decision.PASS
    assert result.estimate == 0.13
    assert result.interval == pytest.approx(
        (clopper_pearson_lower(13, 100, 0.0125), clopper_pearson_upper(13, 100, 0.05))
    )
    assert result.interval_levels == (0.0125, 0.05)
    assert (result.n, result.failed, result.unjudged) == (100, 3, 0)
    assert result.reason == "at most 0.30 wanted; 0.130 measured, and at 95 % confidence no more than 0.199"


def test_fail_at_the_divided_alpha(gate_spec: Make, plant: Make) -> None:
    """A FAIL that holds at alpha but not at alpha/m is INCONCLUSIVE among m blocking gates, and FAIL alone."""
    planted = plant({VISUAL: "x" * 39 + "." * 61})
    alone, among = (decided(gate_spec(max=0.3), planted, m=m) for m in (1, 4))
    assert clopper_pearson_lower(39, 100, 0.0125) < 0.3 < clopper_pearson_lower(39, 100, 0.05)
    assert alone.decision is Decision.FAIL
    assert alone.reason == "at most 0.30 wanted; 0.390 measured, and at 95 % confidence more than 0.308"
    assert among.decision is Decision.INCONCLUSIVE
    assert among.reason == (
        "at most 0.30 wanted; 0.390 measured, but 100 instances leave 0.281 to 0.477 possible; "
        "roughly 180 further instances would likely decide it, if the rate stays"
    )


def test_accuracy_on_its_own_scale(gate_spec: Make, plant: Make) -> None:
    """With ``min`` the lower limit decides a PASS, at alpha, and estimate and interval are accuracies."""
    planted = plant({BASELINE: "." * 85 + "x" * 15})
    result = decided(gate_spec(Metric.ANSWER_ACCURACY, min=0.7), planted)
    assert result.decision is Decision.PASS
    assert result.estimate == 0.85
    assert result.interval == pytest.approx(
        (clopper_pearson_lower(85, 100, 0.05), clopper_pearson_upper(85, 100, 0.0125))
    )
    assert result.interval_levels == (0.05, 0.0125)
    assert result.reason == "at least 0.70 wanted; 0.850 measured, and at 95 % confidence no less than 0.778"
    failed = decided(gate_spec(Metric.ANSWER_ACCURACY, min=0.98), planted)
    assert failed.decision is Decision.FAIL
    assert failed.reason == "at least 0.98 wanted; 0.850 measured, and at 98.75 % confidence less than 0.921"


def test_recovery_is_tango(gate_spec: Make, plant: Make) -> None:
    """A recovery is decided on Tango's limits of accuracy gained minus accuracy lost."""
    planted = plant({REPAIRED: "." * 20 + "x" * 4 + "." * 76, BASELINE: "x" * 20 + "." * 80})
    result = decided(gate_spec(Metric.RECOVERY, arm=Arm.REPLACE_VR, min=0.0), planted)
    assert result.decision is Decision.PASS
    assert result.estimate == 0.16
    assert result.interval == pytest.approx((tango_lower(20, 4, 100, 0.05), tango_upper(20, 4, 100, 0.0125)))
    capped = decided(gate_spec(Metric.RECOVERY, arm=Arm.REPLACE_VR, max=0.02), planted)
    assert capped.decision is Decision.FAIL
    assert capped.estimate == 0.16
    assert capped.interval == pytest.approx((tango_lower(20, 4, 100, 0.0125), tango_upper(20, 4, 100, 0.05)))


def test_a_drop_against_the_baseline_is_tango(gate_spec: Make, plant: Make) -> None:
    """The release in use was right 20 times where this one is wrong, and wrong 4 times where this one is right."""
    new = plant({BASELINE: "x" * 20 + "." * 80})
    old = plant({BASELINE: "." * 20 + "x" * 4 + "." * 76})
    spec = gate_spec(Metric.ANSWER_ACCURACY, max_drop=0.05)
    (result,) = decide_all(
        [spec], new.frame, new.verdict_of, Rules(alpha=0.05, blocking_gates=4), baseline_of=old.verdict_of
    )
    assert result.decision is Decision.FAIL
    assert result.estimate == pytest.approx(0.16)
    assert result.interval == pytest.approx((tango_lower(20, 4, 100, 0.0125), tango_upper(20, 4, 100, 0.05)))
    assert result.reason.startswith(
        "a drop of at most 0.05 wanted; 0.160 measured, and at 98.75 % confidence more than"
    )
    (alone,) = decide_all([spec], new.frame, new.verdict_of, Rules(alpha=0.05, blocking_gates=4))
    assert alone.decision is Decision.NOT_APPLICABLE


def test_what_the_baseline_lacks_is_unjudged(gate_spec: Make, plant: Make) -> None:
    """A pair without its older half is bounded both ways, here beyond what may be unjudged."""
    new, old = plant({BASELINE: "." * 50}), plant({BASELINE: "." * 45 + "u" * 5})
    spec = gate_spec(Metric.ANSWER_ACCURACY, max_drop=0.05)
    (result,) = decide_all(
        [spec], new.frame, new.verdict_of, Rules(alpha=0.05, blocking_gates=1), baseline_of=old.verdict_of
    )
    assert result.unjudged == 5
    assert result.decision is None


@pytest.mark.parametrize(
    ("bad", "decision"), [(2, Decision.PASS), (3, Decision.PASS), (4, Decision.FAIL)], ids=["below", "at", "above"]
)
def test_a_complete_list_just_compares(gate_spec: Make, plant: Make, bad: int, decision: Decision) -> None:
    """3 of 10 is at most 0.3 exactly, whatever floats make of it; a complete list has no sampling error."""
    result = decided(gate_spec(max=0.3, target=Target.BENCHMARK), plant({VISUAL: "x" * bad + "." * (10 - bad)}))
    assert result.decision is decision
    assert result.estimate == bad / 10
    assert result.interval == (bad / 10, bad / 10)
    assert result.interval_levels == (0.0, 0.0)
    assert result.reason == f"at most 0.30 wanted; {bad / 10:.3f} measured on the complete list"


@given(st.sampled_from([10, 20, 25, 40, 50, 125, 200, 1000]), st.data())
def test_ties_of_a_complete_list(n: int, data: st.DataObject) -> None:
    """An accuracy that equals its budget passes, and one more mistake fails, whatever floats make of 1 - k/n."""
    bad = data.draw(st.integers(0, n - 1))
    spec = GATE.model_copy(update={"metric": Metric.ANSWER_ACCURACY, "max": None, "min": round(1 - bad / n, 4)})
    for mistakes, decision in ((bad, Decision.PASS), (bad + 1, Decision.FAIL)):
        y = (np.arange(n) < mistakes).astype(float)
        assert decide(spec, arrays_of(y, y), Rules(alpha=0.05, blocking_gates=1)).decision is decision


def test_a_list_asked_in_part_is_a_sample(gate_spec: Make, plant: Make) -> None:
    """With a limit, a benchmark gate has a sampling error too, and clusters do not matter to it."""
    planted = plant({VISUAL: "x" * 20 + "." * 60}, clusters=[str(i // 4) for i in range(80)])
    result = decided(gate_spec(max=0.3, target=Target.BENCHMARK), planted, complete=False)
    assert result.decision is Decision.INCONCLUSIVE
    assert result.interval == pytest.approx(
        (clopper_pearson_lower(20, 80, 0.0125), clopper_pearson_upper(20, 80, 0.05))
    )


def test_clusters_widen_a_population_gate(gate_spec: Make, plant: Make) -> None:
    """Instances of one image that fail together count together, and few images are said to be few."""
    signs = ("xxxx" + "...." * 4) * 8
    apart = decided(gate_spec(max=0.3), plant({VISUAL: signs}))
    together = decided(gate_spec(max=0.3), plant({VISUAL: signs}, clusters=[str(i // 4) for i in range(160)]))
    assert apart.decision is Decision.PASS
    assert together.decision is Decision.INCONCLUSIVE
    assert together.estimate == apart.estimate == 0.2
    assert together.reason.partition("; roughly")[0].endswith(
        "with fewer than 50 independent clusters of like size the limits may be too narrow"
    )
    assert "clusters" not in apart.reason


def test_the_mean_is_over_strata(gate_spec: Make, plant: Make) -> None:
    """A small stratum weighs as much as a large one."""
    planted = plant({VISUAL: "x" * 10 + "." * 10 + "." * 80}, strata=["ct"] * 20 + ["xr"] * 80)
    assert decided(gate_spec(max=0.3), planted).estimate == 0.25
    assert decided(gate_spec(max=0.3, scope="ct"), planted).estimate == 0.5
    assert decided(gate_spec(max=0.3, scope="phantom"), planted).estimate == 0.25


def test_unjudged_are_counted_either_way(gate_spec: Make, plant: Make) -> None:
    """Unjudged instances raise the upper and lower the lower limit, and leave the estimate to the rest."""
    planted = plant({VISUAL: "x" * 24 + "." * 74 + "uu"})
    result = decided(gate_spec(max=0.3), planted)
    assert result.estimate == 24 / 98
    assert result.interval == pytest.approx(
        (clopper_pearson_lower(24, 100, 0.0125), clopper_pearson_upper(26, 100, 0.05))
    )
    assert result.unjudged == 2
    assert result.reason.partition("; roughly")[0].endswith("; 2 unjudged are counted either way")


@pytest.mark.parametrize(("bound", "decision"), [(0.26, "PASS"), (0.25, "INCONCLUSIVE"), (0.23, "FAIL")])
def test_unjudged_on_a_complete_list(gate_spec: Make, plant: Make, bound: float, decision: str) -> None:
    """On a complete list the bounds of the unjudged are the whole interval."""
    planted = plant({VISUAL: "x" * 24 + "." * 74 + "uu"})
    result = decided(gate_spec(max=bound, target=Target.BENCHMARK), planted)
    assert result.decision == decision
    assert result.interval == (0.24, 0.26)


def test_too_many_unjudged_complete_nothing(gate_spec: Make, plant: Make) -> None:
    """Above the allowed share the gate is not completed and reports no rate; exactly at it, it decides."""
    at, above = plant({VISUAL: "." * 49 + "u"}), plant({VISUAL: "." * 48 + "uu"})
    assert decided(gate_spec(max=0.3), at).decision is Decision.PASS
    result = decided(gate_spec(max=0.3), above)
    assert not result.completed
    assert (result.decision, result.estimate, result.interval) == (None, None, None)
    assert (result.n, result.unjudged) == (50, 2)
    assert result.reason == "2 of 50 instances are unjudged; a share of 0.02 is allowed"


def test_a_dead_judge_never_decides(gate_spec: Make, plant: Make) -> None:
    """With everything unjudged, and that allowed, every gate is INCONCLUSIVE and has no estimate."""
    planted = plant({VISUAL: "u" * 30})
    for target in Target:
        result = decided(gate_spec(max=0.3, max_unjudged=1.0, target=target), planted)
        assert result.decision is Decision.INCONCLUSIVE
        assert result.estimate is None
        assert result.interval == (0.0, 1.0)


def test_no_gold_is_never_pass(gate_spec: Make, plant: Make) -> None:
    """A gate without gold is not applicable and reports nothing."""
    result = decided(gate_spec(max=0.3), plant({VISUAL: "...g"}))
    assert result.decision is Decision.NOT_APPLICABLE
    assert result.completed
    assert (result.estimate, result.interval, result.interval_levels, result.n) == (None, None, None, 0)


def test_an_empty_run_is_never_perfect(gate_spec: Make) -> None:
    """Without an instance no gate passes."""
    frame = Frame.of([])
    for target in Target:
        spec = gate_spec(max=0.3, target=target)
        arrays = gate_arrays(spec, frame, lambda _uid, _reading: Judged(Outcome.GROUNDED, ""))
        result = decide(spec, arrays, Rules(alpha=0.05, blocking_gates=1))
        assert result.decision is Decision.INCONCLUSIVE
        assert result.estimate is None


def test_extreme_budgets(gate_spec: Make, plant: Make) -> None:
    """A budget of 1 always passes, one of 0 never does in a population, and fails with events."""
    bad, good = plant({VISUAL: "x" * 30}), plant({VISUAL: "." * 30})
    assert decided(gate_spec(max=1.0), bad).decision is Decision.PASS
    assert decided(gate_spec(max=0.0), good).decision is Decision.INCONCLUSIVE
    assert decided(gate_spec(max=0.0), bad).decision is Decision.FAIL
    assert decided(gate_spec(max=0.0, target=Target.BENCHMARK), good).decision is Decision.PASS


def test_json_has_the_documented_fields(gate_spec: Make, plant: Make) -> None:
    """The record is, field by field, what ``decision.json`` holds for a gate."""
    result = decided(gate_spec(max=0.3), plant({VISUAL: "." * 50}))
    dumped = result.model_dump(mode="json")
    assert list(dumped) == [
        "id", "metric", "scope", "arm", "severity", "target", "threshold",
        "estimate", "interval", "interval_levels", "n", "failed", "unjudged", "decision", "reason",
        "tag", "unit", "method", "of", "further", "judge_defined", "confidence_sequence", "flips", "adjusted",
    ]  # fmt: skip
    assert dumped["threshold"] == {"max": 0.3}
    assert dumped["decision"] == "PASS"
    assert GateResult.model_validate(dumped) == result


@given(st.lists(st.sampled_from([(0, 0), (1, 1), (0, 1)]), min_size=1, max_size=30), st.floats(0, 1))
def test_unjudged_never_sharpen_a_decision(pairs: list[tuple[int, int]], bound: float) -> None:
    """What is decided with unjudged values is decided the same, on a complete list, however they turn out."""
    least, most = np.array(pairs, dtype=float).T
    spec = GATE.model_copy(update={"max": bound})
    with_unjudged = decide(spec, arrays_of(least, most), Rules(alpha=0.05, blocking_gates=1))
    for fill in (least, most):
        settled = decide(spec, arrays_of(fill, fill), Rules(alpha=0.05, blocking_gates=1))
        assert with_unjudged.decision in (Decision.INCONCLUSIVE, settled.decision)


def test_twenty_gates_over_the_benchmark_take_less_than_a_second(gate_spec: Make, instance: Make) -> None:
    """20 gates over 7,031 instances in four strata are decided in well under a second."""
    rng = np.random.default_rng(7)
    frame = Frame.of(instance(i, stratum="abcd"[i % 4], cluster=str(i // 3)) for i in range(7031))
    good, bad = Judged(Outcome.CORRECT, ""), Judged(Outcome.INCORRECT, "")
    verdicts = {uid: bad if rng.random() < 0.3 else good for uid in frame.uids}
    rates = [gate_spec(Metric.ANSWER_ACCURACY, min=0.65, id=f"a{i}") for i in range(14)]
    repairs = [gate_spec(Metric.RECOVERY, arm=Arm.REPLACE_VR, min=-0.01, id=f"r{i}") for i in range(6)]
    started = time.perf_counter()
    results = decide_all([*rates, *repairs], frame, lambda uid, _: verdicts[uid], Rules(alpha=0.05, blocking_gates=20))
    assert time.perf_counter() - started < 1.0
    assert {result.decision for result in results} == {Decision.PASS}
