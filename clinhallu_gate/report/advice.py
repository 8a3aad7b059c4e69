"""What to run next, by what the run found."""

import shlex
from collections.abc import Iterator, Sequence
from typing import Final

from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.gate.wording import rounded_up
from clinhallu_gate.report.context import RunContext
from clinhallu_gate.report.decision import DecisionDocument
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.model import Step
from clinhallu_gate.report.names import METRIC_SUITE, subject
from clinhallu_gate.report.verdict import blocking, unfinished
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.vocabulary import Decision, Method, Unit

_COMMAND: Final = 4000
"""Characters of a command that are shown: all of any that a person types, so that it can be copied."""

_NEAR: Final = 0.002
"""Share by which a million instances tell a rate from its threshold, at best four times in five."""

_SETTLED: Final = (
    "Decide on new ones alone, or settle their number now: to look, add and look again until it passes is no test."
)


def next_steps(document: DecisionDocument, context: RunContext) -> tuple[Step, ...]:
    """Return the steps, the first one first."""
    if not document.completed and context.recorded and not context.found:
        return (
            Step(text="Name a judge (--judge): it is asked for what the result tree leaves open, and nothing else."),
        )
    if not document.completed:
        return (_again(context),) if context.found else (*_lacking_pairs(document), _again(context))
    return (
        *_failed(document, context),
        *_undecided(document),
        *_not_selected(context),
        *_passed(document, context),
    )


def _again(context: RunContext) -> Step:
    command = one_line(context.resumed or context.command, limit=_COMMAND)
    if context.found:
        return Step(
            text="The same run would find the same. See what is named (hits.csv in the private folder has the words), "
            "and rename or mend what brings it in: a group, a file, a test that shows texts. A number that is found by "
            "chance can be accepted (--accepted-values). Then go on from finished calls:",
            command=command,
        )
    how = "Run it again in its own folder" if context.resumed else "Run the same command again"
    return Step(text=f"{how}: every finished call is kept, and only what is missing is asked.", command=command)


def _lacking_pairs(document: DecisionDocument) -> Iterator[Step]:
    """Say what helps if only gates against the baseline run lack verdicts."""
    lacking = unfinished(document)
    if lacking and all("max_drop" in gate.threshold for gate in lacking):
        yield Step(
            text="If the baseline was stopped early, run the baseline with --no-early-stop first: what it did not ask "
            "counts as unjudged."
        )


def _failed(document: DecisionDocument, context: RunContext) -> Iterator[Step]:
    suites = {METRIC_SUITE[gate.metric]: gate for gate in reversed(blocking(document, Decision.FAIL))}
    for suite, gate in reversed(suites.items()):
        text = f"List the instances behind the {subject(gate)}:"
        yield Step(text=text, command=one_line(_with_suite(context.command, suite), limit=_COMMAND))


def _with_suite(command: str, suite: str) -> str:
    """Return ``command`` with one suite in the place of all, and with what lists expected failures."""
    try:
        words = shlex.split(command)
    except ValueError:
        words = []
    every = next((word for word in words if word.rstrip("/") == "suites"), None)
    if every is None:
        return f"{command} -rx"
    return shlex.join([suite if word is every else word for word in words] + ["-rx"])


def _undecided(document: DecisionDocument) -> Iterator[Step]:
    """Say what would decide, unless something failed already."""
    open_ = blocking(document, Decision.INCONCLUSIVE)
    if not open_ or blocking(document, Decision.FAIL):
        return
    bare = [gate for gate in open_ if _needs_gold(gate)]
    if bare:
        yield Step(text=_gold_text(bare))
    others = [gate for gate in open_ if gate not in bare]
    if others:
        yield Step(text=_what_decides(others))


def _needs_gold(gate: GateResult) -> bool:
    """Whether an open gate stays open, however many instances or labels there are, while so much gold is lacking."""
    if not gate.without_gold:
        return False
    if _rests_on_labels(gate):
        return _all_labelled(gate) or _gold_spans(gate)
    return gate.further is None and not _is_near(gate)


def _rests_on_labels(gate: GateResult) -> bool:
    """Whether it is the labels that are too few: the difference of a paired gate stays the judge's."""
    return gate.adjusted is not None and gate.adjusted.margins is None


def _all_labelled(gate: GateResult) -> bool:
    return gate.adjusted is not None and gate.adjusted.labels >= gate.n


