"""What the patients that there are can show: not how many a truth needs, but which truth so many suffice for."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Final, Literal

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.limits import bound, natural
from clinhallu_gate.gate.metrics import members_of, readings, too_little_gold
from clinhallu_gate.gate.result import threshold_of
from clinhallu_gate.keeping import selected
from clinhallu_gate.planning.question import DISCORDANCE
from clinhallu_gate.records import Instance, Record
from clinhallu_gate.stats.by_layout import size_by_layout
from clinhallu_gate.stats.enough import patients_without_any, patients_without_difference
from clinhallu_gate.stats.exact import clopper_pearson_upper
from clinhallu_gate.stats.sample import BoolArray, Sample
from clinhallu_gate.stats.shown import Layout, largest_truth, limit_at_best
from clinhallu_gate.vocabulary import ANSWER, Arm, Metric, Stage, Target, Unit

#: How likely a gate passes at the truth that is given.
POWER: Final = 0.8
#: Correlation of a patient's questions, as nothing is known of it before the run: the one at which the limits' errors
#: were simulated. The limits learn the true one from the data.
ICC: Final = 0.3


class Shown(Record):
    """What one blocking gate can come to."""

    gate: str
    metric: Metric
    bound: Literal["max", "min", "max_drop", "max_events"]
    threshold: float
    patients: int
    """Clusters in its scope: patients, or images of which nothing says whose they are."""
    instances: int
    says: Literal["truth", "too_few", "events", "no_gold", "list"]
    """``truth``: what is known is which truth passes. ``too_few``: no truth does. ``events``: they are counted.
    ``no_gold``: more instances lack gold than are allowed, so it is not applicable, or than events are, so it cannot
    pass. ``list``: it speaks of this list, so it only compares."""
    truth: float | None = None
    """On the metric's own scale (of ``max_drop``, the true drop): there, or beyond, it passes with ``POWER``."""
    limit: float | None = None
    """The rate that even a faultless model, or the most events that are allowed, cannot exclude."""
    needed: int | None = None
    """Patients: of ``too_few`` the fewest with which a faultless model passes; of ``max_drop`` those that pass with
    ``POWER`` if nothing changed. None where no number up to a million does."""
    without_gold: int = 0
    """Instances without the gold that the gate needs; up to the share that the thresholds file allows they are counted
    as bad here, as they are for its PASS."""


class Capability(Record):
    """What a run's patients can show, gate by gate."""

    patients: int
    instances: int
    alpha: float
    gates: tuple[Shown, ...]
    power: float = POWER
    icc: float = ICC
    discordance: float = DISCORDANCE
    by_bets: bool = False
    """Whether gates may be decided early, by bets, which need more than is said here."""


@dataclass(frozen=True, slots=True)
class _Scope:
    """The instances that a gate speaks of."""

    layout: Layout
    instances: int
    lacking: BoolArray
    """Which of them lack gold that the gate needs, shape (instances,)."""

    @property
    def without_gold(self) -> int:
        return int(np.count_nonzero(self.lacking))


def capability(
    specs: Iterable[GateSpec],
    instances: Sequence[Instance],
    *,
    alpha: float,
    baseline: bool,
    arms: Mapping[Arm, Mapping[Stage, str]] | None = None,
    by_bets: bool = False,
) -> Capability:
    """Return what the blocking gates among ``specs`` can show on these instances.

    The chance of a PASS is simulated with the gate's own limits: the strata, the sizes of the clusters and the unit are
    those of the data, patients differ by a beta distribution (of pairs, Dirichlet) with correlation ``ICC``, and every
    instance is judged, but for those without gold, which count as bad. It takes some two tenths of a second for each
    gate, at 600 rows.

    Args:
        specs: The gates of the thresholds file.
        instances: Those of the run.
        alpha: One-sided error of a PASS.
        baseline: Whether a run of the release in use is given; gates against it are left out without one.
        arms: What each arm of the protocol is given, and whose: a gate needs the gold that is given and judged by.
        by_bets: Whether evaluation may end early.
    """
    frame = Frame.of(instances)
    wanted = [spec for spec in specs if spec.blocking and (baseline or spec.max_drop is None)]
    found = [_shown(spec, _scope(spec, frame, instances, arms or {}), alpha) for spec in wanted]
    return Capability(
        patients=int(np.unique(frame.cluster).size),
        instances=len(instances),
        alpha=alpha,
        gates=tuple(shown for shown in found if shown.instances),
        by_bets=by_bets,
    )


