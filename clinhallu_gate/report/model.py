"""The records of the report's view-model: everything is text for people, but for the numbers of plots."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

from clinhallu_gate.gate.result import SequencePoint
from clinhallu_gate.records import Record

Tone: TypeAlias = Literal["good", "bad", "unsure", "void"]
"""How a statement is meant; pages and terminals choose colour and shape by it, beside the word itself."""
Family: TypeAlias = Literal["hallucination", "accuracy", "regression", "difference"]
"""Gates of one family are drawn on one axis."""


class Headline(Record):
    """What the run says, in a word and in a sentence."""

    word: str
    tone: Tone
    sentence: str
    exit_status: int


class Span(Record):
    """A figure with its limits, for a plot."""

    estimate: float | None
    """None if only the limits are to be shown."""
    low: float
    high: float

    @property
    def within(self) -> float | None:
        """The estimate where it lies between the limits: they count what could not be judged, it does not."""
        return None if self.estimate is None or not self.low <= self.estimate <= self.high else self.estimate


class Plotted(Span):
    """A gate's numbers, on its own scale."""

    threshold: float
    allowed: Literal["below", "above"]
    """On which side of the threshold the gate passes."""


class GateView(Record):
    """One gate."""

    id: str
    title: str
    family: Family
    scope: str
    blocking: bool
    word: str
    """PASS, FAIL, INCONCLUSIVE, not applicable, not completed or held back."""
    tone: Tone
    estimate: str | None
    interval: str | None
    confidence: str | None
    threshold: str
    n: int
    failed: int
    unjudged: int
    without_gold: int
    reason: str
    rationale: str
    plotted: Plotted | None
    speaks_of: str
    """Of whom the gate speaks: patients like these, or this very list."""
    method: str | None
    """How its limits were found, in words."""
    seen: str | None
    """How far it was asked, where it was decided before the end: ``128 of 240 instances``."""
    sequence: tuple[SequencePoint, ...]
    """Its confidence sequence, on its own scale."""
    drawn: Literal["instances", "patients"]
    """What the confidence sequence counts."""


class StageShare(Record):
    """One stage in the failure budget."""

    stage: str
    nickname: str
    title: str
    rate: str | None
    threshold: str | None
    word: str
    tone: Tone
    share: float | None
    share_text: str | None
    interval: str | None
    plotted: Plotted | None
    found_by: str
    """The explorer's filter that shows the instances in which it hallucinated; empty if there is none."""


class BudgetView(Record):
    """Where the failures come from."""

    sentence: str
    stages: tuple[StageShare, ...]


class ArmView(Record):
    """Answers in one arm, and what the repair is worth."""

    arm: str
    title: str
    accuracy: str
    accuracy_interval: str
    accuracy_span: Span
    n: int
    recovery: str
    recovery_interval: str | None
    """None for the model alone."""
    recovery_span: Span | None
    repaired: int | None
    """Wrong alone, right in this arm; None for the model alone."""
    broken: int | None
    """Right alone, wrong in this arm."""
    gate: str
    """The decision of the recovery gate over the mean, if there is one."""


class RecoveryView(Record):
    """What each repair is worth."""

    sentence: str
    """For people; empty if no arm can be held against the model alone."""
    line: str
    """The same in a line, for a terminal."""
    note: str
    """How the intervals were found."""
    arms: tuple[ArmView, ...]


class RateCell(Record):
    """A rate of a group of instances: as a rate, or as what little is known."""

    column: str
    text: str
    """``63.5 %``; ``uncertain: 4 instances``; or why there is none."""
    interval: str | None
    few: bool
    """Whether too little is known for a rate."""
    span: Span | None


class GroupRow(Record):
    """The figures of one group."""

    name: str
    instances: int
    found_by: str
    """The explorer's filter (a query string) that shows them; empty for all."""
    cells: tuple[RateCell, ...]
    """One for each of the columns."""


class Grouping(Record):
    """The instances, by one of their properties."""

    id: str
    title: str
    rows: tuple[GroupRow, ...]
    left_out: str | None
    """How many groups are not shown."""
    long: bool
    """Whether it is folded at first."""


class BreakdownView(Record):
    """Rates by group."""

    columns: tuple[str, ...]
    note: str
    """How the intervals were found, and when a group is too small for a rate."""
    whole: GroupRow
    """All instances."""
    groupings: tuple[Grouping, ...]


class ReadingView(Record):
    """How completely one reading could be judged."""

    title: str
    judged: int
    failed: int
    unjudged: int
    not_asked: int


class LackView(Record):
    """A reason for which verdicts are missing."""

    kind: str
    reason: str
    why: str
    """The reason in words."""
    count: int
    example: str


class Completeness(Record):
    """What was had and what was not."""

    sentence: str
    not_asked: tuple[str, ...]
    """How many verdicts were not sought, and why."""
    readings: tuple[ReadingView, ...]
    lacks: tuple[LackView, ...]


class ArmCost(Record):
    """What the traces of one arm took, and of all."""

    title: str
    traces: int
    median_latency: str
    p95_latency: str
    prompt_tokens: str
    """Per trace, on average; so are the next two."""
    cached_tokens: str | None
    """None where the server does not say."""
    completion_tokens: str
    total_tokens: str
    """Read and written, of all traces."""


