"""Latency and tokens, by hand."""

from planted_run import Plan, a_context, not_started, planted_run

from clinhallu_gate.report import render_html
from clinhallu_gate.report.costs import cost_view
from clinhallu_gate.results import CallCost, Results, TraceOf
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import Arm


def results_of(*costs: CallCost) -> Results:
    """Return results of the model alone that cost so much."""
    results = Results([an_instance(id=str(number)) for number in range(len(costs))])
    for found, cost in zip(results.found.values(), costs, strict=True):
        found.costs[TraceOf(Arm.BASELINE)] = cost
    return results


def test_latency_and_tokens_by_arm() -> None:
    """Median and 95th percentile, tokens per trace and in all."""
    results = results_of(*(CallCost(second, 100, 20, None) for second in range(1, 21)))
    next(iter(results.found.values())).costs[TraceOf(Arm.REPLACE_VR)] = CallCost(40.0, 310, 50, 30)
    view = cost_view(results, a_context((), 20))
    assert view
    alone, repaired, every = view.rows
    assert (alone.traces, alone.median_latency, alone.p95_latency) == (20, "10.50 s", "19.00 s")
    assert (alone.prompt_tokens, alone.cached_tokens, alone.completion_tokens) == ("100", None, "20")
    assert (repaired.cached_tokens, repaired.total_tokens) == ("30", "360")
    assert (every.title, every.traces, every.total_tokens) == ("all", 21, "2,760")


def test_a_days_questions_are_those_of_the_model_alone() -> None:
    """A thousand of 9 seconds are two and a half hours."""
    view = cost_view(results_of(CallCost(6.0, 1200, 300, None), CallCost(12.0, 1000, 100, None)), a_context((), 2))
    assert view
    assert "reads 1,100 tokens and writes 200 in 9.00 s" in view.sentence
    assert "1,100,000 read and 200,000 written; one after the other they would take 2.5 hours" in view.sentence


def test_throughput_is_told_only_where_everything_was_asked_anew() -> None:
    """96 instances in 200 seconds; replies of the store took no time."""
    run = planted_run(Plan())
    anew, stored = run.context, run.context.model_copy(update={"calls_from_store": 1})
    told = cost_view(run.results, anew)
    assert told
    assert told.notes[1].startswith("This run made 384 calls in 3 minutes")
    assert told.notes[1].endswith("6,912 an hour at least.")
    for context in (stored, anew.model_copy(update={"started": "", "finished": ""})):
        view = cost_view(run.results, context)
        assert view
        assert len(view.notes) == 1


def test_the_time_may_be_written_as_the_manifest_does() -> None:
    """With a T and a Z."""
    run = planted_run(Plan(studies=1))
    times = {"started": "2026-01-31T12:00:00Z", "finished": "2026-01-31T14:00:00Z"}
    view = cost_view(run.results, run.context.model_copy(update=times))
    assert view
    assert "in 2.0 hours" in view.notes[1]


def test_without_a_trace_there_is_no_section() -> None:
    """A dead server cost nothing."""
    run = not_started()
    assert run.view.costs is None
    assert "Latency and tokens" not in render_html(run.view).decode()
