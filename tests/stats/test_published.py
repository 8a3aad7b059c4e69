"""Published and hand-worked values of the exact and score methods, and other programs' answers."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import stdtrit
from scipy.stats import binomtest
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

from clinhallu_gate.stats import (
    Sample,
    clopper_pearson_lower,
    clopper_pearson_upper,
    mcnemar_worse,
    tango_lower,
    tango_upper,
    upper_limit_of_mean,
)
from clinhallu_gate.stats.effective import effective_size
from clinhallu_gate.stats.moments import strata_moments


@pytest.mark.parametrize(("events", "n"), [(0, 25), (1, 7), (10, 20), (7031, 7031)])
def test_clopper_pearson_of_statsmodels(events: int, n: int) -> None:
    """The two-sided 95 % limits are those of statsmodels' ``beta`` method; 0 of 25 give .137 (Agresti, CDA, 1.4.3)."""
    lower, upper = proportion_confint(events, n, 0.05, method="beta")
    assert clopper_pearson_lower(events, n, 0.025) == pytest.approx(lower, abs=1e-12)
    assert clopper_pearson_upper(events, n, 0.025) == pytest.approx(upper, abs=1e-12)
    assert clopper_pearson_upper(0, 25, 0.025) == pytest.approx(0.137, abs=5e-4)


@pytest.mark.parametrize(
    ("pairs", "alpha", "limits", "digits"),
    [
        ((9, 3, 32), 0.025, (-0.027, 0.390), 3),  # sleeping difficulties (Karacan et al.), Tango 1998, section 6.2
        ((28, 25, 618), 0.05, (-0.0148, 0.0247), 4),  # R, PropCIs::scoreci.mp(25, 28, 618, .90)
    ],
)
def test_tango(pairs: tuple[int, int, int], alpha: float, limits: tuple[float, float], digits: int) -> None:
    """The limits are those printed in Tango, Statistics in Medicine 17 (1998) 891-908, and by R's PropCIs."""
    found = tango_lower(*pairs, alpha), tango_upper(*pairs, alpha)
    assert found == pytest.approx(limits, abs=0.5 * 10.0**-digits)


def test_tango_meets_mcnemar_at_no_difference() -> None:
    """A limit is 0 where McNemar's (b - c) / sqrt(b + c) is the normal quantile: 20 and 5 at that quantile's alpha."""
    alpha = 0.5 * math.erfc((20 - 5) / math.sqrt(25) / math.sqrt(2))
    assert tango_lower(20, 5, 100, alpha) == pytest.approx(0.0, abs=1e-9)


def test_mcnemar_published() -> None:
    """1 and 7 discordant pairs: exact two-sided p = .070, so one-sided 9/256.

    Fagerland, Lydersen and Laake, BMC Medical Research Methodology 13 (2013) 91, airway hyper-responsiveness.
    """
    assert mcnemar_worse(7, 1) == pytest.approx(9 / 256, rel=1e-12)
    assert 2 * mcnemar_worse(7, 1) == pytest.approx(0.070, abs=5e-4)


@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_of_others(worse: int, better: int) -> None:
    """The one-sided p-value is scipy's binomial test; twice the smaller tail is statsmodels' exact McNemar."""
    p = mcnemar_worse(worse, better)
    if worse + better:
        assert p == pytest.approx(binomtest(worse, worse + better, 0.5, alternative="greater").pvalue, rel=1e-9)
    else:
        assert p == 1.0
    both = mcnemar(np.array([[5, worse], [better, 5]]), exact=True).pvalue
    assert min(1.0, 2 * min(p, mcnemar_worse(better, worse))) == pytest.approx(both, rel=1e-9)


# Four patients with 3 of 4, 0 of 2, 1 of 3 and 0 of 3 instances hallucinated.
EVENTS, SIZES = (3, 0, 1, 0), (4, 2, 3, 3)
PATIENTS = np.repeat(np.arange(4), SIZES)
Y = np.concatenate([np.arange(m) < k for k, m in zip(EVENTS, SIZES, strict=True)]).astype(float)


def test_korn_graubard_by_hand() -> None:
    """4 of 12 in four patients, worked through with fractions.

    p = 1/3; sums of residuals 3 - 4/3, -2/3, 0, -1 = 5/3, -2/3, 0, -1, squares 25/9 + 4/9 + 0 + 9/9 = 38/9;
    SE^2 = 4/3 * 38/9 / 144 = 19/486; n* = (2/9) / (19/486) = 108/19 = 5.684 (Korn and Graubard, Survey Methodology 24
    (1998) 193-201), times (t_11 / t_df)^2. They take df = 3; here only the patients with an event tell of the variance,
    of 4 and 3 instances, so they are worth 7^2 / (4^2 + 3^2) = 49/25 patients, and df is the least, 2.
    """
    moments = strata_moments(Sample(Y, np.zeros(12, np.int64), PATIENTS), span=1.0)
    assert moments.variance_of_mean[0] == pytest.approx(19 / 486)
    assert moments.telling[0] == pytest.approx(49 / 25)
    by_hand = 108 / 19 * (1.795885 / stdtrit(2, 0.95)) ** 2
    assert effective_size(moments, 0.05) == pytest.approx(by_hand, rel=1e-5)
    assert by_hand < 108 / 19 * (1.795885 / 2.353363) ** 2
    limit = upper_limit_of_mean(Sample(Y, np.zeros(12, np.int64), PATIENTS), 0.05)
    assert limit == pytest.approx(clopper_pearson_upper(by_hand / 3, by_hand, 0.05), rel=1e-5)


@pytest.mark.parametrize("seed", range(6))
def test_korn_graubard_by_the_formula(seed: int) -> None:
    """The effective size is p(1-p) / v * (t_{n-1} / t_{G-1})^2, at most n, with v from a loop over the clusters.

    The formula of 1998 but for G, which here is Kish's number of the clusters in which anything happened.
    """
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 9, 40)
    cluster = np.repeat(np.arange(40), sizes)
    y = rng.binomial(1, np.repeat(rng.beta(0.6, 1.4, 40), sizes)).astype(float)
    n, p = y.size, y.mean()
    sums = sum(float(((y - p)[cluster == g]).sum()) ** 2 for g in range(40))
    v = 40 / 39 * sums / n**2
    assert p < 0.5
    telling = np.array([m for g, m in enumerate(sizes) if y[cluster == g].any()])
    df = telling.sum() ** 2 / (telling**2).sum() - 1
    wanted = min(n, p * (1 - p) / v * (stdtrit(n - 1, 0.95) / stdtrit(df, 0.95)) ** 2)
    found = effective_size(strata_moments(Sample(y, np.zeros(n, np.int64), cluster), span=1.0), 0.05)
    assert found == pytest.approx(wanted, rel=1e-9)
