"""What somebody of the site stands for as no leak: a private table of values by file, as ``hits.csv`` lists them.

A value is accepted in the file of its line alone, and has to be one that stands there by chance: a number, or a word.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Final, get_args

from clinhallu_gate.cells import fenced, unfenced
from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import open_for_owner, read_private
from clinhallu_gate.scan.values import Accepted, What
from clinhallu_gate.scan.words import normal, words

OPTION: Final = "--accepted-values"
ACCEPTED_FILE: Final = "accepted.csv"
"""In the private folder of a run: where which of its patients' values were accepted, by whom, and why."""
COLUMNS: Final = ("file", "what", "value", "accepted_by", "reason")
"""The first three are those of ``hits.csv``."""
#: Digits of a number, and letters of a word, that stand somewhere by chance: 300 ids of five digits and 300 other
#: numbers have one in common on average, of eight digits a thousandth.
LONGEST_NUMBER: Final = 8
LONGEST_WORD: Final = 12
_INSTEAD: Final = (
    "Rename or mend what holds it, give such rows other ids, or show less of the run (--report-detail summary)."
)


def read_accepted(file: Path, *, run_dir: Path) -> tuple[Accepted, ...]:
    """Read what a user names as accepted. Raises ``BadInput``, which quotes nothing of the file.

    Args:
        file: A CSV file for its owner alone.
        run_dir: The run's folder: it may lie neither there nor in the private folder beside it, which is purged.
    """
    said = f"{OPTION}: {file}"
    return tuple(_read(read_private(file, OPTION, run_dir=run_dir), said))


def kept_accepted(folder: Path) -> tuple[Accepted, ...]:
    """Return what was accepted of a finished run, as its private folder says. Raises ``BadInput`` and ``OSError``."""
    file = folder / ACCEPTED_FILE
    return tuple(_read(file.read_bytes(), str(file))) if file.exists() else ()


def write_accepted(folder: Path, accepted: Iterable[Accepted]) -> None:
    """Write what was accepted of a run, for its owner alone; no file if that is nothing. Raises ``OSError``."""
    file = folder / ACCEPTED_FILE
    file.unlink(missing_ok=True)  # of a run that was not completed there
    if rows := sorted(accepted):
        with open(file, "w", encoding="utf-8", newline="", opener=open_for_owner) as opened:
            writer = csv.writer(opened, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(map(fenced, row.cells) for row in rows)


def _read(content: bytes, said: str) -> Iterator[Accepted]:
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput(f"{said}: is not UTF-8; in a spreadsheet save it as 'CSV UTF-8'.") from None
    separator = max(",;\t", key=text.partition("\n")[0].count)
    lines = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        lacking = [name for name in COLUMNS if name not in (lines.fieldnames or ())]
        if lacking:
            raise BadInput(f"{said}: has no column {lacking[0]}. Valid: a first line {','.join(COLUMNS)}.")
        for row in lines:
            yield _accepted(row, f"{said}:{lines.line_num}")
    except csv.Error:  # its words may quote the file
        raise BadInput(f"{said}:{lines.reader.line_num}: is not CSV.") from None


def _accepted(row: Mapping[str, str | None], said: str) -> Accepted:
    cells = {name: unfenced((row.get(name) or "").strip()) for name in COLUMNS}
    for name, cell in cells.items():
        if not cell:
            raise BadInput(f"{said}: {name}: is empty. Each line says where what is accepted, who says so, and why.")
    what, value = cells["what"], normal(cells["value"])
    if what not in get_args(What):
        raise BadInput(f"{said}: what: is no kind of value. Valid: name, id, accession_number.")
    if trouble := _trouble(what, value):
        raise BadInput(f"{said}: value: {trouble} {_INSTEAD}")
    return Accepted(cells["file"], what, value, cells["accepted_by"], cells["reason"])


def _trouble(what: str, value: str) -> str:
    """Return why a value is none that stands somewhere by chance; empty if it is one."""
    if what == "birth_date":
        return "a date of birth cannot be accepted."
    if what == "name":
        one = len(words(value)) == 1 and value.isalpha() and len(value) <= LONGEST_WORD
        return "" if one else f"of names, a single word of at most {LONGEST_WORD} letters can be accepted."
    number = value.isdecimal() and len(value) <= LONGEST_NUMBER
    return "" if number else f"of ids, a number of at most {LONGEST_NUMBER} digits and nothing else can be accepted."
