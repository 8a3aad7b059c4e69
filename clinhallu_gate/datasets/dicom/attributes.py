"""Attributes of a header as plain values, and where those of a single frame stand."""

import math
from collections.abc import Sequence
from typing import Any

from pydicom import Dataset

from clinhallu_gate.datasets.dicom.refusal import NotDrawable, reading


def value_of(place: Dataset, keyword: str) -> Any:  # noqa: ANN401 - whatever the header holds
    """Return an attribute's value, None if it is missing or empty. Raises ``NotDrawable`` if it is malformed."""
    with reading(keyword):
        value = place.get(keyword)
    return None if value is None or (isinstance(value, str | bytes | Sequence) and not len(value)) else value


def whole(place: Dataset, keyword: str, least: int, most: int, default: int | None = None) -> int:
    """Return a whole number within bounds; without a default the attribute has to be there."""
    value = value_of(place, keyword)
    if value is None:
        if default is None:
            raise NotDrawable(f"has no {keyword}")
        return default
    with reading(keyword):
        number = int(value)
    if not least <= number <= most:
        raise NotDrawable(f"has {keyword} {number}. Valid: {least} to {most}")
    return number


def numbers(place: Dataset, keyword: str) -> tuple[float, ...]:
    """Return the finite numbers of an attribute with one or several values, none if it is missing."""
    value = value_of(place, keyword)
    if value is None:
        return ()
    with reading(keyword):
        several = [value] if isinstance(value, str | int | float) else list(value)
        found = tuple(float(each) for each in several)
    if not all(map(math.isfinite, found)):
        raise NotDrawable(f"has a {keyword} that is no number")
    return found


def code(place: Dataset, keyword: str) -> str:
    """Return a code string in capitals, empty if it is missing. It may be anything: show it only if it is known."""
    return str(value_of(place, keyword) or "").strip().upper()


def items(place: Dataset, keyword: str) -> tuple[Dataset, ...]:
    """Return the items of a sequence, none if it is missing."""
    with reading(keyword):
        found = tuple(place.get(keyword) or ())
        if not all(isinstance(each, Dataset) for each in found):
            raise TypeError
    return found


def frame_place(header: Dataset, frame: int, group: str, *keywords: str) -> Dataset:
    """Return where attributes of a frame stand: its own functional group, that of all frames, or the header itself.

    Source: DICOM PS3.3 C.7.6.16. A group counts if it holds one of the ``keywords``.
    """
    per_frame = items(header, "PerFrameFunctionalGroupsSequence")[frame : frame + 1]
    for groups in (*per_frame, *items(header, "SharedFunctionalGroupsSequence")[:1]):
        for item in items(groups, group)[:1]:
            if any(keyword in item for keyword in keywords):
                return item
    return header
