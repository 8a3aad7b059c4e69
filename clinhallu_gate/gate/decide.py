"""One gate from arrays to a decision, and all gates of a run."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.further import further_instances, wanted_labels
from clinhallu_gate.gate.labelled import Labels, Margins, Reviews, Undelivered, adjusted, shrunken
from clinhallu_gate.gate.limits import (
    TIE,
    Limits,
    bound,
    exact_estimate,
    exact_mean,
    list_limits,
    natural,
    sampling_limits,
    turned,
)
from clinhallu_gate.gate.metrics import GateArrays, NotApplicable, VerdictOf, gate_arrays
from clinhallu_gate.gate.result import Adjusted, Counts, Flips, GateResult, Measured, gate_result
from clinhallu_gate.gate.wording import explain, explain_events
from clinhallu_gate.stats import Sample, lower_limit, mcnemar_worse, upper_limit
from clinhallu_gate.stats.sample import FloatArray
from clinhallu_gate.vocabulary import Decision, Method, Target


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """What holds for all gates of a run.

    All blocking gates must pass, so each passes at full alpha (intersection-union test, Berger, Technometrics 24 (1982)
    295-300); that *this* gate failed is one of many such statements, so it is made at a divided alpha (Bonferroni).
    """

    alpha: float
    """One-sided error of a PASS."""
    blocking_gates: int
    """Blocking gates of the thresholds file after expansion, whatever was selected."""
    complete: bool = True
    """Whether the whole list was to be asked. A benchmark gate then only compares; if not (``--limit``), the list is
    inferred from independent draws, which errs on the safe side."""
    repeats: int = 1
    """Traces per instance."""
    judge_defined: bool = False
    """Whether a judge model's word is all that the rates rest on."""

    @property
    def fail_error(self) -> float:
        """Return the one-sided error of a FAIL."""
        return self.alpha / max(self.blocking_gates, 1)


def decide(spec: GateSpec, arrays: GateArrays | NotApplicable, rules: Rules) -> GateResult:
    """Decide a gate at fixed n.

    PASS if the one-sided limit that faces the threshold, at ``alpha``, is on the right side of it; FAIL if the other
    limit, at ``alpha / blocking_gates``, is on the wrong side; else INCONCLUSIVE.
    """
    if isinstance(arrays, NotApplicable):
        return gate_result(spec, Decision.NOT_APPLICABLE, arrays.reason)
    if arrays.n == 0:
        return gate_result(spec, Decision.INCONCLUSIVE, "no instance is in its scope")
    if too_many_unjudged(spec, arrays):
        return not_completed(spec, arrays)
    if spec.max_events is not None:
        return decide_events(spec, arrays, rules, complete=rules.complete)
    if arrays.labels is not None and not arrays.paired:
        return _by_labels(spec, arrays, arrays.labels, rules)
    return _decided(spec, arrays, _limits(spec, arrays, rules), rules)


def _limits(spec: GateSpec, arrays: GateArrays, rules: Rules) -> Limits:
    if spec.target is Target.BENCHMARK and rules.complete:
        return list_limits(arrays)
    clustered = spec.target is Target.POPULATION
    return sampling_limits(arrays, pass_error=rules.alpha, fail_error=rules.fail_error, clustered=clustered)


def decide_all(
    specs: Sequence[GateSpec],
    frame: Frame,
    verdict_of: VerdictOf,
    rules: Rules,
    *,
    baseline_of: VerdictOf | None = None,
    reviews: Reviews | None = None,
) -> tuple[GateResult, ...]:
    """Decide the gates in their order. Raises ``EvaluationFailed`` if a gate's scope was asked only in part."""
    laid_out = (
        gate_arrays(spec, frame, verdict_of, baseline_of, repeats=rules.repeats, reviews=reviews) for spec in specs
    )
    return tuple(decide(spec, arrays, rules) for spec, arrays in zip(specs, laid_out, strict=True))


