"""From planted verdicts to arrays: what counts as bad, on which side, and what makes a gate impossible."""

from collections.abc import Callable
from typing import Any

import pytest

from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.gate import Frame, GateArrays, NotApplicable, gate_arrays, readings
from clinhallu_gate.records import Reading
from clinhallu_gate.vocabulary import ANSWER, Arm, Metric, Stage

VISUAL = Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION)
BASELINE = Reading(Arm.BASELINE, ANSWER)
REPAIRED = Reading(Arm.REPLACE_VR, ANSWER)
Make = Callable[..., Any]


def arrays_of(spec: Any, planted: Any) -> GateArrays:  # noqa: ANN401 - the test's own builders
    """Return the arrays of a gate that is applicable."""
    found = gate_arrays(spec, planted.frame, planted.verdict_of)
    assert isinstance(found, GateArrays)
    return found


@pytest.mark.parametrize(
    ("metric", "fields", "wanted"),
    [
        (Metric.VISUAL_HALLUCINATION_RATE, {"max": 0.3}, [VISUAL]),
        (
            Metric.KNOWLEDGE_HALLUCINATION_RATE,
            {"max": 0.3, "arm": Arm.REPLACE_VR},
            [Reading(Arm.REPLACE_VR, Stage.KNOWLEDGE_RECALL)],
        ),
        (
            Metric.REASONING_HALLUCINATION_RATE,
            {"max": 0.3, "arm": Arm.REPLACE_VR_KR},
            [Reading(Arm.REPLACE_VR_KR, Stage.REASONING_INTEGRATION)],
        ),
        (Metric.ANSWER_ACCURACY, {"min": 0.3, "arm": Arm.REPLACE_KR}, [Reading(Arm.REPLACE_KR, ANSWER)]),
        (Metric.RECOVERY, {"min": 0.0, "arm": Arm.REPLACE_VR}, [REPAIRED, BASELINE]),
    ],
)
def test_what_each_metric_reads(gate_spec: Make, metric: Metric, fields: dict[str, Any], wanted: list[Reading]) -> None:
    """Each rate is read where everything upstream is gold; a recovery reads the arm's answer and the baseline's."""
    assert list(readings(gate_spec(metric, **fields))) == wanted


def test_failures_count_and_unjudged_are_bounded(gate_spec: Make, plant: Make) -> None:
    """Hallucinated and failed are 1 on both sides; unjudged is 1 on the PASS side and 0 on the FAIL side."""
    arrays = arrays_of(gate_spec(max=0.3), plant({VISUAL: ".xfu"}))
    assert arrays.y_pass.tolist() == [0, 1, 1, 1]
    assert arrays.y_fail.tolist() == [0, 1, 1, 0]
    assert (arrays.n, arrays.failed, arrays.unjudged) == (4, 1, 1)


def test_recovery_is_paired_in_the_worst_case(gate_spec: Make, plant: Make) -> None:
    """With ``min`` y is the loss by the repair; an unjudged answer is taken against the side that is tested."""
    planted = plant({REPAIRED: "..x.xu.uf", BASELINE: ".x.fx.uu."})
    arrays = arrays_of(gate_spec(Metric.RECOVERY, arm=Arm.REPLACE_VR, min=0.0), planted)
    assert arrays.y_pass.tolist() == [0, -1, 1, -1, 0, 1, 0, 1, 1]
    assert arrays.y_fail.tolist() == [0, -1, 1, -1, 0, 0, -1, -1, 1]
    assert (arrays.failed, arrays.unjudged, arrays.paired) == (2, 3, True)


def test_recovery_with_max_turns_around(gate_spec: Make, plant: Make) -> None:
    """With ``max`` y is the gain by the repair."""
    planted = plant({REPAIRED: ".xu", BASELINE: "x.x"})
    arrays = arrays_of(gate_spec(Metric.RECOVERY, arm=Arm.REPLACE_VR, max=0.2), planted)
    assert arrays.y_pass.tolist() == [1, -1, 1]
    assert arrays.y_fail.tolist() == [1, -1, 0]


def test_no_gold_makes_the_gate_not_applicable(gate_spec: Make, plant: Make) -> None:
    """A gate without the gold that it needs says how much is missing."""
    planted = plant({VISUAL: ".g.g"})
    found = gate_arrays(gate_spec(max=0.3), planted.frame, planted.verdict_of)
    assert found == NotApplicable("2 of 4 instances have no gold trace for it")


def test_a_gate_is_never_computed_from_a_part(gate_spec: Make, plant: Make) -> None:
    """One verdict of the scope that was not sought ends the evaluation."""
    planted = plant({VISUAL: "..s"})
    with pytest.raises(EvaluationFailed, match="baseline:visual_recognition of phantom/00002 was not asked"):
        gate_arrays(gate_spec(max=0.3), planted.frame, planted.verdict_of)


def test_a_scope_reads_only_its_own_instances(gate_spec: Make, plant: Make) -> None:
    """A stratum's gate neither counts nor needs the others."""
    planted = plant({VISUAL: "x.s"}, strata=["ct", "ct", "xr"])
    arrays = arrays_of(gate_spec(max=0.3, scope="ct"), planted)
    assert arrays.y_pass.tolist() == [1, 0]


def test_a_drop_waits_for_a_baseline_run(gate_spec: Make, plant: Make) -> None:
    """Without a baseline run a regression gate is not applicable."""
    planted = plant({BASELINE: ".."})
    spec = gate_spec(Metric.ANSWER_ACCURACY, max_drop=0.02)
    assert gate_arrays(spec, planted.frame, planted.verdict_of) == NotApplicable(
        "no baseline run was given to compare with"
    )


def test_frame_keeps_equal_names_of_two_datasets_apart(instance: Make) -> None:
    """Strata and clusters are told apart by dataset; a scope finds datasets and strata by name."""
    frame = Frame.of(
        [
            instance(0, dataset="a", stratum="ct", cluster="1"),
            instance(1, dataset="b", stratum="ct", cluster="1"),
            instance(2, dataset="b", stratum="xr", cluster="1"),
        ]
    )
    assert frame.strata == {"a": ("ct",), "b": ("ct", "xr")}
    assert frame.stratum.tolist() == [0, 1, 2]
    assert frame.cluster.tolist() == [0, 1, 1]
    assert frame.members("ct").tolist() == [0, 1]
    assert frame.members("b").tolist() == [1, 2]
    assert frame.members("mean").tolist() == [0, 1, 2]
