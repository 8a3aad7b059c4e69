"""Verdicts counted: per reading and stratum, and why some are missing."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction

from clinhallu_gate.records import PARTS, Failed, Instance, Judged, Reading, Unjudged, Verdict, words_of
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import Arm


@dataclass(frozen=True, slots=True)
class Tally:
    """One reading over some instances."""

    good: int
    bad: int
    failed: int
    unjudged: int
    not_asked: int

    @property
    def known(self) -> int:
        """Return how many count: judged or failed by the model."""
        return self.good + self.bad + self.failed

    @property
    def bad_rate(self) -> Fraction | None:
        """Return the share of bad among the known; None if there is none, or if only a part was asked."""
        return None if self.not_asked or not self.known else Fraction(self.bad + self.failed, self.known)


def tally(results: Results, reading: Reading, instances: Iterable[Instance]) -> Tally:
    """Count the verdicts on ``reading``."""
    kinds = Counter(_kind(results.bare_verdict(instance.uid, reading)) for instance in instances)
    return Tally(*(kinds[kind] for kind in ("good", "bad", "failed", "unjudged", "not_asked")))


def _kind(verdict: Verdict) -> str:
    if isinstance(verdict, Judged):
        return "bad" if verdict.bad else "good"
    return verdict.kind


def counts_against(verdict: Verdict) -> bool:
    """Whether a verdict counts against the model."""
    return isinstance(verdict, Failed) or (isinstance(verdict, Judged) and verdict.bad)


def strata(results: Results) -> Mapping[tuple[str, str], list[Instance]]:
    """Return the instances of each (dataset, stratum), in the order of their first."""
    found: dict[tuple[str, str], list[Instance]] = {}
    for instance in results.instances:
        found.setdefault((instance.dataset, instance.stratum), []).append(instance)
    return found


def mean(values: Iterable[Fraction | None]) -> Fraction | None:
    """Return the unweighted mean; None if there is none, or if one is missing."""
    known = list(values)
    given = [value for value in known if value is not None]
    return sum(given, Fraction(0)) / len(given) if given and len(given) == len(known) else None


def sought(results: Results) -> list[Reading]:
    """Return every reading of which a verdict was sought, in the order of arms and parts."""
    seen = {reading for _, reading, _ in results.bare_rows()}
    return [Reading(arm, part) for arm in Arm for part in PARTS if Reading(arm, part) in seen]


@dataclass(frozen=True, slots=True)
class Lack:
    """A reason for which verdicts are missing."""

    kind: str
    """``failed`` by the model or ``unjudged`` by the instrument."""
    reason: str
    count: int
    example: str
    """Where, and in whose words."""


def lacks(results: Results) -> list[Lack]:
    """Return why parts failed or were not judged, the most frequent reason first."""
    counted: Counter[tuple[str, str]] = Counter()
    example: dict[tuple[str, str], str] = {}
    for instance, reading, verdict in results.bare_rows():
        if isinstance(verdict, Failed | Unjudged):
            key = (verdict.kind, verdict.reason.value)
            counted[key] += 1
            if key not in example:
                detail = words_of(results.verdict(instance.uid, reading))
                example[key] = f"{instance.uid} {reading}{f': {detail}' if detail else ''}"
    return [Lack(kind, reason, count, example[kind, reason]) for (kind, reason), count in counted.most_common()]