def count_blocking(specs: Iterable[GateSpec]) -> int:
    """Return the number of blocking gates; counted over the whole thresholds file, whatever was selected."""
    return sum(spec.blocking for spec in specs)


def too_many_unjudged(spec: GateSpec, arrays: GateArrays) -> bool:
    """Whether the instrument lacks more verdicts than the thresholds file allows."""
    return arrays.unjudged > Fraction(str(spec.max_unjudged)) * arrays.n


def not_completed(spec: GateSpec, arrays: GateArrays) -> GateResult:
    """Return the result of a gate for which too much is unjudged."""
    reason = f"{arrays.unjudged} of {arrays.n} instances are unjudged; a share of {spec.max_unjudged:g} is allowed"
    if spec.max_drop is not None:
        reason += "; instances that the baseline run lacks count among them (run a baseline with --no-early-stop)"
    return gate_result(spec, None, reason, counts=counts_of(arrays))


def decide_events(spec: GateSpec, arrays: GateArrays, rules: Rules, *, complete: bool) -> GateResult:
    """Count events: FAIL with the first one too many, PASS if all were seen and no more than allowed happened.

    Args:
        spec: the gate, with ``max_events``.
        arrays: what was seen so far, all traces of each instance.
        rules: those of the run.
        complete: whether that is everything in the scope.

    The limits are those of the rate of events, with everything in one stratum: without an event the upper one is
    1 - alpha^(1/n), about 3/n at alpha .05 (rule of three); clusters count for n then. Where gold may lack they rest on
    the layout, as those of rates do.
    """
    allowed = spec.max_events or 0
    most, least = (_events(y, arrays) for y in (arrays.y_pass, arrays.y_fail))
    one_stratum = np.zeros_like(arrays.stratum)
    cluster = arrays.cluster if spec.target is Target.POPULATION else arrays.units
    above, below = (Sample(y, one_stratum, cluster) for y in (arrays.y_pass, arrays.y_fail))
    upper = upper_limit(above, rules.alpha, paired=False, by_layout=arrays.by_layout)
    lower = lower_limit(below, rules.fail_error, paired=False, by_layout=arrays.by_layout)
    if least > allowed:
        decision = Decision.FAIL
    else:
        decision = Decision.PASS if complete and most <= allowed else Decision.INCONCLUSIVE
    limits = Limits(Fraction(lower), rules.fail_error, Fraction(upper), rules.alpha, Fraction(0), Method.EVENTS)
    known = arrays.n - (most - least)  # an event in one trace is one, whatever another trace lacks
    seen = Fraction(least, known) if known else None
    return gate_result(
        spec,
        decision,
        explain_events(spec, arrays, decision, least, upper=upper, alpha=rules.alpha),
        counts=counts_of(arrays),
        measured=measured_by(spec, seen, limits),
        judge_defined=rules.judge_defined,
    )


def _events(y: FloatArray, arrays: GateArrays) -> int:
    """Return how many instances have an event in any of their traces."""
    return int(np.count_nonzero(y.reshape(-1, arrays.repeats).max(axis=1) > 0))


def _by_labels(spec: GateSpec, arrays: GateArrays, labels: Labels, rules: Rules) -> GateResult:
    """Decide by labels of a random sample, with the judge's verdicts where they help."""
    raw = exact_estimate(arrays)
    found = adjusted(
        labels,
        arrays.stratum,
        arrays.cluster if spec.target is Target.POPULATION else arrays.units,
        judge_defined=None if raw is None else float(natural(spec, raw)),
        errors=(rules.fail_error, rules.alpha),
        finite=spec.target is Target.BENCHMARK and rules.complete,
        by_layout=arrays.by_layout,
    )
    limits = Limits(found.lower, rules.fail_error, found.upper, rules.alpha, TIE, found.method)
    decision = _compare(limits, Margins(bound(spec), bound(spec)))
    measured = measured_by(spec, found.estimate, limits)
    told = found.told
    if decision is Decision.INCONCLUSIVE:
        told = told.model_copy(update={"wanted": wanted_labels(spec, arrays, limits, found.estimate, told.labels)})
    return gate_result(
        spec,
        decision,
        explain(spec, arrays, decision, measured, adjusted=told),
        counts=counts_of(arrays),
        measured=measured,
        adjusted=told,
    )


