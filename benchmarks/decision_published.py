"""How early the published models would have been decided on; part of ``decision_error.py``."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from statistics import median
from typing import Any, Final

import numpy as np
from decision_cases import SIZES, Repetition
from numpy.random import Generator

from clinhallu_gate.config.thresholds import GateSpec, expand, load_thresholds
from clinhallu_gate.gate.decide import count_blocking
from clinhallu_gate.published import load_table
from clinhallu_gate.published.table import DATASETS, MACRO, METRICS, Cell
from clinhallu_gate.stats.sample import BoolArray, FloatArray, IntArray
from clinhallu_gate.stats.sequential import Crossing, Drawn, Side, crossing, order_of
from clinhallu_gate.vocabulary import Metric

THRESHOLDS: Final = Path(__file__).parents[1] / "thresholds" / "default.yaml"
#: The median over models and stages that early stopping has to reach.
MAX_SHARE: Final = 0.10
#: A gate whose published figure lies within this of its threshold is close.
CLOSE: Final = 0.02
N: Final = sum(SIZES)
STRATUM: Final[IntArray] = np.repeat(np.arange(len(SIZES)), SIZES)
WEIGHT: Final[FloatArray] = np.repeat([1.0 / (len(SIZES) * size) for size in SIZES], SIZES)
UNITS: Final = tuple(f"{stratum}/{i}" for i, stratum in enumerate(STRATUM))
#: Mean instances that a prototype of the same tests visited of a list of 7,031, both errors .05: to compare with.
PROTOTYPE: Final[Mapping[tuple[float, float], int]] = {
    (0.305, 0.15): 52,
    (0.305, 0.25): 449,
    (0.511, 0.55): 1001,
    (0.659, 0.55): 156,
    (0.026, 0.05): 523,
}


@dataclass(frozen=True)
class Question:
    """A gate, asked of one published model; everything so that larger is worse."""

    model: str
    spec: GateSpec
    rates: FloatArray
    """Published figure of each of the four sets."""

    @property
    def threshold(self) -> float:
        """Return t."""
        return self.spec.max if self.spec.max is not None else 1.0 - (self.spec.min or 0.0)

    @cached_property
    def mean(self) -> float:
        """Return the mean over the four sets."""
        return float(self.rates.mean())

    @property
    def close(self) -> bool:
        """Whether the figure lies so near the threshold that many instances are needed."""
        return abs(self.mean - self.threshold) < CLOSE

    def listed(self, rng: Generator) -> FloatArray:
        """Return a list with just the published rates."""
        bad = [round(n * rate) for n, rate in zip(SIZES, self.rates, strict=True)]
        return np.concatenate([rng.permutation(np.arange(n) < b) for n, b in zip(SIZES, bad, strict=True)]).astype(
            float
        )

    def patients(self, rng: Generator) -> FloatArray:
        """Return instances of patients among whom the published rates are the true ones."""
        return (rng.random(N) < self.rates[STRATUM]).astype(float)


@dataclass(frozen=True)
class Stop:
    """When a gate was decided, and how."""

    share: float
    """Share of the 7,031 that were visited; 1 if nothing was shown."""
    side: Side | None


def questions() -> list[Question]:
    """Return the gates of the shipped thresholds on which figures are published, for every model."""
    specs = [spec for spec in expand(load_thresholds(THRESHOLDS), {}) if spec.blocking and spec.max_drop is None]
    return [
        Question(model, spec, _rates(model, spec.metric))
        for model in load_table().models
        for spec in specs
        if spec.metric in METRICS
    ]


def _rates(model: str, metric: Metric) -> FloatArray:
    columns = (load_table().column(Cell(name, metric)) for name in DATASETS if name != MACRO)
    rates = np.array([column[model] for column in columns]) / 1000.0
    return 1.0 - rates if metric is Metric.ANSWER_ACCURACY else rates


def stop(drawn: Drawn, threshold: float, within_error: float, beyond_error: float) -> Stop:
    """Return the first crossing; nothing is computed of what comes long after it."""
    n, found = 0, None
    while found is None and n < drawn.n:
        n = min(max(2 * n, 128), drawn.n)
        found = crossing(drawn.first(n), threshold, within_error=within_error, beyond_error=beyond_error)
    return _stop(found)


def _stop(found: Crossing | None) -> Stop:
    return Stop(1.0, None) if found is None else Stop(found.n / N, found.side)


def one_run(asked: list[Question], repetition: Repetition, *, population: bool) -> list[Stop]:
    """Decide every gate of every model in one random order."""
    thresholds = load_thresholds(THRESHOLDS)
    fail_error = thresholds.alpha / count_blocking(expand(thresholds, {}))
    order = order_of(UNITS, STRATUM, repetition.seed)
    stops = []
    for question in asked:
        if population:
            y = question.patients(repetition.rng)[order]
            drawn = Drawn.of_population(y, y, STRATUM[order], SIZES)
        else:
            y = question.listed(repetition.rng)[order]
            drawn = Drawn.of_list(y, y, WEIGHT[order])
        stops.append(stop(drawn, question.threshold, thresholds.alpha, fail_error))
    return stops


def published(repetitions: int, seed: int) -> dict[str, Any]:
    """Measure both targets, and say what the table is about."""
    thresholds = load_thresholds(THRESHOLDS)
    found = {
        target: _target(repetitions, seed, population=target == "population") for target in ("benchmark", "population")
    }
    return {
        "sizes": list(SIZES),
        "sizes_are": "assumed; only their sum, 7,031, is published",
        "runs": repetitions,
        "alpha": thresholds.alpha,
        "blocking_gates": count_blocking(expand(thresholds, {})),
        "close": CLOSE,
        "prototype": list(_compared(repetitions, seed)),
        **found,
    }


def _target(repetitions: int, seed: int, *, population: bool) -> dict[str, Any]:
    asked = questions()
    name = "population" if population else "benchmark"
    stops = [
        one_run(asked, Repetition(np.random.default_rng((seed, i)), f"{seed}/{name}/{i}"), population=population)
        for i in range(repetitions)
    ]
    shares = np.array([[it.share for it in run] for run in stops])
    sides = np.array([[it.side for it in run] for run in stops])
    decisions = [_decision(question, shares[:, i], sides[:, i]) for i, question in enumerate(asked)]
    runs = list(_runs(asked, shares, sides))
    return {
        "median_over_models_and_stages": median(
            it["median"] for it in decisions if it["metric"] != Metric.ANSWER_ACCURACY
        ),
        "median_run": median(it["every_gate"] for it in runs),
        "median_run_close_advisory": median(it["close_advisory"] for it in runs),
        "median_run_to_the_release_decision": median(it["release_decision"] for it in runs),
        "decisions": decisions,
        "runs": runs,
    }


def _decision(question: Question, shares: FloatArray, sides: Any) -> dict[str, Any]:  # noqa: ANN401 - an array of objects
    wrong = Side.BEYOND if question.mean <= question.threshold else Side.WITHIN
    return {
        "model": question.model,
        "metric": str(question.spec.metric),
        "figure": round(question.mean, 4),
        "threshold": round(question.threshold, 4),
        "close": question.close,
        "median": round(float(np.median(shares)), 4),
        "mean": round(float(shares.mean()), 4),
        "undecided": float(np.mean([side is None for side in sides])),
        "wrong": float(np.mean([side is wrong for side in sides])),
    }


def _runs(asked: list[Question], shares: FloatArray, sides: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - as above
    """Yield, model by model, the median share that is visited before the run ends."""
    for model in load_table().models:
        mine = np.array([question.model == model for question in asked])
        kept = mine & ~np.array([question.close for question in asked])
        yield {
            "model": model,
            "close_gates": int(np.sum(mine) - np.sum(kept)),
            "every_gate": _median_of_slowest(shares, mine),
            "close_advisory": _median_of_slowest(shares, kept),
            "release_decision": round(float(np.median(_released(shares[:, mine], sides[:, mine]))), 4),
        }


def _median_of_slowest(shares: FloatArray, kept: BoolArray) -> float:
    return round(float(np.median(shares[:, kept].max(axis=1, initial=0.0))), 4)


def _released(shares: FloatArray, sides: Any) -> FloatArray:  # noqa: ANN401 - as above
    """Return the share after which the release is decided: at its first FAIL, else with its slowest gate."""
    failed = np.where(sides == Side.BEYOND, shares, np.inf).min(axis=1)
    return np.where(np.isfinite(failed), failed, shares.max(axis=1))


def _compared(repetitions: int, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what the shipped test visits where a prototype's figures are known: one list of 7,031, not four sets."""
    for (rate, threshold), known in PROTOTYPE.items():
        shares = []
        for i in range(repetitions):
            rng = np.random.default_rng((seed, i))
            y = rng.permutation(np.arange(N) < round(N * rate)).astype(float)
            shares.append(stop(Drawn.of_list(y, y, np.full(N, 1.0 / N)), threshold, 0.05, 0.05).share)
        yield {"rate": rate, "threshold": threshold, "prototype": known, "here": round(float(np.mean(shares)) * N)}
