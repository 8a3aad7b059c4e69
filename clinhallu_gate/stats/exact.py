"""One-sided Clopper-Pearson limits of a proportion, for whole and for effective (real-valued) counts."""

from scipy.special import betaincinv


def clopper_pearson_upper(events: float, n: float, alpha: float) -> float:
    """Return the upper limit of a proportion, with one-sided error ``alpha``.

    Real-valued counts are admitted through the beta distribution, as Korn and Graubard (1998) do. With ``n = 0`` the
    limit is 1: nothing is known.

    Source: Clopper and Pearson, Biometrika 26 (1934) 404-413.
    """
    if events >= n:
        return 1.0
    return float(betaincinv(events + 1.0, n - events, 1.0 - alpha))


def clopper_pearson_lower(events: float, n: float, alpha: float) -> float:
    """Return the lower limit of a proportion, with one-sided error ``alpha``; 0 with ``n = 0``."""
    if events <= 0:
        return 0.0
    return float(betaincinv(events, n - events + 1.0, alpha))
