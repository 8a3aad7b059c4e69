"""A plan for people, and for programs."""

import json
from collections.abc import Iterator
from typing import Any, Final

from clinhallu_gate.gate.wording import plural_of
from clinhallu_gate.planning.answer import MAXIMUM, Plan, Row
from clinhallu_gate.planning.question import Question
from clinhallu_gate.stats.planning import MOST, REPETITIONS, SEED, design_effect, never_event_n
from clinhallu_gate.vocabulary import METRIC_STAGE, Metric

#: Limits on fewer patients err too often; the gate warns of them as well.
FEW: Final = 50


def claim(question: Question) -> str:
    """Return what is to be shown: ``the visual hallucination rate is at most 30 %``."""
    name = question.metric.replace("_", " ")
    bound = _amount(question, question.threshold)
    if question.bound == "max_drop":
        most = "at most" if question.passes else "more than"
        if question.metric in METRIC_STAGE:
            return f"the {name} rises by {most} {bound} above the baseline's"
        return f"{name} falls by {most} {bound} below the baseline's"
    name = name if question.metric in (Metric.ANSWER_ACCURACY, Metric.RECOVERY) else f"the {name}"
    if question.bound == "max":
        return f"{name} is {'at most' if question.passes else 'above'} {bound}"
    return f"{name} is {'at least' if question.passes else 'below'} {bound}"


def condition(question: Question) -> str:
    """Return the expected truth: ``if it is truly 24 %``."""
    verb = "is truly"
    if question.bound == "max_drop":
        verb = f"truly {'rises' if question.metric in METRIC_STAGE else 'falls'} by"
    return f"if it {verb} {_amount(question, question.expect)}"


def decision(question: Question) -> str:
    """Return the decision that shows it, with its error: ``PASS at 0.05``."""
    if question.passes:
        return f"PASS at {question.alpha:g}"
    return f"FAIL at {question.error:g}" if question.gates == 1 else f"FAIL at {question.alpha:g} / {question.gates}"


def sentence(plan: Plan) -> str:
    """Return the plan in words."""
    question = plan.question
    begin = f"To show that {claim(question)} ({decision(question)}), {condition(question)}"
    if question.truth.expect == question.t and question.list_size is None:
        return f"{begin}: no number of instances will do. The expected truth is the threshold itself."
    fixed = plan.row(question.power, sequential=False)
    if fixed.needed is None:
        return f"{begin}: more than {MOST:,} instances would be needed. It is too near the threshold."
    return f"{begin}, with a chance of {_percent(question.power)}: {_needed(fixed, question)} at fixed n.{_early(plan)}"


def as_text(plan: Plan) -> str:
    """Return sentence, table and notes."""
    return "\n".join([sentence(plan), "", *_table(plan), "", *_notes(plan)])


def as_json(plan: Plan) -> str:
    """Return the plan for programs."""
    question = plan.question
    found: dict[str, Any] = {
        "metric": question.metric,
        "threshold": {question.bound: question.threshold},
        "expect": question.expect,
        "decision": "PASS" if question.passes else "FAIL",
        "error": question.error,
        "power": question.power,
        "discordance": question.discordance,
        "cluster_size": question.cluster_size,
        "icc": question.icc,
        "list": question.list_size,
        "sentence": sentence(plan),
        "fixed": [_record(row, "power") for row in plan.rows if not row.sequential],
        "sequential": [_record(row, "share") for row in plan.rows if row.sequential],
        "simulation": None,
    }
    if plan.times is not None:
        found["simulation"] = {
            "repetitions": REPETITIONS,
            "seed": SEED,
            "maximum": plan.times.maximum,
            "undecided": plan.times.undecided,
            "wrong": plan.times.wrong,
        }
    return json.dumps(found, indent=2)


def clusters(question: Question) -> str:
    """Return what a patient contributes: ``3 instances of each patient, correlation 0.1``."""
    return f"{question.cluster_size} instances of each patient, correlation {question.icc:g}"


def _record(row: Row, key: str) -> dict[str, Any]:
    needed = {"instances": None, "patients": None} if row.needed is None else row.needed._asdict()
    return {key: row.power, **needed}


def _early(plan: Plan) -> str:
    """Return what stopping early would save, if most runs end at all."""
    if plan.times is None:
        return ""
    half, most = (plan.row(share, sequential=True) for share in (0.5, 0.9))
    if half.needed is None:
        return f" One by one, most runs are still open after {plan.times.maximum:,}."
    if half.needed == most.needed:
        return f" One by one, runs need {half.needed.instances:,}."
    tail = f"and 9 of 10 no more than {most.needed.instances:,}" if most.needed else "and some do not end"
    return f" One by one, half of all runs need {half.needed.instances:,}, {tail}."


def _needed(row: Row, question: Question) -> str:
    if row.needed is None:
        return "more than a million instances"
    if row.whole_list:
        return f"the whole list of {row.needed.instances:,}"
    of_patients = f" of {plural_of(row.needed.patients, 'patient')}" if question.cluster_size > 1 else ""
    return f"{plural_of(row.needed.instances, 'instance')}{of_patients}"


def _table(plan: Plan) -> Iterator[str]:
    clustered = plan.question.cluster_size > 1
    yield f"{'':<38}{'instances':>12}{'patients':>12}" if clustered else f"{'':<38}{'instances':>12}"
    for row in plan.rows:
        asked = " (asked)" if row.power == plan.question.power else ""
        name = f"one by one, {_percent(row.power)} of the runs" if row.sequential else f"fixed n, power {row.power:g}"
        yield f"{name + asked:<38}{''.join(f'{cell:>12}' for cell in _cells(row, clustered=clustered))}"


def _cells(row: Row, *, clustered: bool) -> Iterator[str]:
    beyond = f"> {MAXIMUM if row.sequential else MOST:,}"
    yield beyond if row.needed is None else f"{row.needed.instances:,}"
    if clustered:
        yield "" if row.needed is None else f"{row.needed.patients:,}"


def _notes(plan: Plan) -> Iterator[str]:
    question = plan.question
    if question.list_size is None:
        yield "Of patients like these; --list N plans for one list, of which nothing is open once all of it is asked."
    else:
        yield f"Of one list of {question.list_size:,}: all of it leaves nothing to chance."
    if question.discordance is not None:
        yield f"{_percent(question.discordance)} of the pairs are taken to differ (--discordance)."
    if question.cluster_size > 1:
        effect = design_effect(question.cluster_size, question.icc)
        yield f"{clusters(question)}: design effect {effect:.3g}."
    if question.cluster_size > 1 and any(row.needed and row.needed.patients < FEW for row in plan.rows):
        yield f"On fewer than {FEW} patients the limits err too often: ask more than stands here."
    if question.discordance is None and question.truth.expect == 0.0:
        yield from _never(question)
    if plan.times is not None:
        yield (
            f"One by one: {REPETITIONS} simulated runs, seed {SEED}; {_percent(plan.times.undecided)} are open after"
            f" {plan.times.maximum:,}, {_percent(plan.times.wrong)} decide wrongly."
        )


def _never(question: Question) -> Iterator[str]:
    n = never_event_n(question.t, alpha=question.alpha)
    if n is not None:
        units = plural_of(n, "patient" if question.cluster_size > 1 else "instance")
        yield f"If it never happens, {units} without a single event show it."


def _amount(question: Question, value: float) -> str:
    """Return a rate in per cent, a difference in points."""
    return f"{value * 100:.4g} points" if question.discordance is not None else _percent(value)


def _percent(share: float) -> str:
    return f"{share * 100:.4g} %"
