"""How the report speaks of stages, arms and gates."""

from typing import Final

from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.report.figures import worse
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import (
    ANSWER,
    METRIC_STAGE,
    STAGE_NICKNAME,
    Arm,
    FailReason,
    Method,
    Metric,
    NotAskedReason,
    Part,
    Stage,
    UnjudgedReason,
)

STAGE_TITLE: Final[dict[Stage, str]] = {
    Stage.VISUAL_RECOGNITION: "Visual recognition",
    Stage.KNOWLEDGE_RECALL: "Knowledge recall",
    Stage.REASONING_INTEGRATION: "Reasoning integration",
}
ARM_TITLE: Final[dict[Arm, str]] = {
    Arm.BASELINE: "the model alone",
    Arm.REPLACE_VR: "with the image read for it",
    Arm.REPLACE_KR: "with the knowledge given",
    Arm.REPLACE_VR_KR: "with image and knowledge given",
}
METRIC_TITLE: Final[dict[Metric, str]] = {
    Metric.VISUAL_HALLUCINATION_RATE: "visual hallucination rate",
    Metric.KNOWLEDGE_HALLUCINATION_RATE: "knowledge hallucination rate",
    Metric.REASONING_HALLUCINATION_RATE: "reasoning hallucination rate",
    Metric.ANSWER_ACCURACY: "answer accuracy",
    Metric.RECOVERY: "recovery",
}
METRIC_SUITE: Final[dict[Metric, str]] = {
    Metric.VISUAL_HALLUCINATION_RATE: "suites/test_visual_recognition.py",
    Metric.KNOWLEDGE_HALLUCINATION_RATE: "suites/test_knowledge_recall.py",
    Metric.REASONING_HALLUCINATION_RATE: "suites/test_reasoning_integration.py",
    Metric.ANSWER_ACCURACY: "suites/test_answer_accuracy.py",
    Metric.RECOVERY: "suites/test_stage_replacement.py",
}
FAILED_TITLE: Final[dict[FailReason, str]] = {
    FailReason.STAGE_MISSING: "the reply has no such stage",
    FailReason.STAGE_EMPTY: "the stage is empty",
    FailReason.NO_ANSWER: "the reply has no answer",
    FailReason.TRUNCATED: "cut off at the token limit",
    FailReason.REFUSED: "the model declined",
    FailReason.UPSTREAM_FAILED: "the stage it builds on was not delivered",
}

#: Why a verdict is missing, by the reason's name: the model's doing, or the instrument's.
LACK_TITLE: Final[dict[str, str]] = {
    **{reason.value: title for reason, title in FAILED_TITLE.items()},
    UnjudgedReason.JUDGE_FAILED.value: "the judge gave no verdict that can be used",
    UnjudgedReason.ENDPOINT_FAILED.value: "the server did not answer",
}
NOT_ASKED_TITLE: Final[dict[NotAskedReason, str]] = {
    NotAskedReason.NOT_SELECTED: "not selected",
    NotAskedReason.NO_GOLD: "the data have no gold text to give or to judge by",
    NotAskedReason.EARLY_STOP: "the gates were decided before their turn",
}
METHOD_TITLE: dict[Method, str] = {
    Method.COMPLETE_LIST: "the complete list, compared",
    Method.CLOPPER_PEARSON: "Clopper-Pearson",
    Method.KORN_GRAUBARD: "Clopper-Pearson with the effective number of instances (after Korn and Graubard)",
    Method.TANGO: "Tango's score for pairs",
    Method.TANGO_CLUSTERED: "Tango's score with the effective number of pairs",
    Method.BY_LAYOUT: "limits by strata and clusters alone, as gold may lack",
    Method.BETTING: "a betting test, which holds at every n",
    Method.EVENTS: "events counted; their rate by Clopper-Pearson",
    Method.LABELS: "labels by people alone",
    Method.PPI: "labels by people with the judge's verdicts (PPI++)",
}


def nickname(stage: Stage) -> str:
    """Return ``camera``, ``textbook`` or ``logic``."""
    return STAGE_NICKNAME[stage].removeprefix("the ")


def part_title(part: Part) -> str:
    """Return the name of a stage, or of the answer."""
    return "Answer" if part == ANSWER else STAGE_TITLE[Stage(part)]


def subject(gate: GateResult) -> str:
    """Return what a gate is about, to stand in a sentence."""
    words = METRIC_TITLE[gate.metric]
    if gate.metric not in METRIC_STAGE and gate.arm is not Arm.BASELINE:
        words = f"{words} {ARM_TITLE[gate.arm]}"
    if "max_drop" in gate.threshold:
        words = f"{worse(gate.metric)} of {words}"
    if gate.tag is not None:
        words = f"{words} among {one_line(gate.tag)}"
    return words if gate.scope == "mean" else f"{words} in {one_line(gate.scope)}"
