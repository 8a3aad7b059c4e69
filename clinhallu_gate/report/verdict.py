"""The run in a word and a sentence: released, blocked or undecided, and why."""

from collections.abc import Sequence

from clinhallu_gate.gate.release import EXIT_NOT_COMPLETED, EXIT_PASS
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.report.context import RunContext
from clinhallu_gate.report.decision import HELD_BACK, DecisionDocument
from clinhallu_gate.report.figures import demand, interval, measured, plural
from clinhallu_gate.report.model import Headline, Tone
from clinhallu_gate.report.names import subject
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import Decision, Severity

_NAMED = 3
"""Gates that the sentence names before it only counts them."""


def headline(document: DecisionDocument, context: RunContext) -> Headline:
    """Return what the run says."""
    model, status = one_line(context.model, limit=100), document.exit_status
    failed = blocking(document, Decision.FAIL)
    if status == EXIT_NOT_COMPLETED:
        return _say("NOT COMPLETED", "void", f"There is no result for {model}: {_obstacle(document, context)}.", status)
    if failed:
        also = f" And {_not_selected(context)}" if context.not_selected else ""
        return _say("BLOCKED", "bad", f"{model} must not be released: {_list(failed)}.{also}", status)
    if document.decision is Decision.PASS:
        return _say("RELEASED", "good", f"{model} may be released: {_passed(document)}", status)
    if document.decision is Decision.INCONCLUSIVE:
        open_ = _list(blocking(document, Decision.INCONCLUSIVE))
        sentence = f"{model} may not be released yet, since the data do not settle it: {open_}."
        return _say("UNDECIDED", "unsure", sentence, status)
    return _say("NO DECISION", "void", f"Nothing is decided about {model}: {_undecided(document, context)}", status)


def blocking(document: DecisionDocument, decision: Decision | None) -> list[GateResult]:
    """Return the blocking gates that decided so."""
    return [g for g in document.gates if g.severity is Severity.BLOCKING and g.decision is decision]


def unfinished(document: DecisionDocument) -> list[GateResult]:
    """Return the gates for whose sake a run is not completed."""
    return [gate for gate in document.gates if gate.decision is None and gate.reason != HELD_BACK]


def _say(word: str, tone: Tone, sentence: str, status: int) -> Headline:
    return Headline(word=word, tone=tone, sentence=sentence, exit_status=status)


def _obstacle(document: DecisionDocument, context: RunContext) -> str:
    if context.failure:
        return one_line(context.failure).rstrip(".")
    lacking = plural(len(unfinished(document)), "gate")
    return f"the evaluation was not completed, and {lacking} cannot be decided for want of verdicts"


def _list(gates: Sequence[GateResult]) -> str:
    named = "; ".join(_case(gate) for gate in gates[:_NAMED])
    return named if len(gates) <= _NAMED else f"{named}; and {plural(len(gates) - _NAMED, 'gate')} more"


def _case(gate: GateResult) -> str:
    return f"{subject(gate)} {_what_is_known(gate)}, {demand(gate)}"


def _what_is_known(gate: GateResult) -> str:
    """Return the estimate, with the limits if they leave the gate open; after an early stop the limits alone."""
    estimate, limits = measured(gate), interval(gate)
    if limits is None:
        too_many = "max_events" in gate.threshold and gate.decision is Decision.FAIL
        return estimate or ("too high" if too_many else "unknown")
    if estimate is None:
        return f"between {limits.replace(' to ', ' and ')}"
    return f"{estimate} ({limits} possible)" if gate.decision is Decision.INCONCLUSIVE else estimate


def _passed(document: DecisionDocument) -> str:
    passed = len(blocking(document, Decision.PASS))
    every = "the one blocking gate passed" if passed == 1 else f"all {passed} blocking gates passed"
    advice = [gate for gate in document.gates if gate.severity is Severity.ADVISORY and gate.decision is Decision.FAIL]
    return f"{every}, but an advisory one failed: {_list(advice)}." if advice else f"{every}."


def _undecided(document: DecisionDocument, context: RunContext) -> str:
    if document.exit_status == EXIT_PASS:
        return "this was an exploratory run, in which no gate decides."
    if context.not_selected:
        return _not_selected(context)
    if context.partial:
        return "--limit evaluates a part of the instances, which can block a release and never grant one."
    idle = blocking(document, Decision.NOT_APPLICABLE)
    if idle:
        return f"{subject(idle[0])} is not applicable ({one_line(idle[0].reason)})."
    return "no blocking gate was decided."


def _not_selected(context: RunContext) -> str:
    names = ", ".join(one_line(name, limit=80) for name in context.not_selected[:_NAMED])
    more = len(context.not_selected) - _NAMED
    return f"not selected: {names}{f' and {more} more' if more > 0 else ''}."
