"""The report's view-model: everything that a reader sees, formatted, before any page is drawn."""

from collections.abc import Iterator
from typing import Final

from clinhallu_gate.report.advice import next_steps
from clinhallu_gate.report.breakdown import arm_views, strata_view
from clinhallu_gate.report.cases import LISTED, cases
from clinhallu_gate.report.completeness import completeness, cost_view
from clinhallu_gate.report.context import RunContext
from clinhallu_gate.report.decision import DecisionDocument
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.gates import budget_view, errors_told, gate_view, judge_defined
from clinhallu_gate.report.model import Cases, Fact, ReportView
from clinhallu_gate.report.tables import tables
from clinhallu_gate.report.verdict import headline
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import Detail

__all__ = ["ReportView", "report_view"]

NO_CASES: Final = Cases(total=0, not_listed=0, counts={}, listed=())


def report_view(
    decision: DecisionDocument, results: Results, context: RunContext, *, limit: int = LISTED
) -> ReportView:
    """Return all that a page, a terminal or a summary shows of a run; at most ``limit`` instances are listed.

    A run that was not completed shows what is missing and why, and no rate; a summary names no instance.
    """
    done, listing = decision.completed, context.detail is not Detail.SUMMARY
    return ReportView(
        headline=headline(decision, context),
        model=one_line(context.model),
        judge=one_line(context.judge),
        protocol=one_line(context.protocol),
        data=", ".join(f"{one_line(d.name)} ({plural(d.instances, 'instance')})" for d in context.data),
        finished=one_line(context.finished),
        notes=tuple(one_line(note, limit=800) for note in context.notes),
        patient_data=context.detail is Detail.FULL and any(instance.phi for instance in results.instances),
        budget=budget_view(decision) if done else None,
        gates=tuple(gate_view(gate, context) for gate in decision.gates),
        errors=errors_told(decision, context) if done else None,
        judge_defined=judge_defined(decision, context) if done else None,
        arms=arm_views(results, decision) if done else (),
        strata=strata_view(results) if done else None,
        tables=tables(decision, results, named=listing),
        completeness=completeness(results, named=listing),
        costs=cost_view(results),
        cases=cases(results, limit=limit) if done and listing else NO_CASES,
        next_steps=next_steps(decision, context),
        command=one_line(context.command, limit=2000),
        run_dir=one_line(context.run_dir, limit=2000),
        facts=tuple(Fact(name=fact.name, value=one_line(fact.value)) for fact in _facts(decision, context)),
    )


def _facts(decision: DecisionDocument, context: RunContext) -> Iterator[Fact]:
    yield Fact(name="model", value=f"{context.model}, weights {decision.model_sha256 or 'without a digest'}")
    digest = f", {decision.judge_sha256}" if decision.judge_sha256 else ""
    yield Fact(name="judge", value=f"{context.judge}{digest}")
    yield Fact(name="protocol", value=f"{context.protocol}, {decision.protocol.sha256}")
    yield Fact(name="thresholds", value=f"{decision.thresholds.file}, {decision.thresholds.sha256}")
    for data in context.data:
        yield Fact(name="data", value=f"{data.name}, {plural(data.instances, 'instance')}, {data.sha256}")
    if decision.baseline is not None:
        yield Fact(name="baseline", value=decision.baseline)
    yield Fact(name="versions", value=", ".join(f"{name} {version}" for name, version in context.versions.items()))
    yield Fact(name="machine", value=context.machine)
    yield Fact(name="time", value=f"{context.started} to {context.finished}")
    yield Fact(name="model calls", value=f"{context.calls_made:,} made, {context.calls_from_store:,} from the store")