class CostView(Record):
    """What the traces cost."""

    sentence: str | None
    """What a trace of the model alone takes; None of a run that was not completed, or without such traces."""
    rows: tuple[ArmCost, ...]
    """One for each arm, then all of them."""
    notes: tuple[str, ...]


class Picture(Record):
    """An image of the report, or why there is none."""

    name: str | None
    """Of its file, which holds PNG or JPEG."""
    width: int = 0
    height: int = 0
    trouble: str = ""


class Before(Record):
    """What the release in use came to in a part."""

    text: str | None
    word: str
    tone: Tone


class PartView(Record):
    """One stage, or the answer, of an instance: gold beside candidate."""

    part: str
    title: str
    judged_in: str
    gold: str | None
    candidate: str | None
    word: str
    tone: Tone
    reason: str
    before: Before | None
    """None without a baseline run."""


class TextOf(Record):
    """A part of a trace."""

    title: str
    text: str


class OptionView(Record):
    """A choice of a question."""

    text: str
    gold: bool


class ArmTrace(Record):
    """One arm of an instance: what came of the answer, and the model's own words."""

    title: str
    word: str
    tone: Tone
    reason: str
    texts: tuple[TextOf, ...]


class CaseView(Record):
    """An instance with all that was found of it: what a reader opens."""

    uid: str
    stratum: str
    question: str
    question_type: str
    options: tuple[OptionView, ...]
    tags: tuple[str, ...]
    pictures: tuple[Picture, ...]
    parts: tuple[PartView, ...]
    arms: tuple[ArmTrace, ...]


@dataclass(frozen=True, slots=True)
class CaseRow:
    """An instance in the list: what it is found by. There may be a hundred thousand: so it is no pydantic model."""

    uid: str
    dataset: str
    stratum: str
    question_type: str
    tags: tuple[str, ...]
    question: str
    """Its beginning, if it is very long."""
    answer: str
    verdicts: str
    """A letter for each of ``LISTED_READINGS``."""
    before: str
    """The same of the release in use; empty without a baseline run."""
    picture: str | None
    """Name of its first picture."""


class Cases(Record):
    """The instances of which anything was asked."""

    of: int
    """How many there are in all."""
    rows: tuple[CaseRow, ...]


class TableRow(Record):
    """One row of a table."""

    cells: tuple[str, ...]
    """The first is the row's name."""
    tone: Tone = "void"
    """How the row is meant; ``void`` says nothing."""
    within: bool = False
    """Whether it tells a part of the row above it."""
    found_by: str = ""
    """The explorer's filter (a query string) that shows the instances that the row counts."""


class Dots(Record):
    """One figure of the run among others that were published."""

    title: str
    text: str
    """The figure with its limits, and its rank."""
    ends: str
    """Best and worst of the others, and whose."""
    better: Literal["left", "right"]
    span: Span
    others: tuple[float, ...]
    own: float | None
    """What is published for the same model."""


class DotGroup(Record):
    """Figures that are drawn on one axis."""

    title: str
    rows: tuple[Dots, ...]


class TableView(Record):
    """A section that is a table: what a run found beside its gates."""

    id: str
    title: str
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[TableRow, ...]
    notes: tuple[str, ...] = ()
    """What a reader has to know beside the figures."""
    prose: tuple[str, ...] = ()
    """Columns that hold text to be read, and no figures."""
    label: str
    """A word for the terminal."""
    lines: tuple[str, ...]
    """The same for a terminal, in a line or a few."""
    dots: tuple[DotGroup, ...] = ()
    """Its figures drawn, the most telling group first."""


class Step(Record):
    """What to do next."""

    text: str
    command: str | None = None


class Fact(Record):
    """One line of how the run was made."""

    name: str
    value: str


class ReportView(Record):
    """All that a page, a terminal or a summary shows."""

    headline: Headline
    model: str
    judge: str
    protocol: str
    data: str
    against: str
    """The release that it was held against, or that there was none."""
    finished: str
    alarms: tuple[str, ...] = ()
    """What has to be read before any figure is: ``UNSIGNED GOLD: 12 of 84 instances ...``."""
    notes: tuple[str, ...]
    patient_data: bool
    budget: BudgetView | None
    gates: tuple[GateView, ...]
    capability: TableView | None
    """What the patients can show, gate by gate; None of data without any."""
    errors: str | None
    """How sure the gates are, together and each by itself."""
    judge_defined: str | None
    """That rates are what a judge says, where no labels by people stand behind them."""
    recovery: RecoveryView | None
    breakdown: BreakdownView | None
    tables: tuple[TableView, ...]
    """Examination of the judge, agreement with people, published figures, scorings."""
    completeness: Completeness
    costs: CostView | None
    cases: Cases | None
    """None for a run that was not completed, and where no instance is to be listed."""
    withheld: str
    """What stands where texts and pictures are withheld; empty where they are shown."""
    next_steps: tuple[Step, ...]
    command: str
    run_dir: str
    facts: tuple[Fact, ...]
