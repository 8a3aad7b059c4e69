"""What an evaluation found: a verdict for every reading of every instance, the texts behind them, what calls cost."""

from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, NamedTuple, cast

from clinhallu_gate.records import Instance, NotAsked, Reading, Verdict, bare_verdict, worded, words_of
from clinhallu_gate.shelf import Key, Shelf, Value
from clinhallu_gate.vocabulary import ANSWER, STAGE_ARM, Arm, NotAskedReason, Part, Stage

NOT_SELECTED = NotAsked(NotAskedReason.NOT_SELECTED)


@dataclass(frozen=True, slots=True)
class CallCost:
    """What one trace cost: seconds at the transport, and tokens."""

    latency_s: float
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None


@dataclass(frozen=True, slots=True)
class TraceRecord:
    """One reply as it came, and what the benchmark's own rule says of the trace in it."""

    reply: str
    """The model's raw text; empty where the endpoint gave none."""
    given: Mapping[Stage, str]
    """The stages that the arm was given, as they were given."""
    finish_reason: str
    """As the server said it; empty where that is not known."""
    attempts: int
    """Replies drawn, this one included; 0 if nothing was asked."""
    retry_limit: int
    """How often an invalid trace could be drawn again (``invalid_retry_attempts`` in the benchmark's files)."""
    valid: bool
    why: str
    """What the benchmark's rule says: ``OK``, or what is wrong."""
    status: str | None
    """None for a valid trace; else ``invalid_cot``, ``api_failed`` or ``exception``."""


@dataclass(frozen=True, slots=True)
class PaperMark:
    """One judgement as the benchmark's own files hold it."""

    value: int
    """1 or 0 (correct, hallucinated), or -1 where the judge failed."""
    reason: str
    valid: bool = True
    """Whether the judgement's row says that the trace was valid: only then does an answer enter the accuracy."""


class TraceOf(NamedTuple):
    """Which trace: the arm, and which of its repeats."""

    arm: Arm
    repeat: int = 0


class WordsAside(MutableMapping[Reading, Verdict]):
    """Verdicts of which the words lie elsewhere, as on a shelf; without them they are at hand.

    Args:
        bare: The verdicts without words; not changed, as it may be that of many instances.
        words: What was said, of those of which something was; by the reading as text, which is read from disk sooner.
    """

    __slots__ = ("_words", "bare")

    def __init__(self, bare: Mapping[Reading, Verdict], words: Mapping[str, str]) -> None:
        self.bare = bare
        self._words = words

    def __getitem__(self, reading: Reading) -> Verdict:
        return worded(self.bare[reading], self._words.get(str(reading), ""))

    def __setitem__(self, reading: Reading, verdict: Verdict) -> None:
        self.bare = {**self.bare, reading: bare_verdict(verdict)}
        self._words = {**self._words, str(reading): words_of(verdict)}

    def __delitem__(self, reading: Reading) -> None:
        self.bare = {each: verdict for each, verdict in self.bare.items() if each != reading}

    def __contains__(self, reading: object) -> bool:
        return reading in self.bare

    def __iter__(self) -> Iterator[Reading]:
        return iter(self.bare)

    def __len__(self) -> int:
        return len(self.bare)

    def __repr__(self) -> str:
        return f"WordsAside({dict(self)!r})"


@dataclass(slots=True)
class Found:
    """What was found of one instance."""

    verdicts: MutableMapping[Reading, Verdict] = field(default_factory=dict)
    texts: MutableMapping[Reading, str] = field(default_factory=dict)
    """The model's own words, where they could be read; given stages are not among them."""
    costs: MutableMapping[TraceOf, CallCost] = field(default_factory=dict)
    traces: MutableMapping[Arm, TraceRecord] = field(default_factory=dict)
    """The replies behind the texts, of the first trace of each arm."""
    paper: dict[Reading, PaperMark] = field(default_factory=dict)
    """What a result tree of the benchmark's own code holds, by the row that holds it; empty for runs of our own, apart
    from judgements that only the benchmark asks for."""
    no_row: set[Reading] = field(default_factory=set)
    """What a result tree has no row of, so that the benchmark's figures leave it out."""
    baseline: dict[Reading, Verdict] = field(default_factory=dict)
    """The verdicts of the release in use on what was sought here, if there is a baseline run."""
    baseline_texts: Mapping[Reading, str] = field(default_factory=dict)
    """Its own words, of the headline readings, as far as its run folder holds them."""
    extra: dict[Arm, Mapping[str, Any]] = field(default_factory=dict)
    """Fields of an arm's rows in a result tree that do not follow from all else, by kind of row."""

    @property
    def bare_verdicts(self) -> Mapping[Reading, Verdict]:
        """The verdicts without anybody's words; they are at hand where the words lie on disk."""
        if isinstance(self.verdicts, WordsAside):
            return self.verdicts.bare
        return {reading: bare_verdict(verdict) for reading, verdict in self.verdicts.items()}

    def bare_verdict(self, reading: Reading) -> Verdict | None:
        """Return one of them."""
        if isinstance(self.verdicts, WordsAside):
            return self.verdicts.bare.get(reading)
        verdict = self.verdicts.get(reading)
        return None if verdict is None else bare_verdict(verdict)


