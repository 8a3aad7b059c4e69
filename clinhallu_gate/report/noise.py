"""What repeated traces say of the run's noise: by reading, by instance, and of the judge itself."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from clinhallu_gate.records import Failed, Instance, Judged, Reading, Record, Verdict
from clinhallu_gate.results import HEADLINE_READINGS, Results
from clinhallu_gate.stats.noise import Noise, split_variance
from clinhallu_gate.vocabulary import Arm, Part

#: Instances that are named as those that flip most.
_NAMED: Final = 10


class ReadingNoise(Record):
    """How far the traces of an instance differ in one reading."""

    arm: Arm
    part: Part
    instances: int
    """With a verdict on every trace."""
    between: float
    within: float
    flip: float
    """Probability that two traces of an instance are judged differently, mean over instances."""
    guard: float
    """How far the expected rate may lie from that of these traces, one-sided 95 %."""
    unsteady: tuple[str, ...]
    """The instances that flip most, if any does, with their own flip probability first: ``0.67 phantom/ct-0001``."""


class JudgeNoise(Record):
    """How far the judge agrees with itself: some judgements asked for twice."""

    asked: int
    judged: int
    flipped: int


class RunNoise(Record):
    """What ``--repeats`` shows."""

    repeats: int
    readings: tuple[ReadingNoise, ...]
    judge: JudgeNoise | None
    """None where nobody was asked twice: the oracle says the same of the same."""


@dataclass(frozen=True, slots=True)
class _Counted:
    """The instances with a verdict on every trace of a reading, and what these said; y has shape (n, k)."""

    uids: Sequence[str]
    y: np.ndarray


def noise_of(results: Results, repeats: int) -> RunNoise | None:
    """Return the noise of a run; None with one trace per instance."""
    if repeats < 2:  # noqa: PLR2004 - variance needs two
        return None
    found = [_reading(results, reading, repeats) for reading in HEADLINE_READINGS]
    retest = results.retest
    judge = JudgeNoise(asked=retest.asked, judged=retest.judged, flipped=retest.flipped) if retest else None
    return RunNoise(repeats=repeats, readings=tuple(each for each in found if each is not None), judge=judge)


def _reading(results: Results, reading: Reading, repeats: int) -> ReadingNoise | None:
    counted = _counted(results, reading, repeats)
    if not counted.uids:
        return None
    noise: Noise = split_variance(counted.y)
    return ReadingNoise(
        arm=reading.arm,
        part=reading.part,
        instances=noise.instances,
        between=noise.between,
        within=noise.within,
        flip=noise.flip,
        guard=noise.guard,
        unsteady=tuple(_unsteady(counted)),
    )


def _counted(results: Results, reading: Reading, repeats: int) -> _Counted:
    rows = {instance.uid: _row(results, instance, reading, repeats) for instance in results.instances}
    known: Mapping[str, list[float]] = {uid: row for uid, row in rows.items() if len(row) == repeats}
    return _Counted(list(known), np.array(list(known.values())))


def _row(results: Results, instance: Instance, reading: Reading, repeats: int) -> list[float]:
    verdicts = [results.bare_verdict(instance.uid, replace(reading, repeat=k)) for k in range(repeats)]
    return [_bad(verdict) for verdict in verdicts if isinstance(verdict, Judged | Failed)]


def _bad(verdict: Verdict) -> float:
    return float(isinstance(verdict, Failed) or (isinstance(verdict, Judged) and verdict.bad))


def _unsteady(counted: _Counted) -> Iterator[str]:
    flips = 2.0 * counted.y.var(axis=1, ddof=1)
    for place in np.argsort(-flips, kind="stable")[:_NAMED]:
        if flips[place] > 0:
            yield f"{flips[place]:.2f} {counted.uids[place]}"
