"""The report's view-model: everything that a reader sees, formatted, before any page is drawn."""

from collections.abc import Iterator

from clinhallu_gate.gate.estimate import Figures
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.report.advice import next_steps
from clinhallu_gate.report.breakdown import breakdown_view
from clinhallu_gate.report.capability import capability_table
from clinhallu_gate.report.cases import Draws, cases
from clinhallu_gate.report.completeness import completeness
from clinhallu_gate.report.context import RunContext
from clinhallu_gate.report.costs import cost_view
from clinhallu_gate.report.decision import DecisionDocument
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.gates import budget_view, errors_told, gate_view, judge_defined
from clinhallu_gate.report.model import Fact, ReportView
from clinhallu_gate.report.recovery import recovery_view
from clinhallu_gate.report.tables import tables
from clinhallu_gate.report.verdict import headline
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import Detail, Unit

__all__ = ["ReportView", "report_view"]


def report_view(
    decision: DecisionDocument, results: Results, context: RunContext, pictures: Draws | None = None
) -> ReportView:
    """Return all that a page, a terminal or a summary shows of a run.

    A run that was not completed shows what is missing and why, and no rate; a summary names no instance.
    """
    done, listing = decision.completed, context.detail is not Detail.SUMMARY
    figures = _figures(decision, results, context)
    return ReportView(
        headline=headline(decision, context),
        model=one_line(context.model),
        judge=one_line(context.judge),
        protocol=one_line(context.protocol),
        data=", ".join(f"{one_line(d.name)} ({plural(d.instances, 'instance')})" for d in context.data),
        against=_against(decision),
        finished=one_line(context.finished),
        alarms=tuple(one_line(alarm) for alarm in context.alarms),
        notes=tuple(one_line(note, limit=800) for note in context.notes),
        patient_data=context.detail is Detail.FULL and any(instance.phi for instance in results.instances),
        budget=budget_view(decision) if done else None,
        gates=tuple(gate_view(gate, context) for gate in decision.gates),
        capability=None if context.capability is None else capability_table(context.capability),
        errors=errors_told(decision, context) if done else None,
        judge_defined=judge_defined(decision, context) if done else None,
        recovery=recovery_view(figures, decision) if done else None,
        breakdown=breakdown_view(figures, results) if done else None,
        tables=tables(
            decision, results, named=listing, public=context.public, max_without_gold=context.max_without_gold
        ),
        completeness=completeness(results, named=listing),
        costs=cost_view(results, context),
        cases=cases(results, pictures) if done and listing else None,
        withheld="" if context.detail is Detail.FULL else f"withheld: --report-detail {context.detail}",
        next_steps=next_steps(decision, context),
        command=one_line(context.command, limit=2000),
        run_dir=one_line(context.run_dir, limit=2000),
        facts=tuple(Fact(name=fact.name, value=one_line(fact.value, limit=800)) for fact in _facts(decision, context)),
    )


def _figures(decision: DecisionDocument, results: Results, context: RunContext) -> Figures:
    """Return what gives figures beside the gates', of the same unit as theirs."""
    return Figures(
        Frame.of(results.instances),
        results.bare_verdict,
        unit=Unit.PATIENT if any(gate.unit is Unit.PATIENT for gate in decision.gates) else Unit.INSTANCE,
        repeats=decision.repeats,
        max_without_gold=context.max_without_gold,
    )


def _against(decision: DecisionDocument) -> str:
    if decision.baseline is None:
        return "no release to compare with"
    return f"against the release in use, {one_line(decision.baseline)}"


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
    for name, value in context.searches.items():
        yield Fact(name=name, value=value)
    yield Fact(name="versions", value=", ".join(f"{name} {version}" for name, version in context.versions.items()))
    yield Fact(name="machine", value=context.machine)
    yield Fact(name="time", value=f"{context.started} to {context.finished}")
    yield Fact(name="model calls", value=f"{context.calls_made:,} made, {context.calls_from_store:,} from the store")
