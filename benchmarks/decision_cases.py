"""The cases of ``decision_error.py``: data at the boundary, and whether the shipped limits and tests err on them."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Final, NamedTuple, TypeAlias

import numpy as np
from numpy.random import Generator

from clinhallu_gate.stats import (
    Sample,
    lower_limit_of_difference,
    lower_limit_of_mean,
    upper_limit_of_difference,
    upper_limit_of_mean,
)
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray
from clinhallu_gate.stats.sequential import Crossing, Drawn, Side, crossing, order_of

ALPHA: Final = 0.05
#: What the mean over data sets is allowed at fixed n, where small strata differ much.
ALPHA_OF_MEAN: Final = 0.055
#: Sizes of the four sets of the benchmark. Only their sum, 7,031, is published: these are assumed.
SIZES: Final = (337, 2694, 2400, 1600)
#: Four sets of the same proportions, for cases that need no more.
SHORT: Final = (96, 770, 686, 457)
UNJUDGED: Final = 0.03
ICC: Final = 0.3
#: A mean of a list that lies above the threshold by no more than this is still above it.
JUST: Final = 1e-6
#: The error of a test that is not the one in question.
NEVER: Final = 1e-300
#: Cases at fixed n cost so little that they are repeated this much more often.
CHEAP: Final = 3


class Erred(NamedTuple):
    """Whether each test of one repetition erred; the other one does not stop it."""

    passed: bool
    failed: bool


class Values(NamedTuple):
    """Values of a repetition, as bad as they can be and as good as they can be; arrays (n,)."""

    within: FloatArray
    beyond: FloatArray


class Repetition(NamedTuple):
    """What a repetition may use: its generator, and a seed for the order, as a run has one."""

    rng: Generator
    seed: str


Trial: TypeAlias = Callable[[Repetition], Erred]
Hide: TypeAlias = Callable[[FloatArray, Generator], Values]


@dataclass(frozen=True)
class Case:
    """One line of the table."""

    kind: str
    name: str
    trial: Trial
    alpha: float = ALPHA
    cheap: bool = False


# Values and what is unjudged of them


def all_judged(y: FloatArray, _: Generator) -> Values:
    """Return y for both sides."""
    return Values(y, y)


def some_unjudged(y: FloatArray, rng: Generator) -> Values:
    """Leave a share of the instances without a verdict, whatever they are."""
    hidden = rng.random(y.size) < UNJUDGED
    return Values(np.where(hidden, 1.0, y), np.where(hidden, 0.0, y))


def worst_unjudged(y: FloatArray, rng: Generator) -> Values:
    """Leave the bad ones without a verdict where a PASS is asked for, the good ones where a FAIL is."""
    return Values(np.where(_hidden(y == 1.0, rng), 1.0, y), np.where(_hidden(y == 0.0, rng), 0.0, y))


def _hidden(these: BoolArray, rng: Generator) -> BoolArray:
    """Hide a share of all instances, only among these."""
    return these & (rng.random(these.size) < UNJUDGED / max(float(these.mean()), UNJUDGED))


# Populations


@dataclass(frozen=True)
class Strata:
    """A population of strata with clusters of instances."""

    clusters: Sequence[int]
    """Per stratum."""
    rates: Sequence[float]
    """True rate of each stratum; of pairs the share of gains."""
    sizes: Sequence[int] = (1,)
    """Instances of a cluster, in turn."""
    icc: float = 0.0
    losses: float | None = None
    """Share of losses of pairs; None for a rate."""

    @property
    def truth(self) -> float:
        """Return the unweighted mean over strata."""
        return float(np.mean(self.rates)) - (self.losses or 0.0)

    @property
    def stratum(self) -> IntArray:
        """Return each cluster's stratum."""
        return np.repeat(np.arange(len(self.clusters)), self.clusters)

    @property
    def size(self) -> IntArray:
        """Return each cluster's number of instances."""
        return np.resize(self.sizes, int(np.sum(self.clusters)))

    def draw(self, rng: Generator) -> FloatArray:
        """Return one value per instance, cluster after cluster; a cluster's rates are beta or Dirichlet."""
        up = np.repeat(self._shares(np.repeat(self.rates, self.clusters), rng), self.size)
        u = rng.random(up.size)
        if self.losses is None:
            return (u < up).astype(np.float64)
        rest = np.repeat(self._shares(self.losses / (1.0 - np.repeat(self.rates, self.clusters)), rng), self.size)
        return (u < up).astype(np.float64) - ((u >= up) & (u < up + (1.0 - up) * rest))

    def _shares(self, mean: FloatArray, rng: Generator) -> FloatArray:
        if self.icc == 0.0:
            return mean
        c = 1.0 / self.icc - 1.0
        return rng.beta(mean * c, (1.0 - mean) * c)

    def cluster_means(self, y: FloatArray) -> FloatArray:
        """Return the mean of each cluster."""
        return np.add.reduceat(y, np.append(0, np.cumsum(self.size)[:-1])) / self.size


