"""What became of files that were to be de-identified, in words: what was done, and what was not."""

from collections.abc import Iterator, Sequence
from typing import Final

from clinhallu_gate.deidentification.deidentify import Deidentified
from clinhallu_gate.deidentification.findings import Flag, Unread

#: What no header can be cleaned of, said with every set of copies.
PIXELS: Final = (
    "Pixels were not changed: text that is burned into an image, and a face that can be made out, are still there. "
    "BurnedInAnnotation says what it said before."
)
_KEPT: Final = "Labels that the profile keeps (manufacturer, model, body part and the like) are as they were."


def copies_sentence(done: Deidentified) -> str:
    """Return how many files were copied, in one line."""
    broken = f"; {_many(len(done.broken), 'file')} could not be" if done.broken else ""
    nothing = "" if done.copies or done.broken else "; there was no DICOM image"
    return f"{_many(done.copies, 'copy', 'copies')} in {done.folder}{broken}{nothing}."


def copies_lines(done: Deidentified) -> list[str]:
    """Return what was done, what was not, and which files were left out."""
    return [copies_sentence(done), *_notes(done), *_listing("could not be copied", done.broken), *_refused(done)]


def _notes(done: Deidentified) -> Iterator[str]:
    if not done.copies:
        return
    if done.check.clean:
        yield "Checked against the whole Basic Profile (PS3.15 E.1): no attribute of it has a value of its own left."
    else:
        yield "NOT CLEAN: held against the Basic Profile (PS3.15 E.1), copies still hold something of it."
    yield PIXELS
    yield _KEPT
    said = done.check.flags.get(Flag.BURNED_IN, 0)
    prone = done.check.flags.get(Flag.PRONE, 0)
    if said or prone:
        yield (
            f"{said:,} say that text is burned in; {prone:,} are of kinds that often bear text. Look at them, or try: "
            f"clinhallu-gate preflight {done.folder} --ocr"
        )
    if done.overlays:
        yield f"Overlays were taken out of {_many(done.overlays, 'file')}."
    if done.overlays_in_pixels:
        yield f"In {_many(done.overlays_in_pixels, 'file')} an overlay stays in unused bits of the pixels."
    for name, count in done.emptied.items():
        yield f"{name} held a value of the patient's and was emptied in {_many(count, 'file')}."


def _refused(done: Deidentified) -> list[str]:
    return _listing("not copied, as they are no images that can be", done.refused)


def _listing(what: str, files: Sequence[Unread]) -> list[str]:
    return ["", f"{_many(len(files), 'file')} {what}:", *(f"  {each.line}" for each in files)] if files else []


def _many(count: int, noun: str, plural: str = "") -> str:
    return f"{count:,} {noun if count == 1 else plural or f'{noun}s'}"
