"""From verdicts to the arrays that a gate is decided on."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from typing import Final, TypeAlias

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.labelled import Labels, Reviews
from clinhallu_gate.gate.result import GateResult
from clinhallu_gate.records import Failed, Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray, Sample
from clinhallu_gate.vocabulary import ANSWER, METRIC_STAGE, Arm, Metric, NotAskedReason, Unit, UnjudgedReason

VerdictOf: TypeAlias = Callable[[str, Reading], Verdict]
"""Gives the verdict of an instance (by uid) and a reading."""
NO_BASELINE: Final = "no baseline run was given to compare with"
"""Why a gate against the release in use is not applicable without one."""


@dataclass(frozen=True, slots=True, eq=False)
class GateArrays:
    """What was seen in the scope of a gate, so that a larger y is worse.

    All arrays have one entry per trace, shape (n * repeats,): the traces of an instance stand together. A rate: y is 1
    for bad (hallucinated, incorrect, or failed by the model), else 0. A recovery or a drop: y is -1, 0 or 1, the
    difference of two bads in the direction that the gate guards against.
    """

    y_pass: FloatArray
    """For the PASS side: what is unjudged, or lacks gold, is as bad as it can be."""
    y_fail: FloatArray
    """For the FAIL side: what is unjudged, or lacks gold, is as good as it can be."""
    judged: BoolArray
    """Where both are equal because nothing is unjudged, or lacks gold."""
    stratum: IntArray
    cluster: IntArray
    failed: int
    """Instances that count as bad because the model did not deliver."""
    paired: bool
    unit: Unit = Unit.INSTANCE
    repeats: int = 1
    """Traces per instance."""
    labels: Labels | None = None
    """What people say of a random sample of the run."""
    lacks: BoolArray | None = None
    """Where the gold is lacking that it takes to judge; None if it nowhere is."""
    by_layout: bool = False
    """Whether limits rest on strata and clusters alone, so that no gold that is left out draws them nearer."""

    @property
    def n(self) -> int:
        """Return the number of instances, unjudged ones and those without gold among them."""
        return self.y_pass.size // self.repeats

    @property
    def unjudged(self) -> int:
        """Return the number of instances of which a verdict is missing, though there is gold to judge by."""
        return int(self.n_unjudged[-1]) if self.n else 0

    @property
    def n_unjudged(self) -> IntArray:
        """Return the number of those among the first, the first two ... instances, shape (n,)."""
        whole = self.judged.reshape(-1, self.repeats).all(axis=1) | self._lacking
        counts: IntArray = np.cumsum(~whole)
        return counts

    @property
    def without_gold(self) -> int:
        """Return the number of instances without the gold that it takes to judge them."""
        return int(np.count_nonzero(self._lacking))

    @property
    def _lacking(self) -> BoolArray:
        """Return which instances lack gold, shape (n,)."""
        if self.lacks is None:
            return np.zeros(self.n, dtype=np.bool_)
        return np.array(self.lacks.reshape(-1, self.repeats).any(axis=1), dtype=np.bool_)

    @property
    def clusters(self) -> int:
        """Return the number of clusters: images or patients."""
        return int(np.unique(self.cluster).size)

    @property
    def clustered(self) -> bool:
        """Whether several instances share a cluster."""
        return self.clusters < self.n

    @property
    def units(self) -> IntArray:
        """Return the code of each entry's unit: what counts alike, and what is drawn."""
        if self.unit is Unit.PATIENT:
            pairs = self.stratum * (int(self.cluster.max(initial=0)) + 1) + self.cluster
            codes: IntArray = np.unique(pairs, return_inverse=True)[1]
            return codes
        instances: IntArray = np.repeat(np.arange(self.n, dtype=np.int64), self.repeats)
        return instances

    @property
    def pass_side(self) -> Sample:
        """Return the sample for the upper limit."""
        return self._sample(self.y_pass)

    @property
    def fail_side(self) -> Sample:
        """Return the sample for the lower limit."""
        return self._sample(self.y_fail)

    def _sample(self, y: FloatArray) -> Sample:
        if self.unit is Unit.INSTANCE:
            return Sample(y, self.stratum, self.cluster)
        units = self.units
        return Sample(y, self.stratum, self.cluster, 1.0 / np.bincount(units)[units])


@dataclass(frozen=True, slots=True)
class NotApplicable:
    """The gate has nothing to be decided on, and why."""

    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class _Bad:
    """One reading of every instance: how bad it is at least and at most (0 or 1)."""

    least: FloatArray
    most: FloatArray
    failed: BoolArray
    lacks: BoolArray
    """Where there is no gold to judge by."""


def members_of(spec: GateSpec | GateResult, frame: Frame) -> IntArray:
    """Return the positions of the instances that a gate speaks of, in order of the data."""
    members = frame.members(spec.scope)
    return members if spec.tag is None else members[[spec.tag in frame.tags[place] for place in members]]


def readings(spec: GateSpec) -> tuple[Reading, ...]:
    """Return what has to be asked of every instance in the scope of the gate; a recovery reads two answers."""
    if spec.metric in METRIC_STAGE:
        return (Reading(spec.arm, METRIC_STAGE[spec.metric]),)
    if spec.metric is Metric.RECOVERY:
        return (Reading(spec.arm, ANSWER), Reading(Arm.BASELINE, ANSWER))
    return (Reading(spec.arm, ANSWER),)