# Trials


def fixed(strata: Strata, hide: Hide, repetition: Repetition) -> Erred:
    """Hold the shipped limits at fixed n against the truth."""
    y = hide(strata.draw(repetition.rng), repetition.rng)
    size = strata.size
    place = (np.repeat(strata.stratum, size), np.repeat(np.arange(size.size), size))
    upper, lower = (
        (upper_limit_of_mean, lower_limit_of_mean)
        if strata.losses is None
        else (upper_limit_of_difference, lower_limit_of_difference)
    )
    return Erred(
        upper(Sample(y.within, *place), ALPHA) <= strata.truth, lower(Sample(y.beyond, *place), ALPHA) > strata.truth
    )


def patients(strata: Strata, hide: Hide, repetition: Repetition) -> Erred:
    """Let patients come in random order and bet on their means, for patients like these."""
    y = hide(strata.draw(repetition.rng), repetition.rng)
    order = order_of(_names(strata.stratum.size), strata.stratum, repetition.seed)
    within, beyond = (strata.cluster_means(side)[order] for side in y)
    truth = strata.truth
    if strata.losses is not None:
        within, beyond, truth = (within + 1.0) / 2.0, (beyond + 1.0) / 2.0, (truth + 1.0) / 2.0
    drawn = Drawn.of_population(within, beyond, strata.stratum[order], strata.clusters)
    return erred(drawn, truth, truth)


@dataclass(frozen=True)
class List:
    """A finite list of strata with given shares of bad instances; of pairs, gains and losses."""

    sizes: Sequence[int]
    rates: Sequence[float]
    losses: float | None = None

    @property
    def stratum(self) -> IntArray:
        """Return each instance's stratum."""
        return np.repeat(np.arange(len(self.sizes)), self.sizes)

    @property
    def weight(self) -> FloatArray:
        """Return each instance's share in the mean over strata."""
        return np.repeat(1.0 / (len(self.sizes) * np.asarray(self.sizes)), self.sizes)

    def values(self) -> FloatArray:
        """Return the values in [0, 1], stratum after stratum; the order of asking is random."""
        return np.concatenate([self._stratum(n, rate) for n, rate in zip(self.sizes, self.rates, strict=True)])

    def _stratum(self, n: int, rate: float) -> FloatArray:
        if self.losses is None:
            return np.repeat([1.0, 0.0], [round(n * rate), n - round(n * rate)])
        gains, losses = round(n * rate), round(n * self.losses)
        return np.repeat([1.0, 0.0, 0.5], [gains, losses, n - gains - losses])

    def drawn(self, hide: Hide, repetition: Repetition) -> Drawn:
        """Return the whole list in a random order."""
        y = hide(self.values(), repetition.rng)
        order = order_of(_names(self.stratum.size), self.stratum, repetition.seed)
        return Drawn.of_list(y.within[order], y.beyond[order], self.weight[order])

    @property
    def mean(self) -> float:
        """Return the unweighted mean over strata."""
        return float(np.sum(self.weight * self.values()))


def whole_list(listed: List, hide: Hide, repetition: Repetition) -> Erred:
    """Ask a list in random order, with a threshold just below its mean, and with one at it."""
    return erred(listed.drawn(hide, repetition), listed.mean - JUST, listed.mean)


def erred(drawn: Drawn, below: float, at: float) -> Erred:
    """Return whether PASS is shown of a threshold below the mean, and FAIL of one at it."""
    return Erred(_is(_pass(drawn, below), Side.WITHIN), _is(_fail(drawn, at), Side.BEYOND))


