"""The values of a run in its private folder, so that what is made of the run later can be searched for them, too."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from clinhallu_gate.datasets.dataset import Identifier

IDENTIFIERS_FILE: Final = "identifiers.csv"
#: With these a spreadsheet takes a cell for a formula; the last is the sign that marks such cells.
_FORMULA: Final = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20", "'")


def write_identifiers(folder: Path, identifiers: Iterable[Identifier]) -> None:
    """Write what tells who patients are; nothing if that is nothing."""
    if rows := sorted(identifiers):
        with (folder / IDENTIFIERS_FILE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Identifier._fields)
            writer.writerows((what, _cell(value)) for what, value in rows)


def read_identifiers(folder: Path) -> tuple[Identifier, ...]:
    """Return what a run's private folder says; nothing if it is not there. Raises ``OSError``."""
    try:
        with (folder / IDENTIFIERS_FILE).open(encoding="utf-8", newline="") as file:
            return tuple(Identifier(row["what"], _uncell(row["value"])) for row in csv.DictReader(file))  # type: ignore[arg-type]
    except FileNotFoundError:
        return ()


def _cell(value: str) -> str:
    """Return a value as a cell that no spreadsheet runs: an apostrophe stands before what would begin a formula."""
    return f"'{value}" if value.lstrip().startswith(_FORMULA) else value


def _uncell(text: str) -> str:
    return text[1:] if text.startswith("'") and text[1:].lstrip().startswith(_FORMULA) else text


def said_by(*documents: Mapping[str, Any]) -> str:
    """Return what a run's manifest and decision say whoever the patients are: all numbers, times, versions, digests."""
    return " ".join(word for document in documents for word in (*_numbers(document), *_facts(document)))


def places_of(manifest: Mapping[str, Any]) -> str:
    """Return the paths and the command line of a run."""
    datasets = manifest.get("datasets") or ()
    sources = [source for dataset in datasets for source in (dataset.get("sources") or {}).values()]
    return " ".join(map(str, (manifest.get("command"), manifest.get("store"), *sources)))


def _numbers(value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _numbers(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _numbers(each)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield str(value)


def _facts(document: Mapping[str, Any]) -> Iterator[str]:
    for key in ("started", "finished", "seed", "order_seed"):
        yield str(document.get(key, ""))
    for key in ("versions", "machine", "model"):
        found = document.get(key)
        yield from map(str, found.values()) if isinstance(found, Mapping) else ()
