"""How completely a run could be judged, why the rest was not, and what its traces cost."""

import math
from statistics import mean as average
from statistics import median

from clinhallu_gate.records import Reading
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.model import Completeness, CostView, LackView, ReadingView
from clinhallu_gate.report.names import ARM_TITLE, part_title
from clinhallu_gate.report.tally import lacks, sought, tally
from clinhallu_gate.report.visible import one_line
from clinhallu_gate.results import Results


def completeness(results: Results, *, named: bool = True) -> Completeness:
    """Return what was had, reading by reading, and why the rest was not; with examples if instances are ``named``."""
    views = tuple(_reading_view(results, reading) for reading in sought(results))
    return Completeness(
        sentence=_completeness_sentence(views),
        readings=views,
        lacks=tuple(
            LackView(
                kind=lack.kind, reason=lack.reason, count=lack.count, example=one_line(lack.example) if named else ""
            )
            for lack in lacks(results)
        ),
    )


def _reading_view(results: Results, reading: Reading) -> ReadingView:
    counted = tally(results, reading, results.instances)
    return ReadingView(
        title=f"{part_title(reading.part)}, {ARM_TITLE[reading.arm]}",
        judged=counted.good + counted.bad,
        failed=counted.failed,
        unjudged=counted.unjudged,
        not_asked=counted.not_asked,
    )


def _completeness_sentence(views: tuple[ReadingView, ...]) -> str:
    total = sum(view.judged + view.failed + view.unjudged for view in views)
    failed, unjudged = sum(view.failed for view in views), sum(view.unjudged for view in views)
    if not total:
        return "Nothing was asked."
    return (
        f"{plural(total, 'verdict')} sought: {total - failed - unjudged:,} judged; {failed:,} not delivered by the "
        f"model, which count against it; {unjudged:,} unjudged for reasons of the instrument, which never help it."
    )


def cost_view(results: Results) -> CostView | None:
    """Return latency and tokens per trace; None if no trace was had."""
    costs = list(results.costs())
    if not costs:
        return None
    latencies = sorted(cost.latency_s for cost in costs)
    cached = [cost.cached_tokens for cost in costs if cost.cached_tokens is not None]
    return CostView(
        traces=len(costs),
        median_latency=f"{median(latencies):.2f} s",
        p95_latency=f"{latencies[math.ceil(0.95 * len(latencies)) - 1]:.2f} s",
        prompt_tokens=f"{average(cost.prompt_tokens for cost in costs):,.0f}",
        completion_tokens=f"{average(cost.completion_tokens for cost in costs):,.0f}",
        cached_tokens=f"{average(cached):,.0f}" if cached else None,
    )
