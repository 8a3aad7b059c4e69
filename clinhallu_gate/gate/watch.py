"""One gate while the instances come in: what it still needs, and what it decided as soon as it could."""

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Final

import numpy as np

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.gate.decide import (
    Rules,
    counts_of,
    decide,
    decide_events,
    flips_of,
    measured_by,
    not_completed,
    too_many_unjudged,
)
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.gate.further import further_instances
from clinhallu_gate.gate.limits import TIE, Limits, bound, natural, turned
from clinhallu_gate.gate.metrics import GateArrays, NotApplicable, VerdictOf, gate_arrays, members_of
from clinhallu_gate.gate.result import GateResult, SequencePoint, gate_result
from clinhallu_gate.gate.wording import explain
from clinhallu_gate.stats.sample import FloatArray, IntArray
from clinhallu_gate.stats.sequential import Crossing, Drawn, Side, confidence_sequence, crossing
from clinhallu_gate.stats.sequential import Limits as Bounds
from clinhallu_gate.vocabulary import Decision, Method, Target, Unit

#: Points at which the report shows a confidence sequence.
_POINTS: Final = 15
_FIRST_POINT: Final = 10


@dataclass(slots=True)
class Watch:
    """A gate over instances that are visited in a drawn order; only the finished beginning of the order counts.

    Results that arrive out of order must not: slow replies are long ones, and long ones hallucinate more.
    """

    spec: GateSpec
    frame: Frame
    order: IntArray
    """Positions of all instances of the run, as they are visited; those of one unit stand together."""
    verdict_of: VerdictOf
    baseline_of: VerdictOf | None
    rules: Rules
    result: GateResult | None = None
    """What was decided; None while the gate is open."""
    places: IntArray = field(init=False)
    """Places in the order of the instances that the gate speaks of, rising."""
    stops: bool = field(init=False)
    """Whether the gate can be decided by bets, before all of its instances were asked.

    For a list always; for patients like these if what is drawn is independent: instances that share no cluster, or
    patients that lie in one stratum each. Events are counted to the end.
    """
    _sizes: IntArray = field(init=False)
    """Units of each stratum in the scope."""
    _arrays: GateArrays | None = None

    def __post_init__(self) -> None:
        mine = np.zeros(len(self.frame.uids), dtype=np.bool_)
        mine[members_of(self.spec, self.frame)] = True
        self.places = np.flatnonzero(mine[self.order])
        stratum = np.unique(self._strata, return_inverse=True)[1]
        clusters = np.arange(self.places.size) if self.spec.unit is Unit.INSTANCE else self._clusters
        self._sizes = np.bincount(stratum[_starts(np.stack([stratum, clusters]))])
        independent = np.unique(self._clusters).size == int(self._sizes.sum())
        self.stops = self.spec.max_events is None and (self.spec.target is Target.BENCHMARK or independent)

    def look(self, finished: int) -> None:
        """Decide if that is possible now; the first ``finished`` places of the order have their verdicts."""
        if self.result is not None:
            return
        seen = self._whole_units(int(np.searchsorted(self.places, finished)))
        arrays = self._laid_out(seen)
        if isinstance(arrays, NotApplicable):
            self.result = decide(self.spec, arrays, self.rules)
        elif seen and self.spec.max_events is not None:
            found = decide_events(self.spec, arrays, self.rules, complete=False)
            self.result = self._early(found, seen) if found.decision is Decision.FAIL else None
        elif seen and self.stops:
            self.result = self._crossed(arrays)

    def settle(self) -> GateResult:
        """Return the result at the end of the evaluation.

        A list of which everything was asked after all is compared, whatever was said on the way. An open gate of which
        a part was asked, as no blocking gate needed the rest, stays open.
        """
        by_bets = self.stops and self.spec.target is Target.POPULATION and self.places.size
        if by_bets and self.result is not None:
            return self.result
        try:
            arrays = self._read(self.places.size)
        except EvaluationFailed:
            return self.result or self._left_open()
        if isinstance(arrays, NotApplicable) or not by_bets:
            return decide(self.spec, arrays, self.rules)
        return self._by_bets(arrays, self._drawn(arrays), None)

    def _left_open(self) -> GateResult:
        """Return what is known of a gate that nothing more was asked for; only bets may stop at any n."""
        why = "not asked to the end, since no blocking gate needed it"
        arrays = self._arrays
        if arrays is None or not arrays.n or not self.stops:
            return gate_result(self.spec, Decision.INCONCLUSIVE, why, of=int(self.places.size))
        found = self._by_bets(arrays, self._drawn(arrays), None)
        return found.model_copy(update={"reason": f"{found.reason}; {why}"})

    # --- what was seen ---------------------------------------------------------------------------------------------

    def _whole_units(self, seen: int) -> int:
        """Return ``seen`` without the beginning of a patient whose other instances are not finished."""
        if self.spec.unit is Unit.INSTANCE or seen in (0, self.places.size):
            return seen
        while seen and self._same_unit(seen - 1, seen):
            seen -= 1
        return seen

    def _same_unit(self, one: int, other: int) -> bool:
        here = self._strata[one] == self._strata[other]
        return bool(here and self._clusters[one] == self._clusters[other])

    @property
    def _strata(self) -> IntArray:
        return self.frame.stratum[self.order[self.places]]

    @property
    def _clusters(self) -> IntArray:
        return self.frame.cluster[self.order[self.places]]

    def _read(self, until: int, since: int = 0) -> GateArrays | NotApplicable:
        """Return the arrays of the gate's instances ``since`` to ``until``, in the order of the visit."""
        return gate_arrays(
            self.spec,
            self.frame,
            self.verdict_of,
            self.baseline_of,
            members=self.order[self.places[since:until]],
            repeats=self.rules.repeats,
        )

    def _laid_out(self, seen: int) -> GateArrays | NotApplicable:
        """Return the arrays of the first ``seen`` instances; what was laid out before is kept."""
        done = self._arrays.n if self._arrays is not None else 0
        new = self._read(seen, done)
        if isinstance(new, NotApplicable):
            return new
        self._arrays = new if self._arrays is None else _joined(self._arrays, new)
        return self._arrays

    def _drawn(self, arrays: GateArrays) -> Drawn:
        """Return the units that were seen, each with the mean of its traces (of all its instances, for a patient)."""
        start = _starts(arrays.units[None, :])
        stratum = np.searchsorted(np.unique(self._strata), arrays.stratum[start])
        within, beyond = (_on_scale(_means(y, start), arrays) for y in (arrays.y_pass, arrays.y_fail))
        if self.spec.target is Target.POPULATION:
            return Drawn.of_population(within, beyond, stratum, self._sizes.tolist())
        return Drawn.of_list(within, beyond, 1.0 / (self._sizes.size * self._sizes[stratum]))

    # --- what is decided -------------------------------------------------------------------------------------------

    def _crossed(self, arrays: GateArrays) -> GateResult | None:
        """Return what is decided, if one of the tests shows something by now and enough is judged.

        One verdict that the judge fails to give is too large a share of the first few; with the next ones it is not.
        """
        drawn = self._drawn(arrays)
        threshold = self._threshold(arrays)
        found = crossing(drawn, threshold, within_error=self.rules.alpha, beyond_error=self.rules.fail_error)
        n = None if found is None else self._enough_judged(arrays, found.n)
        return None if found is None or n is None else self._by_bets(arrays, drawn, found._replace(n=n))

    def _threshold(self, arrays: GateArrays) -> float:
        return float(_on_scale(np.array([float(bound(self.spec))]), arrays)[0])

    def _enough_judged(self, arrays: GateArrays, n: int) -> int | None:
        """Return the first number of units, ``n`` or more, of which no more are unjudged than allowed."""
        instances = _ends(arrays) // arrays.repeats
        unjudged = arrays.n_unjudged[instances - 1]
        allowed = Fraction(str(self.spec.max_unjudged))
        good = unjudged * allowed.denominator <= instances * allowed.numerator
        good[: n - 1] = False
        return int(np.argmax(good)) + 1 if good.any() else None

    def _by_bets(self, arrays: GateArrays, drawn: Drawn, found: Crossing | None) -> GateResult:
        """Return what the units up to the crossing decided; without one, that all of them leave the gate open."""
        if found is None and too_many_unjudged(self.spec, arrays):
            return not_completed(self.spec, arrays)
        decision, n = Decision.INCONCLUSIVE, drawn.n
        if found is not None:
            decision, n = Decision.PASS if found.side is Side.WITHIN else Decision.FAIL, found.n
        arrays = self._first_units(arrays, n)
        sequence = self._sequence(drawn, n, found, self._threshold(arrays))
        limits = self._limits(sequence[-1], arrays)
        measured = measured_by(self.spec, None, limits)
        of = None if arrays.n == self.places.size else int(self.places.size)
        further = further_instances(self.spec, arrays, limits, of=of) if found is None else None
        judge_defined = self.rules.judge_defined
        return gate_result(
            self.spec,
            decision,
            explain(self.spec, arrays, decision, measured, further=further, judge_defined=judge_defined, of=of),
            counts=counts_of(arrays),
            measured=measured,
            of=of,
            further=further,
            judge_defined=judge_defined,
            confidence_sequence=tuple(self._point(each, arrays) for each in sequence),
            flips=flips_of(self.spec, arrays, float(limits.lower), whole=of is None),
        )

    def _first_units(self, arrays: GateArrays, n: int) -> GateArrays:
        """Return the arrays of the first ``n`` units: of a population no bet goes on once a stratum has none left."""
        ends = _ends(arrays)
        read = self._read(int(ends[n - 1]) // arrays.repeats) if 0 < n < ends.size else arrays
        return read if isinstance(read, GateArrays) else arrays

    def _sequence(self, drawn: Drawn, n: int, found: Crossing | None, threshold: float) -> list[Bounds]:
        """Return the confidence sequence up to ``n``; what decided lies on its side of the threshold, in print too."""
        errors = {"within_error": self.rules.alpha, "beyond_error": self.rules.fail_error}
        *before, last = confidence_sequence(drawn, _points(n), **errors)
        if found is not None and found.side is Side.WITHIN:
            last = last._replace(upper=min(last.upper, threshold))
        elif found is not None:
            last = last._replace(lower=max(last.lower, threshold))
        return [*before, last]

    def _early(self, result: GateResult, seen: int) -> GateResult:
        """Return a result that was found before all of the gate's instances were asked: what was seen is no rate."""
        if seen == self.places.size:
            return result
        unknown = dict.fromkeys(("estimate", "interval", "interval_levels", "method"))
        return result.model_copy(update={"of": int(self.places.size), **unknown})

    def _limits(self, found: Bounds, arrays: GateArrays) -> Limits:
        lower, upper = (_off_scale(value, arrays) for value in (found.lower, found.upper))
        return Limits(lower, self.rules.fail_error, upper, self.rules.alpha, TIE, Method.BETTING)

    def _point(self, found: Bounds, arrays: GateArrays) -> SequencePoint:
        ends = [float(natural(self.spec, _off_scale(value, arrays))) for value in (found.lower, found.upper)]
        lower, upper = ends[::-1] if turned(self.spec) else ends
        return SequencePoint(n=found.n, lower=lower, upper=upper)


def _on_scale(y: FloatArray, arrays: GateArrays) -> FloatArray:
    """Bring differences from -1..1 to 0..1, where bets are made."""
    return (y + 1.0) / 2.0 if arrays.paired else y


def _off_scale(value: float, arrays: GateArrays) -> Fraction:
    return Fraction(2.0 * value - 1.0 if arrays.paired else value)


def _starts(codes: IntArray) -> IntArray:
    """Return where each unit begins, by the codes in its column, shape (k, n); the entries of a unit stand together."""
    changes = np.any(np.diff(codes, axis=1) != 0, axis=0)
    return np.flatnonzero(np.concatenate([np.ones(min(codes.shape[1], 1), np.bool_), changes]))


def _ends(arrays: GateArrays) -> IntArray:
    """Return where each unit ends."""
    return np.append(_starts(arrays.units[None, :])[1:], arrays.y_pass.size)


def _means(y: FloatArray, start: IntArray) -> FloatArray:
    """Return the mean of each unit's entries."""
    means: FloatArray = np.add.reduceat(y, start) / np.diff(np.append(start, y.size))
    return means


def _points(n: int) -> list[int]:
    """Return where a confidence sequence is shown: by rising steps, and at its end."""
    spread = np.geomspace(min(_FIRST_POINT, n), n, _POINTS)
    return [int(each) for each in np.unique(np.round(spread).astype(np.int64))]


def _joined(first: GateArrays, then: GateArrays) -> GateArrays:
    arrays = {
        name: np.concatenate([getattr(first, name), getattr(then, name)])
        for name in ("y_pass", "y_fail", "judged", "stratum", "cluster")
    }
    return replace(first, failed=first.failed + then.failed, **arrays)