def gate_arrays(
    spec: GateSpec,
    frame: Frame,
    verdict_of: VerdictOf,
    baseline_of: VerdictOf | None = None,
    *,
    members: IntArray | None = None,
    repeats: int = 1,
    reviews: Reviews | None = None,
) -> GateArrays | NotApplicable:
    """Return the arrays of a gate, or why it has none.

    Up to ``max_without_gold`` of its instances may lack the gold that it takes to judge them.

    Args:
        spec: the gate.
        frame: the instances of the run.
        verdict_of: the verdicts of the run.
        baseline_of: those of the release in use, which ``max_drop`` compares with; what it lacks is unjudged there.
        members: positions of the instances to lay out, in this order; by default all that the gate speaks of.
        repeats: traces per instance.
        reviews: what people say of a random sample of the run, by reading.

    Raises ``EvaluationFailed`` if a verdict of the scope was not sought: a gate is never computed from a part.
    """
    if spec.max_drop is not None and baseline_of is None:
        return NotApplicable(NO_BASELINE)
    if members is None:
        members = members_of(spec, frame)
    uids = [frame.uids[i] for i in members]
    read = [_read(spec, reading, uids, verdict_of, repeats) for reading in readings(spec)]
    if spec.max_drop is not None and baseline_of is not None:
        read.append(_read(spec, readings(spec)[0], uids, _sought(baseline_of), repeats))
    lacks: BoolArray = np.any([bad.lacks for bad in read], axis=0)
    without = int(np.count_nonzero(lacks.reshape(-1, repeats).any(axis=1)))
    refused = too_little_gold(spec, without, len(uids))
    if refused is not None:
        return refused
    least, most = (read[0].least, read[0].most) if len(read) == 1 else _difference(spec, read[0], read[1])
    failed = np.any([bad.failed for bad in read], axis=0).reshape(-1, repeats).any(axis=1)
    return GateArrays(
        y_pass=most,
        y_fail=least,
        judged=np.all([bad.least == bad.most for bad in read], axis=0),
        stratum=np.repeat(frame.stratum[members], repeats),
        cluster=np.repeat(frame.cluster[members], repeats),
        failed=int(np.count_nonzero(failed)),
        paired=len(read) > 1,
        unit=spec.unit,
        repeats=repeats,
        labels=_labels(spec, uids, read, reviews or {}, lacks) if repeats == 1 else None,
        lacks=lacks if lacks.any() else None,
        by_layout=spec.may_lack_gold,
    )


def too_little_gold(spec: GateSpec, without: int, n: int) -> NotApplicable | None:
    """Return that more of ``n`` instances lack gold than the thresholds file allows; None if they do not."""
    allowed = math.floor(Fraction(str(spec.max_without_gold)) * n)
    if without <= allowed:
        return None
    among = f"{without} of {n} instances have no gold trace for it"
    if not spec.max_without_gold:
        return NotApplicable(among)
    return NotApplicable(f"{among}; at most {allowed} of {n} may lack it (max_without_gold: {spec.max_without_gold:g})")


def _labels(
    spec: GateSpec, uids: Sequence[str], read: Sequence[_Bad], reviews: Reviews, lacks: BoolArray
) -> Labels | None:
    """Return the labels of a rate of instances, or of this run's side of a pair; None where they adjust nothing."""
    (reading, *others) = readings(spec)
    if others or reading not in reviews or spec.unit is not Unit.INSTANCE or spec.max_events is not None:
        return None
    now = read[0]
    before = read[1].failed if len(read) > 1 else np.zeros_like(now.failed)
    return Labels.of(
        uids,
        reviews[reading],
        judge_low=now.least,
        judge_high=now.most,
        delivered=~now.failed,
        undelivered_more=now.failed.astype(np.float64) - before,
        lacks=lacks,
    )


def _sought(baseline_of: VerdictOf) -> VerdictOf:
    """Return the verdicts of the release in use; what was not sought there is unjudged here."""

    def verdict_of(uid: str, reading: Reading) -> Verdict:
        verdict = baseline_of(uid, reading)
        if isinstance(verdict, NotAsked) and verdict.reason is not NotAskedReason.NO_GOLD:
            return Unjudged(UnjudgedReason.ENDPOINT_FAILED, "the baseline run did not ask for it")
        return verdict

    return verdict_of


def _difference(spec: GateSpec, arm: _Bad, baseline: _Bad) -> tuple[FloatArray, FloatArray]:
    """Return the least and the most y of a difference; of a recovery too little is bad with ``min``, else too much."""
    if spec.max is not None:
        arm, baseline = baseline, arm
    return arm.least - baseline.most, arm.most - baseline.least


def _read(spec: GateSpec, reading: Reading, uids: Sequence[str], verdict_of: VerdictOf, repeats: int) -> _Bad:
    least, most, failed, lacks = np.zeros((4, len(uids) * repeats))
    wanted = [replace(reading, repeat=k) for k in range(repeats)]
    for i, (uid, each) in enumerate(product(uids, wanted)):
        match verdict_of(uid, each):
            case Judged() as verdict:
                least[i] = most[i] = verdict.bad
            case Failed():
                least[i] = most[i] = failed[i] = 1.0
            case Unjudged():
                most[i] = 1.0
            case NotAsked(reason=NotAskedReason.NO_GOLD):
                most[i] = lacks[i] = 1.0
            case NotAsked():
                raise EvaluationFailed(f"{spec.id}: {each} of {uid} was not asked, and a gate needs its whole scope.")
    return _Bad(least, most, failed > 0, lacks > 0)
