"""``clinhallu-gate preflight`` and ``clinhallu-gate deidentify``."""

import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from clinhallu_gate.deidentification.deidentify import deidentify
from clinhallu_gate.deidentification.findings import Depth
from clinhallu_gate.deidentification.places import files_of, passed_over
from clinhallu_gate.deidentification.preflight import preflight
from clinhallu_gate.deidentification.wording import full_lines
from clinhallu_gate.deidentification.wording_copies import copies_lines, copies_sentence
from clinhallu_gate.errors import BadInput, Incomplete
from clinhallu_gate.private import write_whole
from clinhallu_gate.pseudonym import site_key

#: How often the number of files is told.
_EVERY: Final = 20


def looked_at(paths: Sequence[Path], depth: Depth, *, kept: Path, out: Path | None, as_json: bool) -> str:
    """Look at everything that ``paths`` lead to, and return what was found as text or JSON.

    Raises:
        BadInput: A path leads nowhere, a manifest's rows cannot be used, ``out`` or ``kept`` cannot be written, or
            tesseract lacks.
    """
    if out is not None and os.path.lexists(out):
        raise BadInput(f"--out: {out}: is there already. Valid: a new file.")
    with _counting("looked at") as tell:
        files = list(dict.fromkeys(file for path in paths for file in files_of(path)))
        others = dict.fromkeys(other for path in paths for other in passed_over(path))
        found = preflight(files, depth=depth, kept=kept, passed_over=others, tell=tell)
    document = json.dumps(found.as_dict(), indent=2)
    if out is not None:
        try:
            write_whole(out, f"{document}\n".encode())
        except OSError as error:
            raise BadInput(f"--out: {out}: cannot be written: {error.strerror}.") from None
    return document if as_json else "\n".join(full_lines(found))


def deidentified(source: Path, folder: Path, *, mapping: bool) -> str:
    """Write copies and return what was done.

    Raises:
        BadInput: As ``deidentify``, or there is no site key and none can be made.
        Incomplete: A file was broken, or there was no image at all.
    """
    with _counting("copied or refused") as tell:
        done = deidentify(source, folder, key=site_key(create=True), mapping=mapping, tell=tell)
    said = "\n".join(copies_lines(done))
    if not done.whole:
        raise Incomplete(copies_sentence(done), said)
    return said


@contextmanager
def _counting(what: str) -> Iterator[Callable[[int], None]]:
    """Tell on a terminal how many files were dealt with; in a log nothing."""
    shown = sys.stderr.isatty()

    def tell(number: int) -> None:
        if shown and number % _EVERY == 0:
            sys.stderr.write(f"\r{number:,} files {what}\x1b[K")
            sys.stderr.flush()

    try:
        yield tell
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
