"""By what factor a margin shrinks, and what a paired test with the shrunken margin errs (seed 20260702)."""

import numpy as np
import pytest

from clinhallu_gate.stats import Discernible, Right, discernible, tango_lower, tango_upper

ALPHA = 0.05
REPETITIONS = 1000
SLACK = 2 * (0.05 * 0.95 / REPETITIONS) ** 0.5


def _factor(sensitivity: Right, specificity: Right) -> Discernible:
    return discernible(sensitivity, specificity, lower_error=ALPHA, upper_error=ALPHA)


def test_the_factor() -> None:
    """It is se + sp - 1, with limits on both sides of it."""
    found = _factor(Right(85, 100), Right(270, 300))
    assert found.estimate == pytest.approx(0.75)
    assert 0.65 < found.lower < 0.75 < found.upper < 0.85


def test_more_labels_bring_the_limits_together() -> None:
    """Around the same factor."""
    few, many = _factor(Right(17, 20), Right(54, 60)), _factor(Right(850, 1000), Right(2700, 3000))
    assert few.lower < many.lower < 0.75 < many.upper < few.upper


@pytest.mark.parametrize("empty", [(Right(0, 0), Right(9, 9)), (Right(9, 9), Right(0, 0))])
def test_without_labels_of_a_kind_nothing_is_known(empty: tuple[Right, Right]) -> None:
    """No estimate; nothing passes, and a FAIL needs the whole margin."""
    assert _factor(*empty) == Discernible(None, 0.0, 1.0)


def test_a_judge_without_sense_shows_nothing() -> None:
    """The factor stays between 0 and 1."""
    assert _factor(Right(10, 100), Right(10, 100)).estimate == 0.0
    assert _factor(Right(10, 100), Right(10, 100)).lower == 0.0
    assert _factor(Right(100, 100), Right(100, 100)) == Discernible(
        1.0, pytest.approx(1 - 2**0.5 * (1 - 0.05**0.01)), 1.0
    )


@pytest.mark.parametrize(("pairs", "margin", "labels"), [(1000, 0.05, 200), (7031, 0.05, 200), (7031, 0.1, 400)])
def test_non_inferiority_with_the_shrunken_margin(pairs: int, margin: float, labels: int) -> None:
    """At the boundary both errors stay below .05 with the limits of the factor; with the raw margin they do not."""
    rng = np.random.default_rng(20260702)
    old, discordance, judge = 0.25, 0.12, np.array([0.1, 0.85])
    gain, loss = (discordance + margin) / 2, (discordance - margin) / 2
    kinds = np.array([[1, 1], [1, 0], [0, 1], [0, 0]])
    shares = [old - loss, loss, gain, 1 - old - gain]
    raw = below = above = 0
    for _ in range(REPETITIONS):
        y = np.repeat(kinds, rng.multinomial(pairs, shares), axis=0)
        seen = rng.random(y.shape) < judge[y]
        gains, losses = int((seen[:, 1] & ~seen[:, 0]).sum()), int((seen[:, 0] & ~seen[:, 1]).sum())
        bad = rng.binomial(labels, old + margin)
        found = _factor(
            Right(rng.binomial(bad, 0.85), bad), Right(rng.binomial(labels - bad, 0.9), labels - bad)
        )  # fmt: skip
        upper, lower = tango_upper(gains, losses, pairs, ALPHA), tango_lower(gains, losses, pairs, ALPHA)
        raw += upper <= margin
        below += upper <= margin * found.lower
        above += lower > margin * found.upper
    assert max(below, above) / REPETITIONS <= ALPHA
    assert raw / REPETITIONS > ALPHA + SLACK