def _pass(drawn: Drawn, threshold: float) -> Crossing | None:
    return crossing(drawn, threshold, within_error=ALPHA, beyond_error=NEVER)


def _fail(drawn: Drawn, threshold: float) -> Crossing | None:
    return crossing(drawn, threshold, within_error=NEVER, beyond_error=ALPHA)


def _is(found: Crossing | None, side: Side) -> bool:
    return found is not None and found.side is side


@cache
def _names(n: int) -> tuple[str, ...]:
    return tuple(map(str, range(n)))


# Chunks


@dataclass
class Chunks:
    """A list that is looked at only when a multiple of ``chunk`` has come in."""

    listed: List
    chunk: int
    compared: int = 0
    differed: int = 0
    """Decisions at the look that are not those of the whole order, or that an earlier look had already."""

    def trial(self, repetition: Repetition) -> Erred:
        """Decide from what is there at the looks."""
        drawn, mean = self.listed.drawn(all_judged, repetition), self.listed.mean
        return Erred(
            _is(self._looked(partial(_pass, threshold=mean - JUST), drawn), Side.WITHIN),
            _is(self._looked(partial(_fail, threshold=mean), drawn), Side.BEYOND),
        )

    def _looked(self, test: Callable[[Drawn], Crossing | None], drawn: Drawn) -> Crossing | None:
        """Return what is found at the first look at which the whole order has crossed, and compare.

        Walking through every look would take hours; whether none before it finds anything is checked at the last one
        before it, and by ``walk`` in full.
        """
        whole = test(drawn)
        n = drawn.n if whole is None else min(-(-whole.n // self.chunk) * self.chunk, drawn.n)
        before = (n - 1) // self.chunk * self.chunk
        found = test(drawn.first(n))
        self.compared += 1
        self.differed += found != whole or test(drawn.first(before)) is not None
        return found

    def walk(self, repetition: Repetition, n: int) -> None:
        """Look at every multiple of the chunk among the first n, and compare."""
        drawn, mean = self.listed.drawn(all_judged, repetition).first(n), self.listed.mean
        looks = [*range(self.chunk, n, self.chunk), n]
        for test in (partial(_pass, threshold=mean - JUST), partial(_fail, threshold=mean)):
            found = next((it for it in (test(drawn.first(look)) for look in looks) if it is not None), None)
            self.compared += 1
            self.differed += found != test(drawn)


# The table


def fixed_cases(sizes: Sequence[int] = SIZES) -> Iterator[Case]:
    """Cases at fixed n; ``sizes`` are those of the four sets."""
    exact = {
        "n = 60, rate .15": Strata([60], [0.15]),
        "n = 300, rate .05": Strata([300], [0.05]),
        "n = 869, rate .55": Strata([869], [0.55]),
        f"n = {sum(sizes):,}, rate .25": Strata([sum(sizes)], [0.25]),
    }
    clustered = {
        "50 clusters of 8, rate .05": Strata([50], [0.05], (8,), ICC),
        "50 clusters of 8, rate .15": Strata([50], [0.15], (8,), ICC),
        "50 clusters of 8, rate .50": Strata([50], [0.5], (8,), ICC),
        "200 clusters of 3, rate .05": Strata([200], [0.05], (3,), ICC),
        "200 clusters of 8, rate .15": Strata([200], [0.15], (8,), ICC),
        "120 clusters of 1 to 12, rate .25": Strata([120], [0.25], (1, 2, 12, 3, 1, 5), ICC),
    }
    mean = {
        "the four sets, rate .15": Strata(sizes, [0.15] * 4),
        "the four sets, rates .60 and .05": Strata(sizes, [0.6, 0.05, 0.05, 0.05]),
        "4 of 60, rate .05": Strata([60] * 4, [0.05] * 4),
        "4 of 60, rates .17 and .01": Strata([60] * 4, [0.17, 0.01, 0.01, 0.01]),
        "34 / 269 / 240 / 160, rate .05": Strata([34, 269, 240, 160], [0.05] * 4),
        "34 / 269 / 240 / 160, rates .30 and .10": Strata([34, 269, 240, 160], [0.3, 0.1, 0.1, 0.1]),
        "20 / 400 / 300 / 200, rates .10 and .02": Strata([20, 400, 300, 200], [0.1, 0.02, 0.02, 0.02]),
    }
    paired = {
        "500 pairs, .07 gained, .05 lost": Strata([500], [0.07], losses=0.05),
        "1,674 pairs, .07 gained, .05 lost": Strata([1674], [0.07], losses=0.05),
        "34 / 269 / 240 / 160 pairs": Strata([34, 269, 240, 160], [0.1] * 4, losses=0.06),
        "100 clusters of 4 pairs": Strata([100], [0.12], (4,), ICC, losses=0.08),
    }
    for kind, cases in {"exact": exact, "clustered": clustered, "mean of 4 sets": mean, "paired": paired}.items():
        alpha = ALPHA_OF_MEAN if cases is mean else ALPHA
        for name, strata in cases.items():
            yield Case(
                kind,
                name,
                partial(fixed, strata, all_judged),
                alpha,
                cheap=kind != "exact" or sum(strata.clusters) < sum(sizes),
            )
    for name, hide in {"at random": some_unjudged, "the worst ones": worst_unjudged}.items():
        one = exact["n = 869, rate .55"]
        four = mean["the four sets, rate .15"]
        kind = "3 % unjudged"
        yield Case(kind, f"{name}, n = 869, rate .55", partial(fixed, one, hide), cheap=True)
        yield Case(kind, f"{name}, the four sets, rate .15", partial(fixed, four, hide), ALPHA_OF_MEAN)


def sequential_cases(sizes: Sequence[int] = SIZES) -> Iterator[Case]:
    """Cases that are decided while the instances come in, ``sizes`` those of the four sets; chunks are apart."""
    one, kind = [sum(sizes)], "sequential, list"
    for rate in (0.05, 0.55):
        yield Case(kind, f"{sum(sizes):,}, rate {rate:.2f}", partial(whole_list, List(one, [rate]), all_judged))
    kind = "sequential, mean of 4 sets, list"
    for rates in ([0.15] * 4, [0.6, 0.05, 0.05, 0.05], [0.02, 0.5, 0.9, 0.1]):
        name = " / ".join(f"{rate:.2f}" for rate in rates)
        yield Case(kind, f"rates {name}", partial(whole_list, List(sizes, rates), all_judged))
    families = Strata([112, 898, 800, 533], [0.4, 0.1, 0.1, 0.1], (3,), ICC)
    kind = "sequential, patients"
    yield Case(kind, "2,000 of 3, rate .15", partial(patients, Strata([2000], [0.15], (3,), ICC), all_judged))
    yield Case(kind, "112 / 898 / 800 / 533 of 3, rates .40 and .10", partial(patients, families, all_judged))
    unequal = replace(families, rates=[0.01, 0.2, 0.2, 0.2], sizes=(1, 2, 6))
    yield Case(kind, "the same, of 1 to 6, rates .01 and .20", partial(patients, unequal, all_judged))
    kind = "sequential, paired"
    yield Case(kind, "list of 2,009", partial(whole_list, List([sum(SHORT)], [0.07], losses=0.05), all_judged))
    yield Case(kind, "list of four sets", partial(whole_list, List(SHORT, [0.07] * 4, losses=0.05), all_judged))
    some = replace(families, rates=[0.12, 0.07, 0.07, 0.07], losses=0.05)
    yield Case(kind, "patients of 3, four strata", partial(patients, some, all_judged))
    kind = "sequential, 3 % unjudged"
    for name, hide in {"at random": some_unjudged, "the worst ones": worst_unjudged}.items():
        yield Case(kind, f"{name}, list of 2,009, rate .15", partial(whole_list, List([sum(SHORT)], [0.15]), hide))
        yield Case(kind, f"{name}, list of four sets", partial(whole_list, List(SHORT, [0.4, 0.1, 0.1, 0.1]), hide))
        yield Case(kind, f"{name}, patients of 3, four strata", partial(patients, families, hide))


def chunk_cases() -> dict[int, Chunks]:
    """The same list, looked at every 1, 64 and 256 instances."""
    return {chunk: Chunks(List([sum(SHORT)], [0.15]), chunk) for chunk in (1, 64, 256)}