def _scope(
    spec: GateSpec, frame: Frame, instances: Sequence[Instance], arms: Mapping[Arm, Mapping[Stage, str]]
) -> _Scope:
    members = members_of(spec, frame)
    layout = Layout.of(frame.stratum[members], frame.cluster[members], alike=spec.unit is Unit.PATIENT)
    lacking = _without_gold(spec, selected(instances, members.tolist()), arms)
    worst = lacking if lacking.any() else None
    return _Scope(replace(layout, worst=worst, by_layout=spec.may_lack_gold), members.size, lacking)


def _shown(spec: GateSpec, scope: _Scope, alpha: float) -> Shown:
    refused = too_little_gold(spec, scope.without_gold, scope.instances) is not None
    if refused or (spec.max_events is not None and scope.without_gold > spec.max_events):
        return _said(spec, scope, says="no_gold")
    if spec.target is Target.BENCHMARK:
        return _said(spec, scope, says="list")
    if not scope.instances:
        return _said(spec, scope, says="too_few")
    if spec.max_events is not None:
        return _said(spec, scope, says="events", limit=_with_events(scope.layout, spec.max_events, alpha))
    return _of_truth(spec, scope, alpha)


def _of_truth(spec: GateSpec, scope: _Scope, alpha: float) -> Shown:
    layout, t = scope.layout, float(bound(spec))
    paired = spec.max_drop is not None or spec.metric is Metric.RECOVERY
    discordance = DISCORDANCE if paired else None
    best = _best(spec, paired=paired)
    truth = _largest(layout, t, alpha, discordance, best)
    if truth is None:
        needed = None if paired else patients_without_any(layout, t, alpha)
        limit = limit_at_best(layout, alpha, best)
        return _said(spec, scope, says="too_few", limit=_natural(spec, limit), needed=needed)
    needed = _pairs(layout, t, alpha) if spec.max_drop is not None and truth < 0.0 else None
    return _said(spec, scope, says="truth", truth=_natural(spec, truth), needed=needed)


def _with_events(layout: Layout, events: int, alpha: float) -> float:
    """Return which rate so many events leave possible, each in a patient of its own."""
    if not layout.by_layout:
        return clopper_pearson_upper(events, layout.clusters, alpha)
    size = size_by_layout(Sample(np.zeros(layout.n), np.zeros(layout.n, np.int64), layout.cluster))
    return clopper_pearson_upper(events * size / layout.n, size, alpha)


def _best(spec: GateSpec, *, paired: bool) -> float:
    """Return the best truth there can be: every answer recovered; against the release in use what differs is better."""
    if spec.metric is Metric.RECOVERY:
        return -1.0
    return -DISCORDANCE if paired else 0.0


@cache
def _largest(layout: Layout, t: float, alpha: float, discordance: float | None, best: float) -> float | None:
    """Return the largest truth: gates with one scope and one threshold share the simulation."""
    return largest_truth(layout, t, alpha=alpha, power=POWER, icc=ICC, discordance=discordance, best=best)


@cache
def _pairs(layout: Layout, t: float, alpha: float) -> int | None:
    """Return with how many patients a model passes that is as good as the release in use, if they are like these."""
    return patients_without_difference(layout, t, alpha=alpha, power=POWER, icc=ICC, discordance=DISCORDANCE)


def _natural(spec: GateSpec, y: float) -> float:
    return float(natural(spec, Fraction(y)))


def _without_gold(spec: GateSpec, instances: Sequence[Instance], arms: Mapping[Arm, Mapping[Stage, str]]) -> BoolArray:
    """Return which instances lack a gold text that is given to the model, or that a stage is judged by."""
    needed = {reading.part for reading in readings(spec) if reading.part != ANSWER}
    needed |= {
        stage for reading in readings(spec) for stage, whose in arms.get(reading.arm, {}).items() if whose == "gold"
    }
    if not needed:
        return np.zeros(len(instances), dtype=np.bool_)
    lacking = (any(instance.gold.text(Stage(stage)) is None for stage in needed) for instance in instances)
    return np.fromiter(lacking, dtype=np.bool_)


def _said(spec: GateSpec, scope: _Scope, **more: object) -> Shown:
    ((name, threshold),) = threshold_of(spec).items()
    return Shown.model_validate(
        {
            "gate": spec.id,
            "metric": spec.metric,
            "bound": name,
            "threshold": threshold,
            "patients": scope.layout.clusters,
            "instances": scope.instances,
            "without_gold": scope.without_gold,
            **more,
        }
    )
