"""Gold that was drafted for a manifest's rows, and gold that people signed: the files beside it, and what still holds.

A signature is for one question, its options, answer and images, and for the three texts; whatever is not the same any
more was not signed.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Literal, TypeVar

import orjson
from pydantic import Field, ValidationError

from clinhallu_gate.errors import BadInput
from clinhallu_gate.keeping import Keeper, KeptMap
from clinhallu_gate.records import GoldTrace, Instance, Record
from clinhallu_gate.vocabulary import GoldSource, Stage

DRAFT_FILE: Final = "draft.jsonl"
NOBODY: Final = "a draft that nobody signed"
Line = TypeVar("Line", bound=Record)


class DraftedRow(Record):
    """A line of ``draft.jsonl``: what a model drafted for a row, or why it did not."""

    id: str
    row: int
    """Line of a text file, or number of the record, from 1."""
    content_sha256: str
    """Of question, options, answer and images, as they were (``content_sha256``)."""
    report_sha256: str = ""
    gold: GoldTrace | None = None
    """None if there is no draft."""
    trouble: str = ""
    """Why there is none; it holds no text of the row."""
    drafted_by: str = ""
    """Model, and revision or digest of its weights."""
    prompt_sha256: str = ""
    drafted: str = ""
    """UTC."""

    @property
    def draft_sha256(self) -> str:
        """Digest of the drafted texts; empty if there are none."""
        return trace_sha256(self.gold) if self.gold else ""


class SignedRow(Record):
    """A line of a file of signed gold; of several with one id the last one counts, the others are its history."""

    schema_version: Literal[1] = 1
    id: str
    decision: Literal["approved", "rejected"]
    gold: GoldTrace = GoldTrace()
    """Of an approved row all three stages; of a rejected one none."""
    note: str = ""
    content_sha256: str
    sha256: str
    """Over ``content_sha256`` and the stages: that they are what was signed."""
    draft_sha256: str = ""
    """Of the draft that was reviewed; empty if there was none."""
    drafted_by: str = ""
    edited: bool = False
    """Whether the texts are others than the draft's."""
    reviewer: str = Field(min_length=1)
    signed: str
    """UTC."""

    @property
    def whole(self) -> bool:
        """Whether the texts are those that were signed."""
        return self.sha256 == signature(self.content_sha256, self.gold)


def content_sha256(instance: Instance, pictured: Sequence[str]) -> str:
    """Return the digest of what gold is for: id, question, options, answer, and (``pictured``) images."""
    return _digest(
        *(instance.id, instance.question, instance.question_type, list(instance.options), instance.answer),
        *(instance.answer_letter, list(pictured)),
    )


def trace_sha256(gold: GoldTrace) -> str:
    """Return the digest of the three texts."""
    return _digest(*(gold.text(stage) for stage in Stage))


def signature(content: str, gold: GoldTrace) -> str:
    """Return the digest over a row's content and its gold."""
    return _digest(content, *(gold.text(stage) for stage in Stage))


def _digest(*parts: object) -> str:
    return hashlib.sha256(orjson.dumps(parts)).hexdigest()


# --- where they lie ---------------------------------------------------------------------------------------------------


def signed_file(manifest: Path) -> Path:
    """Return where signed gold lies: beside the manifest."""
    return manifest.with_name(f"{manifest.stem}.signed-gold.jsonl")


def draft_folder(manifest: Path) -> Path:
    """Return where drafts lie by default: in a folder beside the manifest."""
    return manifest.with_name(f"{manifest.stem}.gold")


def read_lines(path: Path, kind: type[Line]) -> Iterator[Line]:
    """Yield the lines of a file of drafts or signatures; none if there is no file. Raises ``BadInput``."""
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                try:
                    yield kind.model_validate_json(line)
                except ValidationError as error:
                    where = ".".join(str(part) for part in error.errors()[0]["loc"])
                    raise BadInput(
                        f"{path}:{number}: is no line of it{f' ({where})' if where else ''}; restore the file, or move "
                        "it away."
                    ) from None
    except FileNotFoundError:
        return
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}.") from None


# --- what holds -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Laid:
    """The gold of one instance, and whose word it is."""

    gold: GoldTrace
    source: GoldSource
    content_sha256: str
    doubt: str = ""
    """Why gold that is there, or was, is not signed."""
    signed: SignedRow | None = None
    """The signature that holds."""


@dataclass(frozen=True, slots=True)
class GoldBeside:
    """What lies beside a manifest."""

    signed: Mapping[str, SignedRow] = field(default_factory=dict)
    drafts: Mapping[str, DraftedRow] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Path, keeper: Keeper) -> "GoldBeside":
        """Read it. Raises ``BadInput``."""
        signed: KeptMap[SignedRow] = KeptMap(keeper)
        signed.put_all((line.id, line) for line in read_lines(signed_file(manifest), SignedRow))
        drafts: KeptMap[DraftedRow] = KeptMap(keeper)
        lines = read_lines(draft_folder(manifest) / DRAFT_FILE, DraftedRow)
        drafts.put_all((line.id, line) for line in lines if line.gold is not None)
        return cls(signed, drafts)

    def lay(self, instance: Instance, pictured: Sequence[str]) -> Laid:
        """Return the gold of an instance whose ids are the manifest's own; ``pictured`` tells its images.

        Stages that the manifest holds stand. A text that was signed or drafted for another content is no gold of this
        one, and a draft that was rejected is none either.
        """
        own, content = instance.gold, content_sha256(instance, pictured)
        if _whole(own):
            return Laid(own, GoldSource.SUPPLIED, content)
        signed, draft, doubt = self.signed.get(instance.id), self.drafts.get(instance.id), ""
        if signed is not None and signed.decision == "approved":
            doubt = _lapsed(signed, own, content)
            if not doubt:
                return Laid(signed.gold, GoldSource.SIGNED, content, signed=signed)
        if draft is None or draft.gold is None or _is_rejected(draft, signed):
            return Laid(own, GoldSource.ABSENT, content, doubt)
        filled = filled_up(own, draft.gold)
        if draft.content_sha256 != content or not _whole(filled):
            stale = "its question, answer or images are not those of the draft"
            return Laid(own, GoldSource.ABSENT, content, doubt or stale)
        return Laid(filled, GoldSource.UNSIGNED, content, doubt or NOBODY)


def settles(signed: SignedRow | None, draft: DraftedRow) -> bool:
    """Whether a draft was decided on: its row was signed as it was drafted for, or this very draft was rejected."""
    if signed is None or signed.decision == "rejected":
        return _is_rejected(draft, signed)
    return signed.whole and signed.content_sha256 == draft.content_sha256


def filled_up(own: GoldTrace, other: GoldTrace) -> GoldTrace:
    """Return a trace with the stages that ``own`` lacks taken from ``other``."""
    return GoldTrace(**{stage.value: own.text(stage) or other.text(stage) for stage in Stage})


def _whole(gold: GoldTrace) -> bool:
    return all(gold.text(stage) is not None for stage in Stage)


def _is_rejected(draft: DraftedRow, signed: SignedRow | None) -> bool:
    return signed is not None and signed.decision == "rejected" and signed.draft_sha256 == draft.draft_sha256


def _lapsed(signed: SignedRow, own: GoldTrace, content: str) -> str:
    """Say why a signature does not hold; empty if it does."""
    if signed.content_sha256 != content:
        return "its question, answer or images were changed after its gold was signed"
    if not signed.whole or not _whole(signed.gold):
        return "its gold was changed after it was signed"
    if filled_up(own, signed.gold) != signed.gold:
        return "the manifest holds another text than the one that was signed"
    return ""
