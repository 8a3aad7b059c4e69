"""What a reviewer saved: the sheet's JSON, or its table as a spreadsheet wrote it."""

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from clinhallu_gate.cells import unfenced
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gold.prompt import cleaned
from clinhallu_gate.gold.sheet import FILLED, KEYS
from clinhallu_gate.records import GoldTrace
from clinhallu_gate.vocabulary import Stage

_LINE_END: Final = " \N{RETURN SYMBOL} "
_WANTED: Final = ("decision", *(stage.value for stage in Stage), "content_sha256")
_LONGEST: Final = 20_000

Text = Annotated[str, BeforeValidator(lambda value: cleaned(value) if isinstance(value, str) else value)]


class ReviewedRow(BaseModel):
    """What was decided of one row; what else a sheet shows is not read."""

    model_config = ConfigDict(frozen=True)

    id: Text = ""
    decision: Literal["approved", "rejected", "open"]
    visual_recognition: Text = ""
    knowledge_recall: Text = ""
    reasoning_integration: Text = ""
    note: Text = ""
    content_sha256: str
    report_sha256: str = ""
    draft_sha256: str = ""
    drafted_by: Text = ""
    reviewer: Text = ""

    @property
    def gold(self) -> GoldTrace:
        """The three texts; None for one that is empty."""
        return GoldTrace(**{stage.value: getattr(self, stage.value) or None for stage in Stage})

    @property
    def too_long(self) -> bool:
        """Whether a text is longer than any sheet keeps whole."""
        return any(len(getattr(self, stage.value)) > _LONGEST for stage in Stage)


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A file that a reviewer saved."""

    rows: tuple[tuple[str, ReviewedRow], ...]
    """Each with where it stands in the file."""
    reviewers: frozenset[str]
    """Whom it names."""


def read_reviewed(path: Path) -> Reviewed:
    """Read it. Raises ``BadInput``, without any value: a file of another kind may hold anything."""
    readers = {".json": _read_json, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise BadInput(f"{path}: is no reviewed sheet. Valid: the JSON or the CSV that review.html saves.")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}.") from None
    return readers[path.suffix.lower()](path, content)


def _read_json(path: Path, content: bytes) -> Reviewed:
    try:
        told = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadInput(f"{path}: is not JSON (line {error.lineno}).") from None
    if not isinstance(told, dict) or told.get("schema_version") != 1 or not isinstance(told.get("rows"), list):
        raise BadInput(f"{path}: is not what review.html saves (schema_version 1, rows).")
    rows = tuple((f"rows[{n}]", _row(path, f"rows[{n}]", row)) for n, row in enumerate(told["rows"]))
    return Reviewed(rows, _named([told.get("reviewer")]))


def _read_csv(path: Path, content: bytes) -> Reviewed:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{path}: is not UTF-8; in a spreadsheet save it as 'CSV UTF-8'.") from None
    header = text.partition("\n")[0]
    separator = max(",;\t", key=header.count)
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lacking = [name for name in _WANTED if name not in (lines.fieldnames or ())]
        if lacking:
            raise BadInput(f"{path}: has no column {lacking[0]}. Valid: review.csv as draft-gold wrote it, filled in.")
        rows = tuple((f"line {lines.line_num}", _row(path, f"line {lines.line_num}", _cells(row))) for row in lines)
    except csv.Error as error:
        raise BadInput(f"{path}:{lines.line_num}: is not CSV: {error}.") from None
    return Reviewed(rows, _named(row.reviewer for _, row in rows))


def _cells(row: dict[str, Any]) -> dict[str, str]:
    cells = {name: _uncell(row.get(name) or "") for name in (*FILLED, *KEYS)}
    return {**cells, "decision": cells["decision"].strip().lower() or "open"}


def _uncell(text: str) -> str:
    """Undo what made a text fit for a spreadsheet."""
    return unfenced(text).replace(_LINE_END, "\n")


def _named(said: Any) -> frozenset[str]:  # noqa: ANN401 - of a file
    return frozenset(cleaned(name) for name in said if isinstance(name, str) and name.strip())


def _row(path: Path, where: str, content: object) -> ReviewedRow:
    try:
        return ReviewedRow.model_validate(content)
    except ValidationError as error:
        field = ".".join(str(part) for part in error.errors()[0]["loc"]) or "the row"
        valid = ". Valid: approved, rejected, open" if field == "decision" else ""
        raise BadInput(f"{path}: {where}: {field}: cannot be used{valid}.") from None
