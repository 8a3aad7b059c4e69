"""From the gates to the release: one decision, one exit status, and where the failures come from."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from clinhallu_gate.config.thresholds import MEAN, BaselinePolicy, GateSpec
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.vocabulary import METRIC_STAGE, Decision, Stage

EXIT_PASS: Final = 0
EXIT_FAIL: Final = 1
EXIT_NO_DECISION: Final = 10
EXIT_NOT_COMPLETED: Final = 11


@dataclass(frozen=True, slots=True)
class Release:
    """The overall decision; anything but exit status 0 blocks a release."""

    decision: Decision | None
    """PASS, FAIL or INCONCLUSIVE; None if there is no release decision."""
    exit_status: int
    reason: str


def release(specs: Iterable[GateSpec], results: Iterable[GateResult]) -> Release:
    """Put the gates together: a release needs the PASS of every blocking gate; advisory gates never block.

    Args:
        specs: every gate of the thresholds file, after expansion.
        results: the gates that were decided; a blocking gate that is missing was not selected.

    Not completed comes before FAIL, FAIL before no decision; a run from which a blocking gate was left out has no
    release decision, though a FAIL in it still gives its exit status. A blocking gate that is not applicable leaves
    no decision, unless it only waits for a baseline run that need not be given.
    """
    by_id = {result.id: result for result in results}
    blocking = [spec for spec in specs if spec.blocking]
    found = [by_id[spec.id] for spec in blocking if spec.id in by_id and not _waived(spec, by_id[spec.id])]
    missing = [spec.id for spec in blocking if spec.id not in by_id]
    steps = (
        ([result.id for result in found if not result.completed], None, EXIT_NOT_COMPLETED, "could not be completed"),
        (_with(found, Decision.FAIL), None if missing else Decision.FAIL, EXIT_FAIL, "failed"),
        (missing, None, EXIT_NO_DECISION, "no release decision, not selected"),
        (_with(found, Decision.NOT_APPLICABLE), None, EXIT_NO_DECISION, "no release decision, not applicable"),
        (_with(found, Decision.INCONCLUSIVE), Decision.INCONCLUSIVE, EXIT_NO_DECISION, "inconclusive"),
    )
    for ids, decision, status, words in steps:
        if ids:
            return Release(decision, status, f"{words}: {', '.join(ids)}")
    if not found:
        return Release(None, EXIT_NO_DECISION, "no release decision: no blocking gate was decided")
    return Release(Decision.PASS, EXIT_PASS, f"{len(found)} of {len(found)} blocking gates passed")


def failure_budget(results: Iterable[GateResult]) -> Mapping[Stage, float] | None:
    """Return each stage's share of the sum of the three hallucination rates (scope ``mean``).

    None if a rate is missing, or if the sum is 0.
    """
    rates = {stage: result.estimate for stage, result in stage_gates(results).items() if result.estimate is not None}
    total = sum(rates.values())
    if len(rates) < len(Stage) or total == 0:
        return None
    return {stage: rates[stage] / total for stage in Stage}


def stage_gates(results: Iterable[GateResult]) -> Mapping[Stage, GateResult]:
    """Return the gate on each stage's rate (scope ``mean``): not on its rise, nor on events among a few instances."""
    return {
        METRIC_STAGE[result.metric]: result
        for result in results
        if result.metric in METRIC_STAGE and result.scope == MEAN and "max" in result.threshold
    }


def _waived(spec: GateSpec, result: GateResult) -> bool:
    optional = spec.max_drop is not None and spec.baseline is BaselinePolicy.IF_GIVEN
    return optional and result.decision is Decision.NOT_APPLICABLE


def _with(results: Sequence[GateResult], decision: Decision) -> list[str]:
    return [result.id for result in results if result.decision is decision]
