"""Margins that a judge with labels can see, simulated where models leave parts out."""

from fractions import Fraction

import numpy as np
import pytest

from clinhallu_gate.gate.labelled import Labels, Undelivered, shrunken
from clinhallu_gate.stats import tango_lower, tango_upper

N, MARGIN, RUNS = 7000, 0.02, 1500


@pytest.mark.parametrize(
    ("sensitivity", "specificity", "more"),
    [(0.6, 1.0, 0.15), (0.7, 0.97, 0.15), (0.85, 0.9, 0.1), (0.85, 0.9, 0.0), (0.85, 0.9, -0.1), (0.6, 1.0, -0.15)],
)
def test_errors_with_parts_that_one_model_does_not_deliver(sensitivity: float, specificity: float, more: float) -> None:
    """True difference at the margin, 300 labels, seed 20260101: both errors stay near .05, whoever lacks parts."""
    rng = np.random.default_rng(20260101)
    passed = failed = 0
    for _ in range(RUNS):
        new, old = pairs(rng, more)
        seen_new, seen_old = judged(rng, new, sensitivity, specificity), judged(rng, old, sensitivity, specificity)
        labels = labels_of(rng, new, old, seen_new)
        more_undelivered = Fraction(float(labels.undelivered_more.mean()))
        undelivered = Undelivered(more_undelivered, more_undelivered)
        margins = shrunken(labels, Fraction(str(MARGIN)), undelivered, errors=(0.05, 0.05))
        gains = int(np.sum(seen_new & ~seen_old))
        losses = int(np.sum(~seen_new & seen_old))
        passed += tango_upper(gains, losses, N, 0.05) <= margins.within
        failed += tango_lower(gains, losses, N, 0.05) > margins.beyond
    assert max(passed, failed) / RUNS <= 0.05 + 3 * (0.05 * 0.95 / RUNS) ** 0.5


def pairs(rng: np.random.Generator, more: float) -> tuple[np.ndarray, np.ndarray]:
    """Return what both models are: 0 good, 1 bad, 2 not delivered, with a true difference of ``MARGIN``.

    One model leaves out a share ``abs(more)``; the other's rate makes up for it.
    """
    base, share = 0.25, abs(more)
    part = np.where(np.arange(N) < share * N, 2, rng.random(N) < base / (1.0 - share))
    full = (rng.random(N) < share + base + (MARGIN if more < 0 else -MARGIN)).astype(int)
    return (part, full) if more >= 0 else (full, part)


def judged(rng: np.random.Generator, truth: np.ndarray, sensitivity: float, specificity: float) -> np.ndarray:
    """Return what the judge calls bad; what was not delivered is bad to everybody."""
    said = np.where(truth == 1, rng.random(N) < sensitivity, rng.random(N) >= specificity)
    return (truth == 2) | said


def labels_of(rng: np.random.Generator, new: np.ndarray, old: np.ndarray, seen: np.ndarray) -> Labels:
    """Return the labels of 300 of the new model's instances."""
    sampled = np.zeros(N, dtype=bool)
    sampled[rng.choice(N, 300, replace=False)] = True
    truth = (new > 0).astype(float)
    return Labels(
        judge_low=seen.astype(float),
        judge_high=seen.astype(float),
        delivered=new < 2,
        sampled=sampled,
        low=truth,
        high=truth,
        undelivered_more=(new == 2).astype(float) - (old == 2).astype(float),
        lacks=np.zeros(N, dtype=bool),
    )
