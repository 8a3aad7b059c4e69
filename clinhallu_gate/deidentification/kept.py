"""Results of slow looks, kept by the digest of a file, so that a killed run goes on where it was.

Lines of JSON in one file; what a killed process wrote by half is made anew.
"""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import orjson

from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import take_private

FILE: Final = "preflight.jsonl"
#: Raised when files come to be looked at otherwise, so that older results are not believed.
_VERSION: Final = 1


class Kept:
    """Results in ``FILE`` of a private folder, which is made when there is a first one; without a folder none is kept.

    They hold names of attributes and digests of files. Raises ``BadInput``, at first or later, if the folder cannot be
    used, or others may enter it.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / FILE
        self._known: dict[tuple[str, str], Mapping[str, Any]] = {}
        if folder is not None and folder.exists():
            with _at_fault(folder):
                take_private(folder, str(folder))
                self._known = _read(folder / FILE)

    def of(self, path: Path, what: str, look: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Return what is known of a file, else look. Raises ``OSError`` if the file cannot be read."""
        if self._file is None:
            return look()
        with path.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        known = self._known.get((digest, what))
        if known is None:
            known = self._known[digest, what] = look()
            self._write({"version": _VERSION, "sha256": digest, "what": what, "found": known})
        return known

    def _write(self, line: Mapping[str, Any]) -> None:
        if self._file is None:
            return
        folder = self._file.parent
        with _at_fault(folder):
            take_private(folder, str(folder))
            handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            try:
                os.write(handle, b"\n" + orjson.dumps(line))  # first, so that a line cut off before spoils no other
            finally:
                os.close(handle)


@contextmanager
def _at_fault(folder: Path) -> Iterator[None]:
    """Say that the folder is at fault, and none of the files that are looked at."""
    try:
        yield
    except OSError as error:
        raise BadInput(
            f"{folder}: results cannot be kept in it: {error.strerror or error}. Valid: a folder of your own."
        ) from None


def _read(file: Path) -> dict[tuple[str, str], Mapping[str, Any]]:
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    if file.is_file():
        for line in file.read_bytes().splitlines():
            with suppress(orjson.JSONDecodeError, KeyError, TypeError):
                found = orjson.loads(line)
                if found["version"] == _VERSION:
                    known[found["sha256"], found["what"]] = found["found"]
    return known
