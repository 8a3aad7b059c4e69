"""Figures that no gate holds: the gates' own arrays and limits, 95 % both ways, not adjusted for their number."""

from dataclasses import dataclass, replace
from functools import cache
from typing import Final

import numpy as np

from clinhallu_gate.config.thresholds import MEAN, GateSpec
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.gate.decide import measured_by
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.limits import exact_estimate, sampling_limits
from clinhallu_gate.gate.metrics import GateArrays, VerdictOf, gate_arrays, readings
from clinhallu_gate.records import NotAsked, Reading
from clinhallu_gate.stats.sample import IntArray
from clinhallu_gate.vocabulary import METRIC_STAGE, Arm, Metric, NotAskedReason, Severity, Target, Unit

#: One-sided error of each limit.
ERROR: Final = 0.025
#: When a rate is shown as one, after the Data Presentation Standards for Proportions of the US National Center for
#: Health Statistics (Parker et al., Vital and Health Statistics 2(175), 2017), which rest on the same Korn-Graubard
#: limits: from so many instances and so many clusters on, and with a 95 % interval narrower than this. Their demand on
#: the width relative to the rate is left out: it would hide the good news, rates near 0.
FEWEST_INSTANCES: Final = 30
FEWEST_CLUSTERS: Final = 10
WIDEST: Final = 0.30


@dataclass(frozen=True, slots=True)
class Figure:
    """A rate, or a recovery, on its own scale."""

    estimate: float | None
    """None if no verdict is known in a stratum."""
    low: float
    """Lower limit, with all that is unjudged or lacks gold counted down."""
    high: float
    """Upper limit, with all of that counted up."""
    n: int
    """Instances, unjudged ones and those without gold among them."""
    clusters: int
    """Images or patients."""
    unjudged: int
    worse: int
    """Of a recovery: traces that were right alone and are wrong repaired."""
    better: int
    """Of a recovery: traces that were wrong alone and are right repaired."""
    without_gold: int = 0

    @property
    def known(self) -> int:
        """Return the number of instances that were judged, or failed by the model."""
        return self.n - self.unjudged - self.without_gold

    @property
    def few(self) -> bool:
        """Whether the interval can be shown and the estimate says too little to be."""
        return (
            self.estimate is None
            or self.n < FEWEST_INSTANCES
            or self.clusters < FEWEST_CLUSTERS
            or self.high - self.low >= WIDEST
        )


class Figures:
    """Gives the figures of one run. Always for patients like these, whatever the target of the gates."""

    def __init__(
        self, frame: Frame, verdict_of: VerdictOf, *, unit: Unit, repeats: int = 1, max_without_gold: float = 0.0
    ) -> None:
        self._frame = frame
        self._verdict_of = verdict_of
        self._unit = unit
        self._repeats = repeats
        self._max_without_gold = max_without_gold
        self._stopped = cache(self._was_stopped)

    def of(self, metric: Metric, arm: Arm, members: IntArray | None = None, *, alike: bool = False) -> Figure | None:
        """Return a figure; None where it was not asked to the end, or where more lacks gold than its gates allow.

        Args:
            metric: what is measured.
            arm: where.
            members: positions of the instances that it speaks of; by default all.
            alike: whether all instances count alike; else the figure is the unweighted mean over their strata.
        """
        spec = _spec(metric, arm, self._unit, self._max_without_gold)
        if any(self._stopped(reading) for reading in readings(spec)):
            return None
        try:
            arrays = gate_arrays(spec, self._frame, self._verdict_of, members=members, repeats=self._repeats)
        except EvaluationFailed:  # a part was asked
            return None
        if not isinstance(arrays, GateArrays) or not arrays.n:
            return None
        return _figure(spec, replace(arrays, stratum=np.zeros_like(arrays.stratum)) if alike else arrays)

    def _was_stopped(self, reading: Reading) -> bool:
        """Whether evaluation ended before all of ``reading`` was asked: no part of it is an estimate then."""
        verdicts = (self._verdict_of(uid, reading) for uid in self._frame.uids)
        return any(isinstance(v, NotAsked) and v.reason is NotAskedReason.EARLY_STOP for v in verdicts)


def _figure(spec: GateSpec, arrays: GateArrays) -> Figure:
    limits = sampling_limits(arrays, pass_error=ERROR, fail_error=ERROR, clustered=True)
    measured = measured_by(spec, exact_estimate(arrays), limits)
    low, high = measured.interval or (0.0, 1.0)
    known = arrays.y_pass[arrays.judged]
    return Figure(
        estimate=measured.estimate,
        low=low,
        high=high,
        n=arrays.n,
        clusters=arrays.clusters,
        unjudged=arrays.unjudged,
        without_gold=arrays.without_gold,
        worse=int(np.count_nonzero(known > 0)) if arrays.paired else 0,
        better=int(np.count_nonzero(known < 0)) if arrays.paired else 0,
    )


def _spec(metric: Metric, arm: Arm, unit: Unit, max_without_gold: float) -> GateSpec:
    """Return the gate that would hold the figure; its threshold is never looked at."""
    threshold = {"max": 0.0} if metric in METRIC_STAGE else {"min": 0.0}
    return GateSpec(
        id=f"{metric}[{MEAN}]",
        metric=metric,
        arm=arm,
        scope=MEAN,
        severity=Severity.ADVISORY,
        target=Target.POPULATION,
        unit=unit,
        max_unjudged=1.0,
        max_without_gold=max_without_gold,
        **threshold,
    )
