"""The records that travel from dataset to report: instance, trace, verdict, call, completion."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from functools import cache
from pathlib import Path
from sys import intern
from typing import Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass as checked_dataclass

from clinhallu_gate.vocabulary import (
    ANSWER,
    Arm,
    FailReason,
    NotAskedReason,
    Outcome,
    Part,
    QuestionType,
    Stage,
    UnjudgedReason,
)

CHECKED: Final = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class Record(BaseModel):
    """A frozen boundary record that refuses fields it does not know."""

    model_config = ConfigDict(**CHECKED, frozen=True)


# Of instances there may be a hundred thousand: in slots, which are checked all the same, one takes 2 kB less.


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class Image:
    """One image of a study: a file, or its bytes."""

    sha256: str
    """Digest of the encoded bytes, lower-case hexadecimal."""
    media_type: str = "image/png"
    path: Path | None = None
    """Where the bytes lie, if not in ``data``."""
    data: bytes | None = Field(default=None, repr=False)

    @classmethod
    def from_bytes(cls, data: bytes, media_type: str = "image/png") -> "Image":
        """Wrap encoded bytes, with their digest."""
        return cls(sha256=hashlib.sha256(data).hexdigest(), media_type=media_type, data=data)

    def read(self) -> bytes:
        """Return the encoded bytes. Raises ``OSError`` if the file cannot be read."""
        if self.data is not None:
            return self.data
        if self.path is None:
            raise FileNotFoundError(f"image {self.sha256[:12]} has neither bytes nor a path")
        return self.path.read_bytes()


@checked_dataclass(frozen=True, slots=True, kw_only=True, config=CHECKED)
class GoldTrace:
    """The reference text of each stage; a stage without one cannot be given or judged."""

    visual_recognition: str | None = None
    knowledge_recall: str | None = None
    reasoning_integration: str | None = None

    def text(self, stage: Stage) -> str | None:
        """Return the gold text of ``stage``, or None where the data has none."""
        text: str | None = getattr(self, stage.value)
        return text


@checked_dataclass(frozen=True, slots=True, kw_only=True, repr=False, config=CHECKED)
class Instance:
    """One question about one study (1..n images), its answer and its gold trace."""

    dataset: str
    id: str
    """Unique within the dataset."""
    stratum: str
    """What a per-stratum scope of a gate names: the dataset, or a part of it such as a modality."""
    cluster: str
    """The image or patient that several instances share; the unit of a population claim."""
    images: tuple[Image, ...]
    question: str
    question_type: QuestionType
    options: tuple[str, ...] = ()
    """``"A. text"`` each, for multiple choice."""
    answer: str
    answer_letter: str | None = None
    gold: GoldTrace = GoldTrace()
    tags: tuple[str, ...] = ()
    """``"modality:ct"`` and the like, and names of never-events."""
    phi: bool = False
    """Is it patient data."""
    facts: Mapping[str, Any] | None = Field(default=None, repr=False)
    """What a phantom shows, as its generator knows it; the oracle reads this."""

    @property
    def uid(self) -> str:
        """Return ``dataset/id``, unique within a run."""
        return intern(f"{self.dataset}/{self.id}")  # many hold it: results, plan, frames

    def __repr__(self) -> str:
        """Show no more of a patient than the name: pytest prints what a failed test was given."""
        names = ("uid", "phi") if self.phi else [each.name for each in fields(self) if each.repr]
        return f"Instance({', '.join(f'{name}={getattr(self, name)!r}' for name in names)})"

    def __eq__(self, other: object) -> bool:
        """Compare by content; with the equality of dataclasses pytest would print the fields that differ."""
        return isinstance(other, Instance) and all(
            getattr(self, each.name) == getattr(other, each.name) for each in fields(self)
        )

    def __hash__(self) -> int:
        return hash((self.dataset, self.id))


#: Reads instances, and writes them as JSON.
INSTANCE: Final = TypeAdapter(Instance)


# --- outcomes: a discriminated union, with no sentinel and no default ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Judged:
    """The judge said what the part is, and why."""

    outcome: Outcome
    reason: str
    kind: Literal["judged"] = "judged"

    @property
    def bad(self) -> bool:
        """Whether this counts against the model."""
        return self.outcome in (Outcome.HALLUCINATED, Outcome.INCORRECT)


@dataclass(frozen=True, slots=True)
class Failed:
    """The model did not deliver the part: always counted against it, never asked again."""

    reason: FailReason
    detail: str = ""
    kind: Literal["failed"] = "failed"


@dataclass(frozen=True, slots=True)
class Unjudged:
    """The instrument did not deliver a verdict: bounded both ways, asked again by a rerun."""

    reason: UnjudgedReason
    detail: str = ""
    kind: Literal["unjudged"] = "unjudged"


@dataclass(frozen=True, slots=True)
class NotAsked:
    """The verdict was not needed, or not possible."""

    reason: NotAskedReason
    detail: str = ""
    kind: Literal["not_asked"] = "not_asked"


Verdict: TypeAlias = Judged | Failed | Unjudged | NotAsked
#: There are four without a reason: each is held once.
_judged: Final = cache(Judged)


def bare_verdict(verdict: Verdict) -> Verdict:
    """Return a verdict without anybody's words; why nothing was asked is said in our own."""
    match verdict:
        case Judged():
            return _judged(verdict.outcome, "")
        case Failed() | Unjudged():
            return replace(verdict, detail="")
        case NotAsked():
            return verdict


