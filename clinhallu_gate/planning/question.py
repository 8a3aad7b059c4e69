"""What is planned for: a gate, and the truth one expects; read from the options of the command line."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pydantic import ValidationError

from clinhallu_gate.config.thresholds import GateEntry
from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.stats.planning import MOST, Truth, true_mean
from clinhallu_gate.vocabulary import Arm, Metric

#: Share of pairs that differ, if nothing is said: two releases of one model on the same questions.
DISCORDANCE: Final = 0.12
_BOUNDS: Final = ("max", "min", "max_drop")


@dataclass(frozen=True, slots=True)
class Question:
    """A gate and the expected truth, on the metric's own scale."""

    metric: Metric
    bound: str
    """``max``, ``min`` or ``max_drop``."""
    threshold: float
    expect: float
    """Of ``max_drop`` the expected drop."""
    discordance: float | None
    """Share of pairs that differ; None for a rate."""
    power: float
    alpha: float
    gates: int
    """Blocking gates of the thresholds file: a FAIL is said at alpha divided by them."""
    cluster_size: int
    icc: float
    list_size: int | None
    """Instances of the list that the gate speaks of; None for patients like these."""

    @property
    def t(self) -> float:
        """Return the threshold on the scale on which larger is worse."""
        return self._worse(self.threshold)

    @property
    def truth(self) -> Truth:
        """Return the expected truth on the scale on which larger is worse."""
        return Truth(self._worse(self.expect), self.discordance, self.list_size, self.cluster_size, self.icc)

    @property
    def passes(self) -> bool:
        """Whether the gate holds if the truth is as expected."""
        return self.truth.expect <= self.t

    @property
    def error(self) -> float:
        """Return the one-sided error at which the decision that is to be expected is made."""
        return self.alpha if self.passes else self.alpha / self.gates

    def _worse(self, value: float) -> float:
        if self.bound != "min":
            return value
        # Rounded, so that 1 - 0.9 is 0.1: whether the truth equals the threshold is asked exactly.
        return -value if self.metric is Metric.RECOVERY else round(1.0 - value, 12)


def read_question(options: Mapping[str, str | None]) -> Question:
    """Return what the options ask; their values are texts as given, None where nothing is.

    Raises ``BadInput``: one line with the option, the bad value and the valid ones.
    """
    metric = _metric(options["metric"])
    bound = _bound(options)
    paired = bound == "max_drop" or metric is Metric.RECOVERY
    lowest = -1.0 if paired else 0.0
    noun = "a difference of rates" if paired else "a rate"
    floor = 0.0 if bound == "max_drop" else lowest
    threshold = _number(f"--{_dashed(bound)}", options[bound], "a drop" if bound == "max_drop" else noun, floor, 1.0)
    _demand_fit(metric, bound, threshold)
    if options["expect"] is None and bound != "max_drop":
        raise BadInput(f"--expect: is missing: the {metric} that is expected. Valid: {lowest:g} to 1.")
    expect = _number("--expect", options["expect"] or "0", noun, lowest, 1.0)
    cluster_size, icc, list_size = _units(options)
    question = Question(
        metric=metric,
        bound=bound,
        threshold=threshold,
        expect=expect,
        discordance=_discordance(options["discordance"], expect, paired=paired),
        power=_number("--power", options["power"], "a power", 0.5, 0.999),
        alpha=_number("--alpha", options["alpha"], "a one-sided error", 0.0001, 0.49),
        gates=_whole("--gates", options["gates"], 1000),
        cluster_size=cluster_size,
        icc=icc,
        list_size=list_size,
    )
    _demand_whole(question)
    return question


def _demand_whole(question: Question) -> None:
    """Refuse a list whose whole numbers of instances turn the expected truth to the other side of the threshold."""
    truth = question.truth
    if (true_mean(truth) <= question.t + 1e-9) != question.passes:
        raise BadInput(
            f"--list: of {truth.list_size:,} instances no whole number makes the expected {question.expect:g} on its"
            f" side of {question.threshold:g}. Take a longer list."
        )


def _metric(name: str | None) -> Metric:
    if name not in list(Metric):
        raise BadInput(not_one_of("--metric", name, [str(metric) for metric in Metric], noun="a metric"))
    return Metric(name)


def _bound(options: Mapping[str, str | None]) -> str:
    given = [bound for bound in _BOUNDS if options[bound] is not None]
    if len(given) != 1:
        found = " and ".join(f"--{_dashed(bound)}" for bound in given) if given else "none of them"
        raise BadInput(f"plan: exactly one of --max, --min and --max-drop is wanted, found {found}.")
    return given[0]


def _demand_fit(metric: Metric, bound: str, threshold: float) -> None:
    """Raise what a thresholds file with this gate would be told."""
    arm = Arm.REPLACE_VR if metric is Metric.RECOVERY else None
    try:
        GateEntry.model_validate({"metric": metric, "arm": arm, bound: threshold})
    except ValidationError as error:
        first = error.errors()[0]
        said = str(first.get("ctx", {}).get("message", first["msg"]))
        for name in _BOUNDS:
            said = re.sub(rf"\b{name}\b", f"--{_dashed(name)}", said)
        raise BadInput(f"--{_dashed(bound)}: {said.removesuffix(', max_events')}.") from None  # events need no plan


def _units(options: Mapping[str, str | None]) -> tuple[int, float, int | None]:
    """Return the size of clusters, their correlation, and the size of the list."""
    size, icc, listed = options["cluster_size"], options["icc"], options["list"]
    if (size is None) != (icc is None):
        given, missing = ("--cluster-size", "--icc") if icc is None else ("--icc", "--cluster-size")
        raise BadInput(f"{given}: needs {missing} beside it.")
    if size is not None and listed is not None:
        raise BadInput("--cluster-size: has no meaning beside --list: of a list, single instances are drawn.")
    return (
        _whole("--cluster-size", size or "1", 10_000),
        _number("--icc", icc or "0", "an intra-cluster correlation", 0.0, 1.0),
        None if listed is None else _whole("--list", listed, MOST),
    )


def _discordance(text: str | None, expect: float, *, paired: bool) -> float | None:
    if not paired:
        if text is not None:
            raise BadInput("--discordance: has a meaning only for pairs: --max-drop, or recovery.")
        return None
    if text is None:
        return max(DISCORDANCE, abs(expect))
    share = _number("--discordance", text, "a share of pairs", 0.0, 1.0)
    if share < abs(expect):
        raise BadInput(f"--discordance: {text} is less than the expected difference. Valid: {abs(expect):g} to 1.")
    return share


def _number(option: str, text: str | None, noun: str, low: float, high: float) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise BadInput(f"{option}: {text} is not {noun}. Valid: {low:g} to {high:g}.")
    return value


def _whole(option: str, text: str | None, most: int) -> int:
    value = int(text) if text is not None and text.isascii() and text.isdigit() else 0
    if not 1 <= value <= most:
        raise BadInput(f"{option}: {text} is not a whole number. Valid: 1 to {most:,}.")
    return value


def _dashed(name: str) -> str:
    return name.replace("_", "-")
