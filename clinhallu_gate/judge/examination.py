"""Examine a judge: how often it is right on probes whose truth is known, and whether it may judge."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from clinhallu_gate.judge.probes import Kind, Probe, Truth
from clinhallu_gate.judge.probes.kinds import RIGHT
from clinhallu_gate.judge.rates import Rate, Trial, best_lower, rate_of
from clinhallu_gate.records import Record, Unjudged, Verdict
from clinhallu_gate.vocabulary import Stage


class Minima(Protocol):
    """What a judge has to reach in each stage that is examined, with the lower limit."""

    @property
    def min_sensitivity(self) -> float:
        """Return the least share of broken stages to be called hallucinated."""

    @property
    def min_specificity(self) -> float:
        """Return the least share of reworded stages to be called grounded."""


class KindRate(Record):
    """How often the judge was right on one kind of probe."""

    kind: Kind
    truth: Truth
    rate: Rate


class StageExamination(Record):
    """What the judge made of the probes of one stage."""

    stage: Stage
    sensitivity: Rate
    """Of broken stages, those called hallucinated."""
    specificity: Rate
    """Of reworded stages, those called grounded."""
    unchanged: Rate
    """Of gold stages as they are, those called grounded; a text held against itself, so it enters nothing else."""
    kinds: tuple[KindRate, ...]

    @property
    def examined(self) -> bool:
        """Whether there was anything to examine; without gold for a stage, no verdict on it is asked for either."""
        return any(rate.n + rate.unjudged for rate in (self.sensitivity, self.specificity, self.unchanged))


class Examination(Record):
    """What is known of a judge; it decides whether the judge may judge, and adjusts no rate."""

    fit: bool
    """Whether it may judge every stage that was examined; a stage without gold is none of them."""
    reasons: tuple[str, ...]
    """Why not, one sentence each."""
    without_verdict: tuple[str, ...] = ()
    """Why probes have no verdict, the most frequent reason first, each with how many."""
    alpha: float
    """One-sided error of every lower limit, two-sided error of every interval."""
    min_sensitivity: float
    min_specificity: float
    stages: tuple[StageExamination, ...]

    @property
    def unquoted(self) -> "Examination":
        """Return it without the words of the judge or of its server, which may repeat those of the data."""
        return self.model_copy(update={"without_verdict": tuple(s.partition(":")[0] for s in self.without_verdict)})

    @property
    def answered(self) -> bool:
        """Whether the judge gave a single verdict; without one nothing is known of its judgement."""
        return any(rate.n for stage in self.stages for rate in (stage.sensitivity, stage.specificity, stage.unchanged))


def examine(probes: Sequence[Probe], verdicts: Mapping[str, Verdict], *, alpha: float, minima: Minima) -> Examination:
    """Hold verdicts against what is known of the probes.

    Args:
        probes: What was put to the judge.
        verdicts: What it said, by the probe's id; one that is missing or no judgement is in no rate.
        alpha: One-sided error of the lower limits that have to reach the minima.
        minima: What has to be reached.
    """
    reasons: list[str] = []
    stages: list[StageExamination] = []
    for stage in Stage:
        trials = {truth: _trials(probes, verdicts, stage, truth) for truth in Truth}
        examined = _examined(stage, trials, _kinds(probes, verdicts, stage, alpha), alpha)
        stages.append(examined)
        if examined.examined:
            reasons += _shortcomings(examined, trials, alpha, minima)
    return Examination(
        fit=not reasons,
        reasons=tuple(reasons),
        without_verdict=_without_verdict(verdicts),
        alpha=alpha,
        min_sensitivity=minima.min_sensitivity,
        min_specificity=minima.min_specificity,
        stages=tuple(stages),
    )


def _without_verdict(verdicts: Mapping[str, Verdict]) -> tuple[str, ...]:
    """Count why there is no verdict, by the words before a quotation, with the first example of each."""
    found = [verdict.detail for verdict in verdicts.values() if isinstance(verdict, Unjudged)]
    counts = Counter(detail.partition(": '")[0] for detail in found)
    examples = {detail.partition(": '")[0]: detail for detail in reversed(found)}
    return tuple(f"{count} of {len(verdicts)} probes: {examples[why]}" for why, count in counts.most_common())


def _trials(
    probes: Sequence[Probe], verdicts: Mapping[str, Verdict], stage: Stage, truth: Truth, kind: Kind | None = None
) -> list[Trial]:
    return [
        Trial(probe.cluster, verdicts.get(probe.id), RIGHT[truth])
        for probe in probes
        if probe.stage is stage and probe.truth is truth and kind in (None, probe.kind)
    ]


def _examined(
    stage: Stage, trials: Mapping[Truth, list[Trial]], kinds: tuple[KindRate, ...], alpha: float
) -> StageExamination:
    return StageExamination(
        stage=stage,
        sensitivity=rate_of(trials[Truth.BROKEN], alpha),
        specificity=rate_of(trials[Truth.REWORDED], alpha),
        unchanged=rate_of(trials[Truth.UNCHANGED], alpha),
        kinds=kinds,
    )


def _kinds(
    probes: Sequence[Probe], verdicts: Mapping[str, Verdict], stage: Stage, alpha: float
) -> tuple[KindRate, ...]:
    found = dict.fromkeys((p.truth, p.kind) for p in probes if p.stage is stage and p.truth is not Truth.UNCHANGED)
    return tuple(
        KindRate(kind=kind, truth=truth, rate=rate_of(_trials(probes, verdicts, stage, truth, kind), alpha))
        for truth, kind in found
    )


def _shortcomings(
    stage: StageExamination, trials: Mapping[Truth, list[Trial]], alpha: float, minima: Minima
) -> Iterator[str]:
    wanted = (
        ("sensitivity", stage.sensitivity, trials[Truth.BROKEN], minima.min_sensitivity),
        ("specificity", stage.specificity, trials[Truth.REWORDED], minima.min_specificity),
    )
    for name, rate, tried, least in wanted:
        if rate.lower < least:
            yield f"{stage.stage}: {name} {_shortcoming(rate, best_lower(tried, alpha), least)}"


def _shortcoming(rate: Rate, best: float, least: float) -> str:
    """Say why a rate does not reach ``least``: too few probes for any judge, or this judge's doing."""
    if best < least or rate.estimate is None:
        more = f" and {rate.unjudged} unjudged" if rate.unjudged else ""
        probes = f"{rate.n} probe{'' if rate.n == 1 else 's'}{more}"
        limit = f"a faultless judge's lower limit would be {_below(best, least)}"
        return f"cannot be examined: {probes}, {limit}, at least {least:.2f} is wanted"
    unjudged = f" ({rate.unjudged} unjudged)" if rate.unjudged else ""
    return f"{rate.estimate:.2f}, lower limit {_below(rate.lower, least)}{unjudged}, at least {least:.2f} is wanted"


def _below(value: float, least: float) -> str:
    """Return a value that is below ``least`` so that rounding does not hide it."""
    return next(text for digits in range(2, 18) if float(text := f"{value:.{digits}f}") < least)
