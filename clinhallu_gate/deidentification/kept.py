"""Results of slow looks, kept by the digest of a file, so that a killed run goes on where it was.

Lines of JSON in one file; what a killed process wrote by half is made anew.
"""

import hashlib
import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import orjson

from clinhallu_gate.private import make_private

FILE: Final = "preflight.jsonl"
#: Raised when files come to be looked at otherwise, so that older results are not believed.
_VERSION: Final = 1


class Kept:
    """Results in ``FILE`` of a private folder, which is made when there is a first one; without a folder none is kept.

    They hold names of attributes and digests of files.
    """

    def __init__(self, folder: Path | None) -> None:
        self._file = None if folder is None else folder / FILE
        self._known = _read(self._file) if self._file is not None else {}

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
        make_private(self._file.parent)
        handle = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(handle, b"\n" + orjson.dumps(line))  # first, so that a line cut off before spoils no other
        finally:
            os.close(handle)


def _read(file: Path) -> dict[tuple[str, str], Mapping[str, Any]]:
    known: dict[tuple[str, str], Mapping[str, Any]] = {}
    if file.is_file():
        for line in file.read_bytes().splitlines():
            with suppress(orjson.JSONDecodeError, KeyError, TypeError):
                found = orjson.loads(line)
                if found["version"] == _VERSION:
                    known[found["sha256"], found["what"]] = found["found"]
    return known