#: Stands in the place of every empty collection of an instance that is done with: each by itself takes 64 bytes or 216.
_NONE: Final = cast("dict[Any, Any]", MappingProxyType({}))
_NO_ROW: Final = cast("set[Reading]", frozenset())


@dataclass(frozen=True, slots=True)
class Retest:
    """Judgements that were asked for twice."""

    asked: int
    judged: int
    """Of which the judge gave a verdict again."""
    flipped: int
    """And another one than before."""


class ByUid(Mapping[str, Instance]):
    """Instances by their uid, in order of the data; each is read when it is asked for."""

    def __init__(self, instances: Sequence[Instance]) -> None:
        self._instances = instances
        self._places = {instance.uid: place for place, instance in enumerate(instances)}

    def __getitem__(self, uid: str) -> Instance:
        return self._instances[self._places[uid]]

    def __contains__(self, uid: object) -> bool:
        return uid in self._places

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


class Results:
    """All that was found, by instance.

    Args:
        instances: In order of the data.
        shelf: Where texts, replies and costs lie once an instance is done with; without one they stay in memory.
    """

    def __init__(self, instances: Sequence[Instance], shelf: Shelf | None = None) -> None:
        self.instances = instances
        self.by_uid: Mapping[str, Instance] = ByUid(instances)
        self.found: dict[str, Found] = {uid: Found() for uid in self.by_uid}
        self.shelf = shelf
        self._alike: dict[tuple[tuple[Reading, Verdict], ...], Mapping[Reading, Verdict]] = {}
        """Bare verdicts of an instance: there are some hundreds of kinds, and each is held once."""
        self.retest: Retest | None = None
        """How far the judge agrees with itself, if it was asked twice."""

    def verdict(self, uid: str, reading: Reading) -> Verdict:
        """Return the verdict on ``reading`` of the instance, ``NotAsked`` if it was not part of the run.

        Raises ``KeyError`` for an instance that is not in the data.
        """
        return self.found[uid].verdicts.get(reading, NOT_SELECTED)

    def bare_verdict(self, uid: str, reading: Reading) -> Verdict:
        """Return the same without anybody's words, which need not be read from disk for it."""
        return self.found[uid].bare_verdict(reading) or NOT_SELECTED

    def put_away(self, uid: str) -> None:
        """Keep what was found of an instance on the shelf, but for its bare verdicts: everything can still be read."""
        found = self.found[uid]
        found.texts, found.traces = self.shelved(found.texts), self.shelved(found.traces)
        found.costs = self.shelved(found.costs)
        if not isinstance(found.verdicts, WordsAside):
            found.verdicts = self._words_aside(found.verdicts)
        found.paper, found.no_row = found.paper or _NONE, found.no_row or _NO_ROW
        found.baseline, found.extra = found.baseline or _NONE, found.extra or _NONE
        found.baseline_texts = found.baseline_texts or _NONE

    def _words_aside(self, verdicts: Mapping[Reading, Verdict]) -> WordsAside:
        bare = tuple((reading, bare_verdict(verdict)) for reading, verdict in verdicts.items())
        said = {str(reading): words for reading, verdict in verdicts.items() if (words := words_of(verdict))}
        return WordsAside(self._alike.setdefault(bare, dict(bare)), self.shelved(said) if said else _NONE)

    def shelved(self, content: MutableMapping[Key, Value]) -> MutableMapping[Key, Value]:
        """Return what stands for ``content`` on the shelf; without one, what was given."""
        return content if self.shelf is None else self.shelf.put(content)

    def text(self, uid: str, arm: Arm, part: Part) -> str | None:
        """Return what the model wrote for ``part`` in ``arm``, if that could be read."""
        return self.found[uid].texts.get(Reading(arm, part))

    def rows(self) -> Iterator[tuple[Instance, Reading, Verdict]]:
        """Yield every verdict that was sought, instance by instance."""
        for instance in self.instances:
            for reading, verdict in self.found[instance.uid].verdicts.items():
                yield instance, reading, verdict

    def bare_rows(self) -> Iterator[tuple[Instance, Reading, Verdict]]:
        """Yield the same without anybody's words."""
        for instance in self.instances:
            for reading, verdict in self.found[instance.uid].bare_verdicts.items():
                yield instance, reading, verdict

    def costs(self) -> Iterator[CallCost]:
        """Yield what each trace cost."""
        for found in self.found.values():
            yield from found.costs.values()


BASELINE_ANSWER = Reading(Arm.BASELINE, ANSWER)
#: The reading of each stage whose judgements make its rate.
RATE_READING: Final[Mapping[Stage, Reading]] = {stage: Reading(arm, stage) for stage, arm in STAGE_ARM.items()}
#: What the published rates are read from: each stage where its rate is, and the answer of the model left to itself.
HEADLINE_READINGS: Final[tuple[Reading, ...]] = (*RATE_READING.values(), BASELINE_ANSWER)
#: The row of the benchmark's files that holds it: the baseline's visual stage is judged where ``replace_kr`` keeps it.
PAPER_READING: Final[Mapping[Stage, Reading]] = {
    **RATE_READING,
    Stage.VISUAL_RECOGNITION: Reading(Arm.REPLACE_KR, Stage.VISUAL_RECOGNITION),
}
