"""``clinhallu-gate deidentify``, and how commands that deal with many files tell how far they are."""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Final

from clinhallu_gate.deidentification.deidentify import Deidentified, deidentify
from clinhallu_gate.deidentification.manifests import demand_images_in, read_rows, rewrite
from clinhallu_gate.deidentification.wording_copies import copies_lines, copies_sentence
from clinhallu_gate.deidentification.wording_manifests import left_out_sentence, manifest_lines
from clinhallu_gate.errors import Incomplete
from clinhallu_gate.pseudonym import site_key

#: How often the number of files is told.
_EVERY: Final = 20


def deidentified(source: Path, folder: Path, *, mapping: bool, manifest: Path | None = None) -> str:
    """Write copies, with a manifest for them if there is one of the originals, and return what was done.

    Raises:
        BadInput: As ``deidentify`` and ``read_rows``, or there is no site key and none can be made.
        Incomplete: A file was broken, a row was left out, or there was no image at all.
    """
    rows = None if manifest is None else read_rows(manifest)
    if rows is not None and source.exists():  # if it does not, that is to be said
        demand_images_in(source, rows)
    key = site_key(create=True)
    with counting("copied or refused") as tell:
        done = deidentify(source, folder, key=key, mapping=mapping, tell=tell)
    rewritten = None if rows is None else rewrite(rows, done, key)
    copies = done if rows is None else _without(rows.manifest, done)
    said = "\n".join([*copies_lines(copies), *([] if rewritten is None else ["", *manifest_lines(rewritten)])])
    if not done.whole:
        raise Incomplete(copies_sentence(done), said)
    if rewritten is not None and rewritten.left_out:
        raise Incomplete(left_out_sentence(rewritten), said)
    return said


def _without(manifest: Path, done: Deidentified) -> Deidentified:
    """Leave out of what was not copied the manifest, for which another is written."""
    others = tuple(each for each in done.refused if os.path.realpath(each.file) != os.path.realpath(manifest))
    return replace(done, refused=others)


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Tell on a terminal how many files were dealt with; in a log nothing."""

    def tell(number: int) -> None:
        if number % _EVERY == 0:
            say_how_far(f"{number:,} files {what}")

    try:
        yield tell
    finally:
        say_how_far("")


def say_how_far(text: str) -> None:
    """Write a line over the last one so written, on a terminal; in a log nothing."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text}\x1b[K")
        sys.stderr.flush()
