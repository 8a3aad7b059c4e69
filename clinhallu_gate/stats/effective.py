"""How many independent values a clustered, stratified sample is worth."""

import numpy as np
from scipy.special import stdtrit

from clinhallu_gate.stats.moments import StrataMoments
from clinhallu_gate.stats.sample import FloatArray

_NO_SPREAD = 1e-12
# Degrees of freedom that even one cluster with an event is given: with 1 its limit would be useless, and 2 keep false
# PASS at .037 or below where one to three clusters of 50 to 100 have events (1,500 samples each).
_FEWEST = 2.0


def effective_size(moments: StrataMoments, alpha: float) -> float:
    """Return the real-valued effective sample size for limits with one-sided error ``alpha``.

    One stratum: n_eff = p(1-p)/SE^2 * (t_{n-1}/t_{G-1})^2, at most n, and G when every value is the same (Korn and
    Graubard, Survey Methodology 24 (1998) 193-201); independent values are worth n. Of G clusters only those count for
    the degrees of freedom that tell of the variance (``StrataMoments.telling``). K strata: SE^2 = sum SE_s^2 / K^2 with
    Satterthwaite's degrees of freedom, at most K^2 / sum(1/n_s), where a stratum in which every value is the same
    counts its clusters for n_s (one that lies in k such strata counts 1/k). For differences the spread of d stands for
    p(1-p).

    Simulated errors at a nominal .05 (4,000 samples): 200 clusters of 3 or of 8 at most .049; strata at most .049, but
    .060 where a stratum of 34 has three times the rate of three larger ones; differences at most .061. A patient with
    values in several strata adds the covariance of their means.
    """
    if moments.strata == 1 and np.isclose(moments.clusters[0], moments.n[0], rtol=_NO_SPREAD, atol=0.0):
        return float(moments.clusters[0])
    units = np.where(moments.constant > 0, moments.units, moments.n)
    most = moments.strata**2 / float(np.sum(1.0 / units))
    variance = moments.variance_of_grand_mean
    if moments.spread <= _NO_SPREAD or variance == 0:
        return most
    return min(most, moments.spread / variance * _t_ratio(moments, alpha) ** 2)


def _t_ratio(moments: StrataMoments, alpha: float) -> float:
    """Return t_{n-1} / t_df: the price of a variance that had to be estimated from few clusters.

    Of rare events many clusters hold none, and only those with one tell of the variance: G - 1 degrees of freedom would
    be too many (50 clusters of 8, rate .05, ICC .3: false PASS .069, with those that tell .033).
    """
    v = moments.variance_of_mean
    fewest = np.clip(moments.clusters - 1.0, 1.0, _FEWEST)
    telling = np.where(moments.clusters < moments.n, np.minimum(moments.clusters, moments.telling), moments.clusters)
    df = np.sum(v) ** 2 / np.sum(v**2 / np.maximum(telling - 1.0, fewest))
    return float(stdtrit(np.sum(moments.n) - 1.0, 1.0 - alpha) / stdtrit(df, 1.0 - alpha))


def hidden_rise(moments: StrataMoments, alpha: float) -> float:
    """Return how far the mean over strata may lie above what was seen, because of strata that showed nothing.

    A small stratum without an event may still have a high rate, and has as much weight in the mean as a large one;
    neither term of ``effective_size`` sees that (5 and 400 values, true rates .3 and 0: false PASS .17 without this
    bound). It is exact: the largest sum of rates p_s for which seeing none has probability ``alpha``, that is with
    sum n_s log(1 - p_s) = log(alpha), solved by 1 - p_s = min(1, mu n_s). Equal sizes give Clopper-Pearson's limit. A
    cluster in k of these strata counts 1/k in each, or 100 patients who lie in two would be taken for 200: the bound
    then holds however their values depend on each other (false PASS .14 without this, two strata, rate .02).
    """
    quiet = (moments.constant > 0) & (moments.mean < 1.0)
    if not quiet.any():
        return 0.0
    units, jump = moments.units[quiet], 1.0 - moments.mean[quiet]
    order = np.argsort(units / jump)
    return _largest_sum(units[order], jump[order], alpha) / moments.strata


def _largest_sum(units: FloatArray, jump: FloatArray, alpha: float) -> float:
    """Maximise sum jump * p subject to sum units * log(1 - p) = log(alpha); strata come by rising units / jump."""
    ratio = units / jump
    log_mu = (np.log(alpha) - np.cumsum(units * np.log(ratio))) / np.cumsum(units)
    follows = np.append(ratio[1:], np.inf)
    last = int(np.argmax(np.log(follows) + log_mu >= 0))
    left = ratio[: last + 1] * np.exp(log_mu[last])
    return float(np.sum(jump[: last + 1] * (1.0 - left)))
