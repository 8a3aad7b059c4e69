"""Files of approved verdicts: JSON, one line per instance in order of id, so that a diff shows what changed."""

import hashlib
import json
import os
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Final
from urllib.parse import quote

from clinhallu_gate.errors import BadInput
from clinhallu_gate.records import PARTS
from clinhallu_gate.vocabulary import ANSWER, FailReason, Outcome

#: What is approved of one instance: a word for each part. A part without a word cannot be judged in these data.
Words = Mapping[str, str]

FOLDER: Final = "approved"
"""Beside the suite. Not in ``__snapshots__``: syrupy removes what lies there and is in none of its own formats."""
_LONGEST: Final = 120
"""Bytes of a file name that are still a model's or data set's own."""
_FAILED: Final = tuple(f"failed: {reason}" for reason in FailReason)
_VALID: Final[Mapping[str, frozenset[str]]] = {
    part: frozenset(
        (Outcome.CORRECT, Outcome.INCORRECT) if part == ANSWER else (Outcome.GROUNDED, Outcome.HALLUCINATED)
    ).union(_FAILED)
    for part in PARTS
}


def approved_file(suites: Path, model: str, dataset: str) -> Path:
    """Return where the approved verdicts of a model on a data set lie."""
    return suites / FOLDER / file_name(model) / f"{file_name(dataset)}.jsonl"


def file_name(name: str) -> str:
    """Return a file name that no other name has: ``name`` itself where that can be one."""
    safe = quote(name, safe="", errors="surrogatepass")
    safe = f"%2E{safe[1:]}" if safe.startswith(".") else safe
    if len(safe) <= _LONGEST:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{safe[:_LONGEST]}-{digest[:16]}"


def shown(file: Path) -> str:
    """Return a file as one would type it here."""
    return str(file.relative_to(Path.cwd())) if file.is_relative_to(Path.cwd()) else str(file)


def line_of(key: str, words: Words) -> str:
    """Return the line of an instance; all but ASCII is escaped, so that a review sees what is there."""
    return json.dumps({"id": key} | {part: words[part] for part in PARTS if part in words}, separators=(",", ":"))


def read_approved(file: Path) -> Mapping[str, Words]:
    """Return what is approved, by id as the file has it; nothing where there is no file.

    Raises:
        BadInput: What cannot be read, with its line.
    """
    try:
        found = file.stat()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise BadInput(f"{shown(file)}: cannot be read: {error.strerror}.") from None
    return _read(file, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=64)
def _read(file: Path, _changed_ns: int, _size: int) -> Mapping[str, Words]:
    """Read a file once, as long as it does not change."""
    found: dict[str, Words] = {}
    for number, line in enumerate(_lines(file), 1):
        if not line.strip():
            continue
        try:
            key, words = _parsed(line)
        except BadInput as error:
            raise BadInput(f"{shown(file)}: line {number}: {error}") from None
        if key in found:
            raise BadInput(f"{shown(file)}: line {number}: id: {key!r} stands in an earlier line too.")
        found[key] = words
    return found


def _lines(file: Path) -> list[bytes]:
    try:
        return file.read_bytes().split(b"\n")
    except OSError as error:
        raise BadInput(f"{shown(file)}: cannot be read: {error.strerror}.") from None


def _parsed(line: bytes) -> tuple[str, Words]:
    """Return id and words of a line. Raises ``BadInput``."""
    try:
        said = json.loads(line.decode())
    except (ValueError, RecursionError):
        raise BadInput("is no JSON (left over from a merge?). Approve again with --snapshot-update.") from None
    if not isinstance(said, dict) or not isinstance(said.get("id"), str):
        raise BadInput('is no approved verdict. Valid: {"id":"...","answer":"correct"} and the like.')
    key: str = said.pop("id")
    for part, word in said.items():
        if part not in _VALID:
            raise BadInput(f"{part!r} is no part of a trace. Valid: {', '.join(_VALID)}.")
        if not isinstance(word, str) or word not in _VALID[part]:
            raise BadInput(f"{part}: {word!r} is no verdict. Valid: {', '.join(sorted(_VALID[part]))}.")
    return key, said


def demand_writable(file: Path) -> None:
    """Raise ``BadInput`` if the file could not be written, before hours went into what it is to hold."""
    there = next(folder for folder in file.parents if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK):
        raise BadInput(f"--snapshot-update: {shown(file)} cannot be written: {there} is no folder that can be.")


def write_approved(file: Path, lines: Mapping[str, str]) -> None:
    """Put ``lines`` (by id) into the file in one step; lines of other instances stay as they are."""
    kept = {key: line_of(key, words) for key, words in read_approved(file).items()}
    merged = kept | dict(lines)
    file.parent.mkdir(parents=True, exist_ok=True)
    part = file.with_name(f".{file.name}.{os.getpid()}")
    part.write_text("".join(f"{merged[key]}\n" for key in sorted(merged)), "utf-8", newline="\n")
    part.replace(file)
