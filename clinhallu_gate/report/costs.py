"""What traces took: latency and tokens by arm, and what that comes to in a hospital's day."""

import math
from collections.abc import Iterator, Sequence
from datetime import datetime
from statistics import mean, median
from typing import Final

from clinhallu_gate.report.context import RunContext
from clinhallu_gate.report.figures import plural
from clinhallu_gate.report.model import ArmCost, CostView
from clinhallu_gate.report.names import ARM_TITLE
from clinhallu_gate.results import CallCost, Results
from clinhallu_gate.vocabulary import Arm

_DAY: Final = 1000
"""Studies of a busy hospital's day."""
_HOUR: Final = 3600
_MINUTE: Final = 60


def cost_view(results: Results, context: RunContext) -> CostView | None:
    """Return latency and tokens per trace; None if no trace was had."""
    by_arm = {arm: [cost for each, cost in _costs(results) if each is arm] for arm in Arm}
    every = [cost for costs in by_arm.values() for cost in costs]
    if not every:
        return None
    rows = [_arm_cost(ARM_TITLE[arm], costs) for arm, costs in by_arm.items() if costs]
    return CostView(
        sentence=_day(by_arm[Arm.BASELINE]) if by_arm[Arm.BASELINE] and context.failure is None else None,
        rows=(*rows, _arm_cost("all", every)),
        notes=tuple(_notes(context)),
    )


def _costs(results: Results) -> Iterator[tuple[Arm, CallCost]]:
    for found in results.found.values():
        yield from ((trace.arm, cost) for trace, cost in found.costs.items())


def _arm_cost(title: str, costs: Sequence[CallCost]) -> ArmCost:
    latencies = sorted(cost.latency_s for cost in costs)
    cached = [cost.cached_tokens for cost in costs if cost.cached_tokens is not None]
    return ArmCost(
        title=title,
        traces=len(costs),
        median_latency=f"{median(latencies):.2f} s",
        p95_latency=f"{latencies[math.ceil(0.95 * len(latencies)) - 1]:.2f} s",
        prompt_tokens=f"{mean(cost.prompt_tokens for cost in costs):,.0f}",
        cached_tokens=f"{mean(cached):,.0f}" if cached else None,
        completion_tokens=f"{mean(cost.completion_tokens for cost in costs):,.0f}",
        total_tokens=f"{sum(cost.prompt_tokens + cost.completion_tokens for cost in costs):,}",
    )


def _day(costs: Sequence[CallCost]) -> str:
    """Say what a trace takes, and what a day of a hospital's studies would."""
    read, written = mean(cost.prompt_tokens for cost in costs), mean(cost.completion_tokens for cost in costs)
    latency = mean(cost.latency_s for cost in costs)
    return (
        f"A trace of the model alone reads {read:,.0f} tokens and writes {written:,.0f} in {latency:.2f} s on average. "
        f"{plural(_DAY, 'question')} a day would come to {_DAY * read:,.0f} read and {_DAY * written:,.0f} written; "
        f"one after the other they would take {_duration(_DAY * latency)}."
    )


def _duration(seconds: float) -> str:
    if seconds >= _HOUR:
        return f"{seconds / _HOUR:.1f} hours"
    return plural(round(seconds / _MINUTE), "minute") if seconds >= _MINUTE else plural(round(seconds), "second")


def _notes(context: RunContext) -> Iterator[str]:
    yield (
        "Latency is what a reply took when it was asked for, waiting for the others in flight included; a reply from "
        "the store keeps its own."
    )
    seconds = _seconds(context)
    if seconds >= _MINUTE and not context.calls_from_store and context.failure is None:
        yield (
            f"This run made {plural(context.calls_made, 'call')} in {_duration(seconds)}, start of the server and "
            f"judging included: {context.calls_made * _HOUR / seconds:,.0f} an hour at least."
        )


def _seconds(context: RunContext) -> float:
    """Return how long the run took; 0 if it never began."""
    try:
        started, finished = (
            datetime.fromisoformat(text.replace(" UTC", "Z")) for text in (context.started, context.finished)
        )
    except ValueError:
        return 0.0
    return (finished - started).total_seconds()
