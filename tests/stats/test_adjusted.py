"""A judge's rate adjusted by labels: the published formula, what is known without them, and simulated errors."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.special import stdtrit

from clinhallu_gate.stats import (
    Adjusted,
    Adjustment,
    Labelled,
    adjusted_rate,
    clopper_pearson_lower,
    clopper_pearson_upper,
)
from clinhallu_gate.stats.correction import Correction, Design
from clinhallu_gate.stats.sample import BoolArray, FloatArray

ALPHA = 0.05
REPETITIONS = 1000
#: Two standard errors of an error rate of .05 at this number of repetitions.
SLACK = 2 * (0.05 * 0.95 / REPETITIONS) ** 0.5
#: Assumed sizes of the benchmark's four sets; only their sum is published.
SETS = (337, 2694, 2400, 1600)


def _rate(data: Labelled, *, finite: bool = True) -> Adjusted:
    return adjusted_rate(data, lower_error=ALPHA, upper_error=ALPHA, finite=finite)


def _data(f: FloatArray, y: FloatArray, labelled: BoolArray, stratum: Sequence[int] | None = None) -> Labelled:
    n = f.size
    strata = np.zeros(n, np.int64) if stratum is None else np.asarray(stratum, np.int64)
    return Labelled(f, f, labelled, y, y, strata, np.arange(n, dtype=np.int64))


def _made(rate: float = 0.3, *, n: int = 2000, labels: int = 400, seed: int = 1) -> Labelled:
    """Return a run judged at .85 / .90 with a random sample of labels."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < rate).astype(float)
    f = np.where(y > 0, rng.random(n) < 0.85, rng.random(n) < 0.1).astype(float)
    labelled = np.zeros(n, np.bool_)
    labelled[rng.choice(n, labels, replace=False)] = True
    return _data(f, y, labelled)


# --- the formula ------------------------------------------------------------------------------------------------------


def _worked_example() -> Correction:
    """Four labelled instances, six that are not: f (1 0 1 1 | 1 0 0 1 0 0), y (1 0 1 0)."""
    labelled = np.array([True] * 4 + [False] * 6)
    design = Design.of(labelled, np.zeros(10, np.int64), np.arange(10, dtype=np.int64), finite=True)
    f = np.array([1, 0, 1, 1, 1, 0, 0, 1, 0, 0], float)
    return Correction(design, f, np.array([1, 0, 1, 0], float))


def test_the_estimate_is_ppis() -> None:
    """PPI++ (arXiv 2311.01453, eq. 2 and sec. 6): lam' mean(f unlabelled) + mean(y - lam' f labelled).

    Its lam' = Cov / ((1 + n/N') Var) with N' = 6 instances beside the n = 4 labelled ones: by hand Cov = .5/3,
    Var = .75/3, lam' = (2/3) / (10/6) = .4, and .4 * 2/6 + (2 - .4 * 3) / 4 = 1/3. The survey samplers' form takes the
    mean of f over all ten, with lam = Cov / Var = 2/3.
    """
    example = _worked_example()
    assert example.weight() == pytest.approx(2 / 3)
    assert example.estimate(example.weight()) == pytest.approx(1 / 3)
    assert example.estimate(2 / 3) == pytest.approx(0.4 * 2 / 6 + (2 - 0.4 * 3) / 4)


def test_without_weight_it_is_the_mean_of_the_labels() -> None:
    """With lam = 0 the judge does not count."""
    assert _worked_example().estimate(0.0) == pytest.approx(2 / 4)


def test_the_variance_of_a_list_is_the_difference_estimators() -> None:
    """Särndal, Swensson and Wretman (1992), sec. 6.3: (1 - n/N) S^2(y - lam f) / n, by hand for lam = 1.

    Residuals 0 0 0 -1: S^2 = .25, and (1 - .4) * .25 / 4 = .0375.
    """
    assert _worked_example()._variance(1.0, np.zeros(1)) == pytest.approx([0.0375])


def test_the_variance_of_a_population_is_ppis() -> None:
    """PPI++ adds Var(lam' f) / N' over the unlabelled to Var(y - lam' f) / n; the sandwich comes to the same."""
    data = _made(n=7000)
    f, y, labelled = data.f_high, data.y_high, data.labelled
    design = Design.of(labelled, data.stratum, data.cluster, finite=False)
    correction = Correction(design, f, y[labelled])
    lam = correction.weight()
    theirs = lam * (~labelled).sum() / labelled.size
    wanted = np.var(theirs * f[~labelled]) / (~labelled).sum() + np.var(y[labelled] - theirs * f[labelled]) / 400
    assert correction._variance(lam, np.zeros(1)) == pytest.approx([wanted], rel=0.02)