def _margins(spec: GateSpec, arrays: GateArrays, rules: Rules) -> Margins:
    """Return what the limits are held against: the threshold, or of it what a judge with labels can see."""
    threshold = bound(spec)
    if arrays.labels is None or spec.max_drop is None:
        return Margins(threshold, threshold)
    labels, everywhere = arrays.labels, np.ones(arrays.n, dtype=np.bool_)
    least, most = (
        exact_mean(np.where(labels.lacks, worst, labels.undelivered_more), arrays, everywhere) or Fraction(0)
        for worst in (-1.0, 1.0)
    )
    return shrunken(labels, threshold, Undelivered(least, most), errors=(rules.fail_error, rules.alpha))


def _told(arrays: GateArrays, margins: Margins) -> Adjusted | None:
    if arrays.labels is None:
        return None
    told = (float(margins.within), float(margins.beyond))
    return Adjusted(labels=arrays.labels.count, weight=1.0, judge_defined=None, margins=told)


def _decided(spec: GateSpec, arrays: GateArrays, limits: Limits, rules: Rules) -> GateResult:
    margins = _margins(spec, arrays, rules)
    told = _told(arrays, margins)
    decision = _compare(limits, margins)
    judge_defined = rules.judge_defined and told is None
    measured = measured_by(spec, exact_estimate(arrays), limits)
    further = further_instances(spec, arrays, limits) if decision is Decision.INCONCLUSIVE else None
    return gate_result(
        spec,
        decision,
        explain(spec, arrays, decision, measured, further=further, judge_defined=judge_defined, adjusted=told),
        counts=counts_of(arrays),
        measured=measured,
        further=further,
        judge_defined=judge_defined,
        adjusted=told,
        flips=flips_of(spec, arrays, float(limits.lower)),
    )


def measured_by(spec: GateSpec, estimate: Fraction | None, limits: Limits) -> Measured:
    """Return estimate and limits on the metric's own scale, where the lower limit may be the upper one of y."""
    interval, levels = (limits.lower, limits.upper), (limits.lower_error, limits.upper_error)
    if turned(spec):
        interval, levels = interval[::-1], levels[::-1]
    return Measured(
        estimate=None if estimate is None else float(natural(spec, estimate)),
        interval=(float(natural(spec, interval[0])), float(natural(spec, interval[1]))),
        levels=levels,
        method=limits.method,
    )


def counts_of(arrays: GateArrays) -> Counts:
    """Return how many instances stand behind a gate."""
    return Counts(n=arrays.n, failed=arrays.failed, unjudged=arrays.unjudged, without_gold=arrays.without_gold)


def flips_of(spec: GateSpec, arrays: GateArrays, lower: float, *, whole: bool = True) -> Flips | None:
    """Return what changed against the release in use.

    Pairs of several traces, or in clusters, have no p-value, and neither has a part that was stopped at a good moment.
    """
    if spec.max_drop is None:
        return None
    worse, better = (int(np.count_nonzero(arrays.judged & (arrays.y_pass == sign))) for sign in (1, -1))
    independent = whole and arrays.repeats == 1 and (spec.target is Target.BENCHMARK or not arrays.clustered)
    return Flips(
        worse=worse,
        better=better,
        p_worse=mcnemar_worse(worse, better) if independent else None,
        regressed=lower > 0,
    )


def _compare(limits: Limits, margins: Margins) -> Decision:
    if limits.allows_pass(margins.within):
        return Decision.PASS
    return Decision.FAIL if limits.shows_fail(margins.beyond) else Decision.INCONCLUSIVE
