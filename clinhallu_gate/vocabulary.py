"""The words of the gate: every closed set of names that files, options and reports use."""

from enum import StrEnum
from typing import Final, Literal, TypeAlias


class Stage(StrEnum):
    """A stage of a trace (ClinHallu, arXiv 2606.14697)."""

    VISUAL_RECOGNITION = "visual_recognition"
    KNOWLEDGE_RECALL = "knowledge_recall"
    REASONING_INTEGRATION = "reasoning_integration"


ANSWER: Final = "answer"
#: What a verdict speaks of: one stage of a trace, or its answer.
Part: TypeAlias = Stage | Literal["answer"]


class Arm(StrEnum):
    """One way of obtaining a trace; the protocol says which stages an arm is given, and whose."""

    BASELINE = "baseline"
    REPLACE_VR = "replace_vr"
    REPLACE_KR = "replace_kr"
    REPLACE_VR_KR = "replace_vr_kr"


class QuestionType(StrEnum):
    """The form of a question, as the benchmark names it."""

    YES_NO = "yes_no"
    MULTIPLE_CHOICE = "multiple_choice"
    OPEN_ENDED = "open_ended"


class Outcome(StrEnum):
    """What a judge says of a stage (first two) or of an answer (last two)."""

    GROUNDED = "grounded"
    HALLUCINATED = "hallucinated"
    CORRECT = "correct"
    INCORRECT = "incorrect"


class FailReason(StrEnum):
    """Why a part could not be read from the model's reply: the model's doing, counted against it."""

    STAGE_MISSING = "stage_missing"
    STAGE_EMPTY = "stage_empty"
    NO_ANSWER = "no_answer"
    TRUNCATED = "truncated"
    REFUSED = "refused"
    UPSTREAM_FAILED = "upstream_failed"


class UnjudgedReason(StrEnum):
    """Why there is no verdict although there should be one: the instrument's doing."""

    JUDGE_FAILED = "judge_failed"
    ENDPOINT_FAILED = "endpoint_failed"


class NotAskedReason(StrEnum):
    """Why a verdict was not sought."""

    NOT_SELECTED = "not_selected"
    NO_GOLD = "no_gold"
    EARLY_STOP = "early_stop"


class Metric(StrEnum):
    """What a gate measures."""

    VISUAL_HALLUCINATION_RATE = "visual_hallucination_rate"
    KNOWLEDGE_HALLUCINATION_RATE = "knowledge_hallucination_rate"
    REASONING_HALLUCINATION_RATE = "reasoning_hallucination_rate"
    ANSWER_ACCURACY = "answer_accuracy"
    RECOVERY = "recovery"


class Decision(StrEnum):
    """What a gate decides."""

    PASS = "PASS"  # noqa: S105 - a decision, not a password
    FAIL = "FAIL"
    INCONCLUSIVE = "INCONCLUSIVE"
    NOT_APPLICABLE = "not_applicable"


class Severity(StrEnum):
    """Whether a gate can block a release."""

    BLOCKING = "blocking"
    ADVISORY = "advisory"


class Target(StrEnum):
    """What a gate speaks of: patients like these, or this very list of instances."""

    POPULATION = "population"
    BENCHMARK = "benchmark"


class Unit(StrEnum):
    """What counts alike in a rate, and what is drawn when evaluation may end early."""

    INSTANCE = "instance"
    PATIENT = "patient"
    """The mean over patients (clusters) of each one's share."""


class Method(StrEnum):
    """How a gate's limits were found; ``stats/`` has the sources."""

    COMPLETE_LIST = "complete_list"
    """The whole list was judged: its rate is known, and only compared."""
    CLOPPER_PEARSON = "clopper_pearson"
    KORN_GRAUBARD = "korn_graubard"
    """Clopper-Pearson with the effective number of instances, for clusters or strata."""
    TANGO = "tango"
    TANGO_CLUSTERED = "tango_clustered"
    """Tango's score with the effective number of pairs, for clusters or strata."""
    BY_LAYOUT = "by_layout"
    """Limits whose width no value changes, for clusters or strata where gold may lack."""
    BETTING = "betting"
    """A test that may look at any time; its limits hold at every n at once."""
    EVENTS = "events"
    """Events are counted; the limit is that of their rate."""
    LABELS = "labels"
    """Limits of the labels of a random subset alone."""
    PPI = "ppi"
    """Labels of a random subset together with the judge's verdicts on all (difference estimator, PPI++)."""


class Detail(StrEnum):
    """How much of the data a run's documents show."""

    FULL = "full"
    """Texts and images."""
    REDACTED = "redacted"
    """Verdicts of every instance, without any text or image."""
    SUMMARY = "summary"
    """The same, and a report that lists no instance."""


class GoldSource(StrEnum):
    """Whose word the gold trace of an instance is."""

    SUPPLIED = "supplied"
    """The data's own: whoever made them stands for it."""
    SIGNED = "signed"
    """Approved by a person who is known by name, for this very question and image."""
    UNSIGNED = "unsigned"
    """A model's draft that nobody signed."""
    ABSENT = "absent"
    """A stage at least has no gold text."""


#: Each stage's rate is read where everything upstream of the stage is gold.
STAGE_ARM: Final[dict[Stage, Arm]] = {
    Stage.VISUAL_RECOGNITION: Arm.BASELINE,
    Stage.KNOWLEDGE_RECALL: Arm.REPLACE_VR,
    Stage.REASONING_INTEGRATION: Arm.REPLACE_VR_KR,
}
STAGE_METRIC: Final[dict[Stage, Metric]] = {
    Stage.VISUAL_RECOGNITION: Metric.VISUAL_HALLUCINATION_RATE,
    Stage.KNOWLEDGE_RECALL: Metric.KNOWLEDGE_HALLUCINATION_RATE,
    Stage.REASONING_INTEGRATION: Metric.REASONING_HALLUCINATION_RATE,
}
METRIC_STAGE: Final[dict[Metric, Stage]] = {metric: stage for stage, metric in STAGE_METRIC.items()}
#: How a reader may picture a stage.
STAGE_NICKNAME: Final[dict[Stage, str]] = {
    Stage.VISUAL_RECOGNITION: "the camera",
    Stage.KNOWLEDGE_RECALL: "the textbook",
    Stage.REASONING_INTEGRATION: "the logic",
}