def test_the_limit_counts_one_label_more() -> None:
    """By hand, for a judge that is right on each of 200 labels: one residual of 1 among 201, at 1 - 200/2000."""
    y = np.repeat([1.0, 0.0], 1000)
    labelled = np.tile(np.arange(10) == 0, 200)
    found = _rate(_data(y, y, labelled))
    variance = 0.9 * ((200 * (1 / 201) ** 2) + (200 / 201) ** 2) / 200 / 201
    wide = 0.9 / 201 + float(stdtrit(199, 0.95)) * variance**0.5
    assert (found.adjustment, found.estimate, found.lam) == (Adjustment.PPI, pytest.approx(0.5), pytest.approx(1.0))
    assert (found.lower, found.upper) == (pytest.approx(0.5 - wide), pytest.approx(0.5 + wide))


# --- which rule -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rate", "labels", "rule"),
    [
        (0.3, 200, Adjustment.PPI),
        (0.3, 199, Adjustment.LABELS_ONLY),
        (0.03, 400, Adjustment.LABELS_ONLY),
        (0.97, 400, Adjustment.LABELS_ONLY),
    ],
)
def test_few_labels_and_rare_kinds_stand_alone(rate: float, labels: int, rule: Adjustment) -> None:
    """Under 200 labels, and where one kind is rare: then the limit that a rare kind endangers is the labels' own."""
    data = _made(rate, labels=labels)
    found = _rate(data)
    assert (found.adjustment, found.labels) == (rule, labels)
    if rule is Adjustment.LABELS_ONLY:
        bad = float(data.y_high[data.labelled].sum())
        assert found.estimate == pytest.approx(bad / labels)
        lower, upper = clopper_pearson_lower(bad, labels, ALPHA), clopper_pearson_upper(bad, labels, ALPHA)
        assert found.lower <= lower + 1e-12 if rate < 0.1 else found.lower == pytest.approx(lower)
        assert found.upper >= upper - 1e-12 if rate > 0.9 else found.upper == pytest.approx(upper)
        assert found.lam == 0.0


def test_a_stratum_without_labels_leaves_all_open() -> None:
    """Nothing is known of the mean over strata."""
    data = _made()
    found = _rate(replace(data, stratum=(~data.labelled).astype(np.int64)))
    assert (found.estimate, found.lower, found.upper) == (None, 0.0, 1.0)
    nothing = _rate(replace(data, labelled=np.zeros_like(data.labelled)))
    assert (nothing.estimate, nothing.lower, nothing.upper, nothing.labels) == (None, 0.0, 1.0, 0)


def test_a_stratum_with_one_label_lets_labels_stand_alone() -> None:
    """One value shows no variance."""
    data = _made()
    stratum = np.zeros(data.labelled.size, np.int64)
    stratum[[np.flatnonzero(data.labelled)[0], *np.flatnonzero(~data.labelled)[:50]]] = 1
    assert _rate(replace(data, stratum=stratum)).adjustment is Adjustment.LABELS_ONLY


def test_labels_of_everything_are_the_rate_of_a_list() -> None:
    """Without any sampling error, strata with equal weight."""
    data = _made(0.05, n=300, labels=300)
    data = replace(data, stratum=np.repeat([0, 1], [100, 200]))
    found = _rate(data)
    wanted = (data.y_high[:100].mean() + data.y_high[100:].mean()) / 2
    assert (found.estimate, found.lower, found.upper) == pytest.approx((wanted, wanted, wanted))


def test_a_judge_worse_than_chance_does_not_count() -> None:
    """Nor one that says one thing of everything."""
    data = _made()
    wrong = 1 - data.f_high
    same = np.ones_like(wrong)
    for found in (_rate(replace(data, f_low=f, f_high=f)) for f in (wrong, same)):
        assert (found.adjustment, found.lam) == (Adjustment.PPI, 0.0)
        assert found.estimate == pytest.approx(data.y_high[data.labelled].mean())


# --- what is missing --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.03, 0.3])
def test_the_estimate_is_of_what_is_known(rate: float) -> None:
    """Not the middle of what is possible: rows left blank at random leave it where it was, limits hold both ways."""
    data = _made(rate)
    blank = np.flatnonzero(data.labelled)[::4]
    low, high = data.y_low.copy(), data.y_high.copy()
    low[blank], high[blank] = 0.0, 1.0
    found = _rate(replace(data, y_low=low, y_high=high))
    known = data.labelled.copy()
    known[blank] = False
    f, y = data.f_high, data.y_high
    wanted = found.lam * f.mean() + (y - found.lam * f)[known].mean()
    assert found.estimate == pytest.approx(wanted)
    assert found.lower < wanted < found.upper


def test_nobody_found_anything_of_what_has_gold() -> None:
    """24 rows, two without gold and 22 grounded: the rate is 0, and up to 2 of 24 more in the limits."""
    all_, bare = np.ones(24, dtype=np.bool_), np.array([1.0, 1.0] + [0.0] * 22)
    zeros, one = np.zeros(24), np.zeros(24, np.int64)
    data = Labelled(zeros, bare, all_, zeros, bare, one, np.arange(24))
    for finite, upper in ((True, 2 / 24), (False, clopper_pearson_upper(2.0, 24, ALPHA))):
        found = adjusted_rate(data, lower_error=ALPHA, upper_error=ALPHA, finite=finite, by_layout=True)
        assert (found.estimate, found.lower, found.upper) == (0.0, 0.0, pytest.approx(upper))
    unknown = replace(data, y_low=zeros, y_high=np.ones(24))
    assert _rate(unknown).estimate is None