def _gold_spans(gate: GateResult) -> bool:
    """Whether the threshold lies between the rates with what lacks gold as good and as bad, as far as is known."""
    if gate.estimate is None:
        return gate.without_gold == gate.n
    ((_, wanted),) = gate.threshold.items()
    lacking = gate.without_gold / gate.n
    least = gate.estimate * (1.0 - lacking)
    return least <= wanted <= least + lacking


def _is_near(gate: GateResult) -> bool:
    """Whether a rate is so near its threshold that not even whole gold would likely tell; events have no near."""
    ((bound, wanted),) = gate.threshold.items()
    return bound != "max_events" and gate.estimate is not None and abs(gate.estimate - wanted) <= _NEAR


def _gold_text(gates: Sequence[GateResult]) -> str:
    most = max(gates, key=lambda gate: gate.without_gold)
    gold = f"the gold of {plural(most.without_gold, 'instance')}"
    others = f" and {plural(len(gates) - 1, 'other gate')}" if len(gates) > 1 else ""
    which = f"{subject(most)}{others}"
    if _rests_on_labels(most) and not _gold_spans(most):
        text = (
            f"All that can be labelled was drawn for labels already: get {gold} and label them, or evaluate more "
            f"instances, to decide the {which}."
        )
    else:
        more = "labels" if _rests_on_labels(most) else "instances"
        text = f"Get {gold}: while it is lacking, no number of further {more} would likely decide the {which}."
    if any(gate.unjudged for gate in gates):
        text += " Missing verdicts count as well: the same command asks for them again."
    return text


def _what_decides(gates: Sequence[GateResult]) -> str:
    """Say what would decide gates that gold alone does not keep open."""
    beyond = [gate for gate in gates if _is_beyond(gate)]
    if beyond:
        return f"More instances would rather show a failure: the {subject(beyond[0])} is beyond its threshold already."
    few = [gate for gate in gates if _rests_on_labels(gate)]
    if few:
        return _labels_text(few)
    missing = [gate for gate in gates if gate.unjudged and _is_whole(gate)]
    if missing:
        return f"Only missing verdicts leave the {subject(missing[0])} open: the same command asks for them again."
    if any(gate.further is None for gate in gates):
        return _near_text(gates)
    if any(gate.unit is Unit.PATIENT for gate in gates):
        return (
            "Evaluate more patients (--data, or no --limit): each gate says how many likely decide it, if rates "
            f"stay. {_SETTLED}"
        )
    most = rounded_up(max(gate.further or 0 for gate in gates))
    return f"Evaluate more instances (--data, or no --limit): {most:,} more likely decide it, if rates stay. {_SETTLED}"


def _labels_text(gates: Sequence[GateResult]) -> str:
    if all(_all_labelled(gate) for gate in gates):
        return "All texts that there are were drawn for labels: fill in those that were left blank, or add instances."
    return "Label more of the run's texts: sample-for-review with a larger --n extends the sheet."


def _is_whole(gate: GateResult) -> bool:
    """Whether all that there is was asked, and no further instance counts: events are counted, a list is compared."""
    return gate.method in (Method.EVENTS, Method.COMPLETE_LIST) and gate.of is None


def _near_text(gates: Sequence[GateResult]) -> str:
    text = "More instances are needed, but an estimate lies so near its threshold that thousands may not decide."
    if any(gate.further is None and gate.unjudged for gate in gates):
        text += " Missing verdicts could tip it: the same command asks for them again."
    if any(gate.further is None and gate.without_gold for gate in gates):
        text += " The gold that lacks could tip it."
    return text


def _is_beyond(gate: GateResult) -> bool:
    if gate.estimate is None:
        return False
    ((bound, wanted),) = gate.threshold.items()
    return gate.estimate < wanted if bound == "min" else gate.estimate > wanted


def _not_selected(context: RunContext) -> Iterator[Step]:
    if context.not_selected:
        count = plural(len(context.not_selected), "blocking gate")
        text = f"Select everything for a release decision: {count} left out. Run all of suites/, without -k, -m, --lf."
        yield Step(text=text)


def _passed(document: DecisionDocument, context: RunContext) -> Iterator[Step]:
    if document.decision is Decision.PASS and any(gate.of is not None for gate in document.gates):
        text = "Before the next release is held against this one, run it to the end:"
        yield Step(text=text, command=one_line(f"{context.command} --no-early-stop", limit=_COMMAND))
    elif document.decision is Decision.PASS:
        folder = one_line(shlex.quote(context.run_dir))
        yield Step(
            text="Hold the next release against this one:", command=f"pytest suites/ --model NEXT --baseline {folder}"
        )