def words_of(verdict: Verdict) -> str:
    """Return what ``bare_verdict`` leaves out."""
    match verdict:
        case Judged():
            return verdict.reason
        case Failed() | Unjudged():
            return verdict.detail
        case NotAsked():
            return ""


def worded(verdict: Verdict, words: str) -> Verdict:
    """Return a bare verdict with its words."""
    if not words:
        return verdict
    match verdict:
        case Judged():
            return Judged(verdict.outcome, words)
        case Failed() | Unjudged():
            return replace(verdict, detail=words)
        case NotAsked():
            return verdict


@dataclass(frozen=True, slots=True)
class Trace:
    """What was read from one reply: each part that the arm asked for, as text or as the reason why it failed."""

    parts: Mapping[Part, str | Failed]

    def text(self, part: Part) -> str | None:
        """Return the text of ``part``, or None if the model did not deliver it."""
        found = self.parts[part]
        return found if isinstance(found, str) else None


@dataclass(frozen=True, slots=True)
class Reading:
    """Which part of which arm's trace a verdict is about."""

    arm: Arm
    part: Part
    repeat: int = 0
    """Which of several traces of the arm (``--repeats``); the first is 0."""

    def __str__(self) -> str:
        return f"{self.arm}:{self.part}{f'#{self.repeat}' if self.repeat else ''}"


# --- calls and replies --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Message:
    """One chat message: text and images in the order in which the model sees them."""

    role: Literal["system", "user", "assistant"]
    content: tuple[str | Image, ...]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a reply is drawn; the whole of it enters the content address."""

    max_tokens: int
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """Everything that is said to a model in one call, apart from which model it is."""

    messages: tuple[Message, ...]
    sampling: Sampling
    continue_final_message: bool = False
    """The last message is the assistant's own beginning, to be continued (prefill)."""
    response_schema: Mapping[str, Any] | None = None
    """JSON schema that the server enforces."""
    chat_template_kwargs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Call:
    """One request with its content address."""

    key: str
    """Hexadecimal digest of everything that decides the reply."""
    label: str
    """For logs and people: ``uid arm``."""
    affinity: str
    """Calls of one image bear the same value and go to the same replica."""
    request: ChatRequest
    usable: "Callable[[Completion], bool] | None" = field(default=None, compare=False, repr=False)
    """Whether a finished reply is worth keeping; None keeps every one. What is not kept is asked again by a rerun."""


@dataclass(frozen=True, slots=True)
class Completion:
    """A finished reply: a result, whatever its text is."""

    text: str
    finish_reason: str
    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int | None
    """Prompt tokens served from the prefix cache; None where the server does not say."""
    latency_s: float
    refused: bool = False


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try of a call at the transport, for the log."""

    error: str
    """Empty when it succeeded."""
    status: int | None
    latency_s: float


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that could not be had; never stored as done."""

    detail: str
    attempts: tuple[Attempt, ...]


Reply: TypeAlias = Completion | CallFailure

PARTS: tuple[Part, ...] = (*Stage, ANSWER)