def test_blank_rows_count_both_ways() -> None:
    """Ten rows left blank widen the limits to both sides, by about their share at least."""
    data = _made()
    blank = np.flatnonzero(data.labelled)[:10]
    low, high = data.y_low.copy(), data.y_high.copy()
    low[blank], high[blank] = 0.0, 1.0
    whole, gaps = _rate(data), _rate(replace(data, y_low=low, y_high=high))
    assert gaps.lower < whole.lower < whole.upper < gaps.upper
    assert gaps.upper - gaps.lower > whole.upper - whole.lower + 0.9 * 10 / 400


def test_labels_of_what_was_not_sampled_are_not_read() -> None:
    """Whatever stands there."""
    data = _made()
    y = np.where(data.labelled, data.y_high, np.nan)
    assert _rate(replace(data, y_low=y, y_high=y)) == _rate(data)


def test_bad_and_good_may_change_places() -> None:
    """The complement has the complementary limits."""
    data = _made()
    mirrored = replace(data, **{name: 1 - getattr(data, name) for name in ("f_low", "f_high", "y_low", "y_high")})
    for finite in (True, False):
        one, other = _rate(data, finite=finite), _rate(mirrored, finite=finite)
        assert (one.lower, one.upper) == (pytest.approx(1 - other.upper), pytest.approx(1 - other.lower))


def test_clusters_widen_the_limits_of_a_population_only() -> None:
    """Twenty equal rows of one image say little more than one."""
    data = _made(n=100, labels=100)
    repeated = Labelled(
        **{name: np.repeat(getattr(data, name), 20) for name in ("f_low", "f_high", "y_low", "y_high", "stratum")},
        labelled=np.tile([True, False], 1000),
        cluster=np.repeat(np.arange(100), 20),
    )
    alone = replace(repeated, cluster=np.arange(2000))
    assert _rate(repeated) == _rate(alone)
    assert _rate(repeated, finite=False).upper - 0.03 > _rate(alone, finite=False).upper


# --- simulated errors -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Errors:
    """Shares of the simulated runs."""

    false_pass: float
    false_fail: float
    raw_false_pass: float
    raw_false_fail: float


def _allocation(sizes: Sequence[int], labels: int) -> list[int]:
    """Return equal shares, as far as strata have so many."""
    taken = [0] * len(sizes)
    for _ in range(labels):
        taken[min((s for s in range(len(sizes)) if taken[s] < sizes[s]), key=taken.__getitem__)] += 1
    return taken


def _errors(
    rate: float, labels: int, *, sizes: Sequence[int], finite: bool, judge: tuple[float, float] = (0.85, 0.9)
) -> Errors:
    """Draw runs whose true rate is the threshold; a list is drawn once, its judge and its sample each time."""
    rng = np.random.default_rng(20260701)
    stratum = np.repeat(np.arange(len(sizes)), sizes)
    places = np.split(np.arange(stratum.size), np.cumsum(sizes)[:-1])
    taken = _allocation(sizes, labels)
    held = np.concatenate([np.arange(size) < round(rate * size) for size in sizes]).astype(float)
    truth = np.mean([held[place].mean() for place in places]) if finite else rate
    count = np.zeros(4)
    for _ in range(REPETITIONS):
        y = held if finite else (rng.random(held.size) < rate).astype(float)
        f = np.where(y > 0, *(rng.random(held.size) < share for share in (judge[0], 1 - judge[1]))).astype(float)
        labelled = np.zeros(held.size, np.bool_)
        for place, k in zip(places, taken, strict=True):
            labelled[rng.choice(place, k, replace=False)] = True
        found = _rate(_data(f, y, labelled, stratum), finite=finite)
        raw = np.mean([f[place].mean() for place in places])
        count += (found.upper < truth, found.lower > truth, raw < truth, raw > truth)
    return Errors(*(count / REPETITIONS))


@pytest.mark.parametrize("rate", [0.55, 0.25, 0.12, 0.05])
@pytest.mark.parametrize(
    ("labels", "sizes", "finite"), [(200, SETS, True), (400, (7031,), False)], ids=["list of four", "population"]
)
def test_both_errors_stay_near_five_percent(rate: float, labels: int, sizes: Sequence[int], *, finite: bool) -> None:
    """A judge of .85 / .90 at the boundary; its raw rate is wrong in every run, to the one side or to the other."""
    errors = _errors(rate, labels, sizes=sizes, finite=finite)
    assert max(errors.false_pass, errors.false_fail) <= ALPHA + SLACK
    assert max(errors.raw_false_pass, errors.raw_false_fail) > 0.99


def test_a_judge_that_errs_rarely_is_not_taken_for_faultless() -> None:
    """A judge of .99 / 1 on 200 labels shows no error in most samples: the limits keep a width all the same."""
    errors = _errors(0.25, 200, sizes=(7031,), finite=True, judge=(0.99, 1.0))
    assert max(errors.false_pass, errors.false_fail) <= ALPHA
    assert errors.raw_false_pass > 0.99
