"""What goes wrong without the rules that the gate keeps; part of ``decision_error.py``."""

import heapq
from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np
from decision_cases import (
    ALPHA,
    ICC,
    JUST,
    NEVER,
    SIZES,
    UNJUDGED,
    List,
    Repetition,
    Strata,
    all_judged,
    erred,
    whole_list,
)

from clinhallu_gate.stats import Sample, upper_limit_of_mean
from clinhallu_gate.stats.sample import FloatArray, IntArray
from clinhallu_gate.stats.sequential import Drawn, Side, crossing, order_of

#: Requests in flight, and how much longer a hallucinated reply takes than a grounded one.
IN_FLIGHT: Final = 64
SLOWER: Final = 3.0
_RATE: Final = 0.15
_LISTED: Final = List([2000], [_RATE])


def completion_order(latency: FloatArray, in_flight: int) -> IntArray:
    """Return the positions in the order in which they complete; they are sent in their own order."""
    running: list[tuple[float, int]] = []
    done = []
    clock = 0.0
    for i, wait in enumerate(latency):
        if len(running) == in_flight:
            clock, first = heapq.heappop(running)
            done.append(first)
        heapq.heappush(running, (clock + wait, i))
    done += [i for _, i in sorted(running)]
    return np.array(done)


def _arrived(repetition: Repetition) -> tuple[Drawn, IntArray]:
    """Return a list in its drawn order, and the order in which its replies complete."""
    drawn = _LISTED.drawn(all_judged, repetition)
    latency = repetition.rng.uniform(0.5, 1.5, drawn.n) * np.where(drawn.y_within == 1.0, SLOWER, 1.0)
    return drawn, completion_order(latency, IN_FLIGHT)


def out_of_order(repetition: Repetition) -> bool:
    """Bet on results as they complete."""
    drawn, done = _arrived(repetition)
    mixed = Drawn.of_list(drawn.y_within[done], drawn.y_beyond[done], drawn.weight[done])
    return erred(mixed, _LISTED.mean - JUST, _LISTED.mean).passed


def contiguous_prefix(repetition: Repetition) -> bool:
    """Bet, whenever 64 more have completed, on the drawn order as far as nothing in it is missing."""
    drawn, done = _arrived(repetition)
    for look in [*range(IN_FLIGHT, drawn.n, IN_FLIGHT), drawn.n]:
        missing = np.ones(drawn.n + 1, dtype=np.bool_)
        missing[done[:look]] = False
        prefix = drawn.first(int(np.argmax(missing)))
        found = crossing(prefix, _LISTED.mean - JUST, within_error=ALPHA, beyond_error=NEVER)
        if found is not None:
            return found.side is Side.WITHIN
    return False


def dropped(repetition: Repetition) -> bool:
    """Leave out what is unjudged, if only bad ones are, at n = 2,000."""
    bad = repetition.rng.random(2000) < _RATE
    hidden = bad & (repetition.rng.random(2000) < UNJUDGED / _RATE)
    return upper_limit_of_mean(Sample.of(bad[~hidden]), ALPHA) <= _RATE


def by_instance(repetition: Repetition) -> bool:
    """Bet on the instances of patients of 8 as if each were a patient."""
    families = Strata([250], [0.15], (8,), ICC)
    y = families.draw(repetition.rng)
    drawn = Drawn.of_population(y, y, np.zeros(y.size, np.int64), [y.size])
    return erred(drawn, families.truth, families.truth).passed


def pooled(repetition: Repetition) -> bool:
    """Report a pooled shuffle of the four sets as their mean."""
    listed = List(SIZES, [0.6, 0.05, 0.05, 0.05])
    order = order_of([str(i) for i in range(sum(SIZES))], np.zeros(sum(SIZES), np.int64), repetition.seed)
    y = listed.values()[order]
    drawn = Drawn.of_list(y, y, np.full(y.size, 1.0 / y.size))
    return erred(drawn, listed.mean - JUST, listed.mean).passed


def weighted(repetition: Repetition) -> bool:
    """Take the same sets in the weighted order."""
    return whole_list(List(SIZES, [0.6, 0.05, 0.05, 0.05]), all_judged, repetition).passed


NAIVE: Final[dict[str, Callable[[Repetition], bool]]] = {
    f"results in order of completion, {IN_FLIGHT} in flight, hallucinated ones slower": out_of_order,
    "the same, contiguous prefix of the drawn order (what the gate does)": contiguous_prefix,
    "unjudged ones left out, the hallucinated among them": dropped,
    "instances of patients of 8 taken for patients": by_instance,
    "four unequal sets in one pooled shuffle": pooled,
    "the same in the weighted order (what the gate does)": weighted,
}


def naive(repetitions: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield how often each of them says PASS although the mean is at, or just above, the threshold."""
    for name, errs in NAIVE.items():
        draws = (Repetition(np.random.default_rng((seed, i)), f"{seed}/{name}/{i}") for i in range(repetitions))
        yield {"name": name, "repetitions": repetitions, "false_pass": float(np.mean([errs(draw) for draw in draws]))}
