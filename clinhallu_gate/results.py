"""What an evaluation found: a verdict for every reading of every instance, the texts behind them, what calls cost."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from clinhallu_gate.records import Instance, NotAsked, Reading, Verdict
from clinhallu_gate.vocabulary import ANSWER, Arm, NotAskedReason, Part

NOT_SELECTED = NotAsked(NotAskedReason.NOT_SELECTED)


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one trace cost: seconds at the transport, and tokens."""

    latency_s: float
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None


@dataclass(slots=True)
class Found:
    """What was found of one instance."""

    verdicts: dict[Reading, Verdict] = field(default_factory=dict)
    texts: dict[Reading, str] = field(default_factory=dict)
    """The model's own words, where they could be read; given stages are not among them."""
    costs: dict[Arm, CallCost] = field(default_factory=dict)


class Results:
    """All that was found, by instance."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self.instances = tuple(instances)
        self.by_uid = {instance.uid: instance for instance in self.instances}
        self.found: dict[str, Found] = {instance.uid: Found() for instance in self.instances}

    def verdict(self, uid: str, reading: Reading) -> Verdict:
        """Return the verdict on ``reading`` of the instance, ``NotAsked`` if it was not part of the run.

        Raises ``KeyError`` for an instance that is not in the data.
        """
        return self.found[uid].verdicts.get(reading, NOT_SELECTED)

    def text(self, uid: str, arm: Arm, part: Part) -> str | None:
        """Return what the model wrote for ``part`` in ``arm``, if that could be read."""
        return self.found[uid].texts.get(Reading(arm, part))

    def rows(self) -> Iterator[tuple[Instance, Reading, Verdict]]:
        """Yield every verdict that was sought, instance by instance."""
        for instance in self.instances:
            for reading, verdict in self.found[instance.uid].verdicts.items():
                yield instance, reading, verdict

    def costs(self) -> Iterator[CallCost]:
        """Yield what each trace cost."""
        for found in self.found.values():
            yield from found.costs.values()


BASELINE_ANSWER = Reading(Arm.BASELINE, ANSWER)
