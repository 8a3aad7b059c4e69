"""How many instances a question needs: at fixed n, and one by one."""

import math
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np

from clinhallu_gate.planning.question import Question
from clinhallu_gate.stats.planning import (
    StoppingTimes,
    design_effect,
    fixed_n_difference,
    fixed_n_rate,
    simulate_sequential,
)

#: Powers that stand beside the one that is asked for.
POWERS: Final = (0.8, 0.9)
#: Shares of the runs that stand beside the asked power.
SHARES: Final = (0.5, 0.9)
#: Units after which a simulated run is given up, if no list ends before.
MAXIMUM: Final = 50_000


class Units(NamedTuple):
    """So many instances, of so many patients."""

    instances: int
    patients: int


@dataclass(frozen=True, slots=True)
class Row:
    """What one way needs."""

    sequential: bool
    power: float
    """Probability that the decision comes with so many; of runs one by one, the share that need no more."""
    needed: Units | None
    """None where no number up to a million, or up to the simulated maximum, does."""
    whole_list: bool = False
    """Whether that is the whole list, which leaves nothing to chance."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The answer."""

    question: Question
    rows: tuple[Row, ...]
    times: StoppingTimes | None
    """Simulated runs; None where none was simulated, since none would end."""

    def row(self, power: float, *, sequential: bool) -> Row:
        """Return the row of a way."""
        return next(row for row in self.rows if row.sequential is sequential and row.power == power)


def plan(question: Question) -> Plan:
    """Answer; the simulation takes from a tenth of a second to some fifteen, if the truth is near the threshold."""
    times = _simulated(question)
    fixed = [fixed_row(question, power) for power in sorted({*POWERS, question.power})]
    shares = [] if times is None else [_sequential_row(question, times, it) for it in sorted({*SHARES, question.power})]
    return Plan(question, (*fixed, *shares), times)


def fixed_row(question: Question, power: float) -> Row:
    """Return what a decision at fixed n needs."""
    truth, size = question.truth, question.list_size
    n = (
        fixed_n_rate(truth.expect, question.t, alpha=question.error, power=power)
        if truth.discordance is None
        else fixed_n_difference(truth.expect, question.t, truth.discordance, alpha=question.error, power=power)
    )
    if size is not None and (n is None or n >= size):
        return Row(sequential=False, power=power, needed=Units(size, size), whole_list=True)
    if n is None:
        return Row(sequential=False, power=power, needed=None)
    patients = math.ceil(n * design_effect(question.cluster_size, question.icc) / question.cluster_size)
    return Row(sequential=False, power=power, needed=_of_patients(question, patients))


def share_decided(plan: Plan, instances: np.ndarray) -> np.ndarray:
    """Return the share of simulated runs that have decided after so many instances."""
    if plan.times is None:
        return np.zeros(instances.size)
    return plan.times.decided(instances / plan.question.cluster_size)


def _sequential_row(question: Question, times: StoppingTimes, share: float) -> Row:
    units = times.quantile(share)
    return Row(sequential=True, power=share, needed=None if units is None else _of_patients(question, units))


def _of_patients(question: Question, patients: int) -> Units:
    return Units(patients * question.cluster_size, patients)


def _simulated(question: Question) -> StoppingTimes | None:
    half = fixed_row(question, 0.5).needed
    if half is None or (half.patients > MAXIMUM and question.list_size is None):
        return None
    return simulate_sequential(
        question.truth,
        question.t,
        within_error=question.alpha,
        beyond_error=question.alpha / question.gates,
        maximum=MAXIMUM if question.list_size is None else question.list_size,
    )
