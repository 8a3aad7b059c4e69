"""Rows of a user's table: CSV as people and spreadsheets write it, and the cells of CSV and Parquet as values."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from clinhallu_gate.datasets.problems import shown
from clinhallu_gate.datasets.reading import RawRow, parquet_columns, read_parquet
from clinhallu_gate.datasets.row import FIELDS
from clinhallu_gate.errors import BadInput, not_one_of

if TYPE_CHECKING:
    import _csv

_LISTS: Final = ("images", "options", "tags", "frames", "sop_uid")
_NUMBERS: Final = ("frames",)
_OBJECTS: Final = ("gold_cot", "gold_cot_meta")
_FLAGS: Final = ("phi", "cot_valid")
_MOST_IN_A_CELL: Final = 2**26
"""Characters."""
_TRUE, _FALSE = ("true", "yes", "1"), ("false", "no", "0")


def read_csv(path: Path) -> Iterator[RawRow]:
    """Yield the rows, cells turned into what their columns mean; empty cells are left away. Raises ``BadInput``."""
    _demand_utf8(path)
    with path.open(encoding="utf-8-sig", newline="") as text:
        header = text.readline()
        separator = max(",;\t", key=lambda mark: len(_known(header.split(mark))))
        text.seek(0)
        csv.field_size_limit(_MOST_IN_A_CELL)  # of the process; as shipped it is 128 KiB
        lines = csv.reader(text, delimiter=separator, strict=True)
        columns = [name.strip() for name in _line(path, lines) or ()]
        _refuse_columns(path, columns)
        while (cells := _line(path, lines)) is not None:
            if any(cells):
                yield _row(path, lines.line_num - sum(cell.count("\n") for cell in cells), columns, cells)


def read_table(path: Path) -> Iterator[RawRow]:
    """Yield the rows of a Parquet table. Raises ``BadInput`` for a column that is no field."""
    _refuse_columns(path, parquet_columns(path))
    for row in read_parquet(path):
        content = {name: _whole(name, value) for name, value in row.content.items()}
        yield RawRow(row.file, row.number, {name: value for name, value in content.items() if value is not None})


def _demand_utf8(path: Path) -> None:
    """Raise ``BadInput`` if the file cannot be read or decoded; it is looked at line by line, as it may be large."""
    before = 0
    try:
        with path.open("rb") as lines:
            for line in lines:
                line.decode()
                before += len(line)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}.") from error
    except UnicodeDecodeError as error:
        place = before + error.start
        raise BadInput(f"{path}: is not UTF-8 (byte {place}); in a spreadsheet save it as 'CSV UTF-8'.") from error


def _known(names: Sequence[str]) -> set[str]:
    return {name.strip().strip('"') for name in names} & set(FIELDS)


def _refuse_columns(path: Path, columns: Sequence[str]) -> None:
    if columns and not _known(columns):  # a title or a first row, most likely, and perhaps a patient's
        raise BadInput(f"{path}: has no header: none of its columns is a field. Valid: {', '.join(FIELDS)}.")
    for name in columns:
        if name not in FIELDS:
            raise BadInput(not_one_of(f"{path}: column", name, FIELDS, noun="a field"))
        if columns.count(name) > 1:
            raise BadInput(f"{path}: the column {name!r} occurs twice.")


def _line(path: Path, lines: "_csv.Reader") -> list[str] | None:
    first = lines.line_num + 1
    try:
        return next(lines, None)
    except csv.Error as error:  # a broken quotation runs on: no row after it is known
        last = f" (in line {lines.line_num}, of the row that begins here)" if lines.line_num > first else ""
        raise BadInput(f"{path}:{first}: is not CSV: {error}{last}.") from error


def _row(path: Path, number: int, columns: Sequence[str], cells: Sequence[str]) -> RawRow:
    if len(cells) != len(columns):
        return RawRow(str(path), number, {}, f"has {len(cells)} cells. Valid: {len(columns)}, as the header")
    try:
        pairs = zip(columns, cells, strict=True)
        return RawRow(str(path), number, {name: _value(name, cell) for name, cell in pairs if cell.strip()})
    except ValueError as error:
        return RawRow(str(path), number, {}, str(error))


def _value(name: str, cell: str) -> Any:  # noqa: ANN401 - JSON
    text = cell.strip()
    if name in _OBJECTS or (name in _LISTS and text.startswith("[")):
        try:
            return orjson.loads(text)
        except orjson.JSONDecodeError as error:
            raise ValueError(f"{name}: {shown(text)} is not JSON: {error}") from error
    if name in _LISTS:
        parts = [part.strip() for part in text.split("|")]
        return [int(part) if name in _NUMBERS and part.isdecimal() else part for part in parts]
    if name in _FLAGS and text.lower() in (*_TRUE, *_FALSE):
        return text.lower() in _TRUE
    return text


def _whole(name: str, value: Any) -> Any:  # noqa: ANN401 - JSON
    """Undo what data frames do to columns with gaps: whole numbers as floats, texts and lists as not a number."""
    if isinstance(value, float):
        if value != value:  # noqa: PLR0124 - not a number
            return None
        return int(value) if value.is_integer() else value
    if name in _OBJECTS and isinstance(value, Mapping):
        return {key: inner for key, inner in value.items() if inner is not None}
    if name in _OBJECTS and isinstance(value, str):
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            return value
    return value
