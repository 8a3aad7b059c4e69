"""What a run keeps of its scan in its private folder: the values, and where they were hit."""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from clinhallu_gate.cells import fenced, unfenced
from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.private import open_for_owner
from clinhallu_gate.scan.found import Findings

IDENTIFIERS_FILE: Final = "identifiers.csv"
"""What is searched, so that what is made of the run later can be searched for it, too."""
HITS_FILE: Final = "hits.csv"
"""What was found, and where."""
HITS_COLUMNS: Final = ("file", "what", "value", "times", "place")


def write_identifiers(folder: Path, identifiers: Iterable[Identifier]) -> None:
    """Write what tells who patients are; nothing if that is nothing."""
    if rows := sorted(identifiers):
        with (folder / IDENTIFIERS_FILE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(Identifier._fields)
            writer.writerows((what, fenced(value)) for what, value in rows)


def read_identifiers(folder: Path) -> tuple[Identifier, ...]:
    """Return what a run's private folder says; nothing if it is not there. Raises ``OSError``."""
    try:
        with (folder / IDENTIFIERS_FILE).open(encoding="utf-8", newline="") as file:
            return tuple(Identifier(row["what"], unfenced(row["value"])) for row in csv.DictReader(file))  # type: ignore[arg-type]
    except FileNotFoundError:
        return ()


def write_hits(folder: Path, findings: Findings) -> None:
    """Write where values were found, a line a place, to a file that its owner alone may read. Raises ``OSError``."""
    with open(folder / HITS_FILE, "w", encoding="utf-8", newline="", opener=open_for_owner) as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(HITS_COLUMNS)
        for found in findings.listed:
            for place in found.places or ("",):
                writer.writerow(map(fenced, (found.file, found.what, found.value, found.how_often, place)))
        if findings.more:
            writer.writerow(("", "", "", findings.more, "more such findings, which are not listed"))


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
        yield str(int(value) if value == value // 1 else value)  # of 3.0 sentences say 3


def _facts(document: Mapping[str, Any]) -> Iterator[str]:
    for key in ("started", "finished", "seed", "order_seed"):
        yield str(document.get(key, ""))
    for key in ("versions", "machine", "model"):
        found = document.get(key)
        yield from map(str, found.values()) if isinstance(found, Mapping) else ()
