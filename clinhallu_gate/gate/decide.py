"""One gate from arrays to a decision, and all gates of a run."""

from collections.abc import Iterable
from fractions import Fraction

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.limits import Limits, exact_estimate, list_limits, natural, sampling_limits
from clinhallu_gate.gate.metrics import GateArrays, NotApplicable, VerdictOf, gate_arrays
from clinhallu_gate.gate.result import Counts, GateResult, Measured, gate_result, threshold_of
from clinhallu_gate.gate.wording import explain
from clinhallu_gate.vocabulary import Decision, Target


def decide(
    spec: GateSpec, arrays: GateArrays | NotApplicable, *, alpha: float, blocking_gates: int, complete: bool = True
) -> GateResult:
    """Decide a gate at fixed n.

    PASS if the one-sided limit that faces the threshold, at ``alpha``, is on the right side of it; FAIL if the other
    limit, at ``alpha / blocking_gates``, is on the wrong side; else INCONCLUSIVE. All blocking gates must pass, so each
    passes at full alpha (intersection-union test, Berger, Technometrics 24 (1982) 295-300); that *this* gate failed is
    one of many such statements, so it is made at a divided alpha (Bonferroni).

    Args:
        spec: the gate.
        arrays: what was seen in its scope, or why there is nothing.
        alpha: one-sided error of a PASS.
        blocking_gates: blocking gates of the thresholds file after expansion.
        complete: whether the whole list was asked. A benchmark gate then only compares; if it was not (``--limit``),
            the list is inferred from independent draws, which errs on the safe side.
    """
    if isinstance(arrays, NotApplicable):
        return gate_result(spec, Decision.NOT_APPLICABLE, arrays.reason)
    if arrays.n == 0:
        return gate_result(spec, Decision.INCONCLUSIVE, "no instance is in its scope")
    if arrays.unjudged > Fraction(str(spec.max_unjudged)) * arrays.n:
        return _not_completed(spec, arrays)
    if spec.target is Target.BENCHMARK and complete:
        return _decided(spec, arrays, list_limits(arrays))
    fail_error = alpha / max(blocking_gates, 1)
    clustered = spec.target is Target.POPULATION
    return _decided(spec, arrays, sampling_limits(arrays, pass_error=alpha, fail_error=fail_error, clustered=clustered))


def decide_all(
    specs: Iterable[GateSpec],
    frame: Frame,
    verdict_of: VerdictOf,
    *,
    alpha: float,
    blocking_gates: int,
    complete: bool = True,
    baseline_of: VerdictOf | None = None,
) -> tuple[GateResult, ...]:
    """Decide the gates in their order. Raises ``EvaluationFailed`` if a gate's scope was asked only in part."""
    return tuple(
        decide(
            spec,
            gate_arrays(spec, frame, verdict_of, baseline_of),
            alpha=alpha,
            blocking_gates=blocking_gates,
            complete=complete,
        )
        for spec in specs
    )


def count_blocking(specs: Iterable[GateSpec]) -> int:
    """Return the number of blocking gates; counted over the whole thresholds file, whatever was selected."""
    return sum(spec.blocking for spec in specs)


def _not_completed(spec: GateSpec, arrays: GateArrays) -> GateResult:
    reason = f"{arrays.unjudged} of {arrays.n} instances are unjudged; a share of {spec.max_unjudged:g} is allowed"
    return gate_result(spec, None, reason, counts=_counts(arrays))


def _decided(spec: GateSpec, arrays: GateArrays, limits: Limits) -> GateResult:
    ((_, bound),) = threshold_of(spec).items()
    decision = _compare(limits, natural(spec, Fraction(str(bound))))
    measured = _measured(spec, arrays, limits)
    return gate_result(
        spec, decision, explain(spec, arrays, decision, measured), counts=_counts(arrays), measured=measured
    )


def _measured(spec: GateSpec, arrays: GateArrays, limits: Limits) -> Measured:
    """Return estimate and limits on the metric's own scale, where the lower limit may be the upper one of y."""
    estimate = exact_estimate(arrays)
    interval, levels = (limits.lower, limits.upper), (limits.lower_error, limits.upper_error)
    if spec.min is not None:
        interval, levels = interval[::-1], levels[::-1]
    return Measured(
        estimate=None if estimate is None else float(natural(spec, estimate)),
        interval=(float(natural(spec, interval[0])), float(natural(spec, interval[1]))),
        levels=levels,
    )


def _counts(arrays: GateArrays) -> Counts:
    return Counts(n=arrays.n, failed=arrays.failed, unjudged=arrays.unjudged)


def _compare(limits: Limits, threshold: Fraction) -> Decision:
    if limits.allows_pass(threshold):
        return Decision.PASS
    return Decision.FAIL if limits.shows_fail(threshold) else Decision.INCONCLUSIVE
