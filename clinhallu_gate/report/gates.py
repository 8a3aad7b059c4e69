"""Gates for people: the table's rows, and the failure budget."""

from collections.abc import Sequence
from typing import Final

from clinhallu_gate.gate.release import stage_gates
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.report.context import RunContext
from clinhallu_gate.report.decision import HELD_BACK, DecisionDocument
from clinhallu_gate.report.figures import (
    confidence,
    interval,
    is_difference,
    measured,
    percent,
    plural,
    share,
    threshold,
)
from clinhallu_gate.report.model import BudgetView, Family, GateView, Plotted, StageShare, Tone
from clinhallu_gate.report.names import METHOD_TITLE, STAGE_TITLE, nickname, subject
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import METRIC_STAGE, Decision, Severity, Stage, Target, Unit

_NAMED: Final = 3
"""Gates without labels that are named before the others are counted."""
_TONE: dict[Decision | None, Tone] = {
    Decision.PASS: "good",
    Decision.FAIL: "bad",
    Decision.INCONCLUSIVE: "unsure",
    Decision.NOT_APPLICABLE: "void",
    None: "void",
}


def gate_view(gate: GateResult, context: RunContext) -> GateView:
    """Return one gate as people read it."""
    return GateView(
        id=one_line(gate.id),
        title=_capital(subject(gate)),
        family=family(gate),
        scope="mean over strata" if gate.scope == "mean" else one_line(gate.scope),
        blocking=gate.severity is Severity.BLOCKING,
        word=decision_word(gate),
        tone=_TONE[gate.decision],
        estimate=measured(gate),
        interval=interval(gate),
        confidence=confidence(gate),
        threshold=threshold(gate),
        n=gate.n,
        failed=gate.failed,
        unjudged=gate.unjudged,
        without_gold=gate.without_gold,
        reason=_capital(one_line(gate.reason)),
        rationale=one_line(context.rationale.get(gate.id, "")),
        plotted=_plotted(gate),
        speaks_of=_speaks_of(gate),
        method=METHOD_TITLE[gate.method] if gate.method else None,
        seen=None if gate.of is None else f"{gate.n:,} of {plural(gate.of, 'instance')}",
        sequence=gate.confidence_sequence,
        drawn="patients" if gate.unit is Unit.PATIENT else "instances",
    )


def _speaks_of(gate: GateResult) -> str:
    whom = "patients like these" if gate.target is Target.POPULATION else "this very list"
    return f"{whom}, the mean over patients" if gate.unit is Unit.PATIENT else whom


def errors_told(document: DecisionDocument, context: RunContext) -> str | None:
    """Return what a board has to know of the errors of a release and of a named gate."""
    blocking = [gate for gate in document.gates if gate.severity is Severity.BLOCKING]
    if not any(any(gate.interval_levels or ()) for gate in blocking):
        return None
    alpha, gates = f"{100 * context.alpha:.4g} %", plural(context.blocking_gates, "blocking gate")
    return (
        f"A release needs the PASS of every blocking gate, each with an error of at most {alpha}. No correction is "
        f"owed for their number: a model beyond any one budget is released in at most {alpha} of cases "
        f"(intersection-union test). To say which gate FAILED is another claim, so it is made at {alpha} divided by "
        f"the {gates}."
    )


def judge_defined(document: DecisionDocument, context: RunContext) -> str | None:
    """Return that rates rest on a judge's word alone, if they do; which ones, where labels stand behind others."""
    alone = [gate for gate in document.gates if gate.judge_defined]
    if not alone:
        return None
    if any(gate.adjusted is not None for gate in document.gates):
        named = ", ".join(one_line(gate.id) for gate in alone[:_NAMED])
        more = f" and {len(alone) - _NAMED} more" if len(alone) > _NAMED else ""
        return (
            f"Judge-defined, as what {one_line(context.judge)} says with no labels by people behind it: {named}{more}."
        )
    return (
        f"Rates are judge-defined: they are what {one_line(context.judge)} says, and no labels by people stand behind "
        "them. clinhallu-gate sample-for-review draws what to label, and --labels adjusts the rates by it."
    )


def decision_word(gate: GateResult) -> str:
    """Return the decision, or why there is none."""
    if gate.decision is Decision.NOT_APPLICABLE:
        return "not applicable"
    if gate.decision is None:
        return "held back" if gate.reason == HELD_BACK else "not completed"
    return gate.decision.value


def family(gate: GateResult) -> Family:
    """Return the axis on which a gate is drawn."""
    if "max_drop" in gate.threshold:
        return "regression"
    if is_difference(gate):
        return "difference"
    return "hallucination" if gate.metric in METRIC_STAGE else "accuracy"


def budget_view(document: DecisionDocument) -> BudgetView | None:
    """Return where the failures come from; None if no stage's rate is known, or one was not asked to the end."""
    mean = stage_gates(document.gates)
    if not any(gate.estimate is not None for gate in mean.values()) or any(gate.of for gate in mean.values()):
        return None
    shares = document.failure_budget or {}
    return BudgetView(
        sentence=_budget_sentence(document),
        stages=tuple(_stage_share(stage, mean.get(stage), shares.get(stage)) for stage in Stage),
    )


def _budget_sentence(document: DecisionDocument) -> str:
    shares = document.failure_budget
    if not shares:
        known = [gate for gate in stage_gates(document.gates).values() if gate.estimate is not None]
        return _none_seen(known) if len(known) == len(Stage) else "Shares need the rates of all three stages."
    worst = max(shares, key=lambda stage: shares[stage])
    return f"The {nickname(worst)} ({STAGE_TITLE[worst].lower()}) eats {share(shares[worst])} of the failure budget."


def _none_seen(gates: Sequence[GateResult]) -> str:
    """Say that no stage hallucinated, or that none is known to have where some could not be judged."""
    least = max(gates, key=lambda gate: gate.without_gold + gate.unjudged)
    unknown = least.without_gold + least.unjudged
    if not unknown:
        return "No stage hallucinated."
    lack = " or ".join(what for what, n in (("gold", least.without_gold), ("verdict", least.unjudged)) if n)
    return f"No stage is known to have hallucinated: of {least.n:,} instances {unknown:,} have no {lack}."


def _stage_share(stage: Stage, gate: GateResult | None, part: float | None) -> StageShare:
    against = f"part={tuple(Stage).index(stage)}&verdict=against" if gate is not None and gate.estimate else ""
    return StageShare(
        stage=stage.value,
        nickname=nickname(stage),
        title=STAGE_TITLE[stage],
        rate=None if gate is None or gate.estimate is None else percent(gate.estimate),
        threshold=None if gate is None else threshold(gate),
        word="not selected" if gate is None else decision_word(gate),
        tone="void" if gate is None else _TONE[gate.decision],
        share=part,
        share_text=None if part is None else share(part),
        interval=None if gate is None else interval(gate),
        plotted=None if gate is None else _plotted(gate),
        found_by=against,
    )


def _plotted(gate: GateResult) -> Plotted | None:
    ((bound, value),) = gate.threshold.items()
    if gate.interval is None or bound == "max_events":  # a number of events has no place on an axis of rates
        return None
    return Plotted(
        estimate=gate.estimate,
        low=gate.interval[0],
        high=gate.interval[1],
        threshold=value,
        allowed="above" if bound == "min" else "below",
    )


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
