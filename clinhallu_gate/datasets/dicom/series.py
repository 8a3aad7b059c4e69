"""One series out of several, its images in order, and which of many a model is shown."""

import filecmp
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from clinhallu_gate.datasets.dicom.header import Header
from clinhallu_gate.datasets.entries import Unusable
from clinhallu_gate.datasets.problems import shown

_SAME_DIRECTION: Final = 1e-3
"""Difference of direction cosines that scanners' rounding makes."""
_APART_MM: Final = 1e-3


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame of one file."""

    header: Header
    frame: int
    """From 1."""


def series_of(headers: Sequence[Header], wanted: str | None) -> list[Header]:
    """Return the images of the series ``wanted``, or of the only one. Raises ``Unusable`` if there is no such one.

    Objects without an image (reports, presentation states, structures) are in no one's way.
    """
    images = [header for header in headers if header.frames]
    counts = Counter(header.series for header in images)
    if not images:
        raise Unusable(f"holds no image in its DICOM files ({len(headers)})")
    if wanted is None and len(counts) > 1:
        raise Unusable(f"needs the row's field series, as it holds {_told(images, counts)}")
    if wanted is not None and wanted not in counts:
        raise Unusable(f"holds no series {shown(wanted)}, but {_told(images, counts)}")
    return [header for header in images if wanted in (None, header.series)]


def _told(images: Sequence[Header], counts: Counter[str]) -> str:
    """Count the series by modality; of a patient's no UID is told."""
    modality = {header.series: header.facts.modality or "no modality" for header in images}
    many = ", ".join(f"{count} {name}" for name, count in sorted(Counter(modality.values()).items()))
    return f"{len(counts)} series ({many}): {shown(', '.join(counts))}"


def without_copies(headers: Sequence[Header]) -> list[Header]:
    """Leave out files that are copies of others. Raises ``Unusable`` if two of one SOP instance differ."""
    first: dict[str, Header] = {}
    for header in headers:
        known = first.setdefault(header.sop or str(header.path), header)
        if known is not header and not filecmp.cmp(known.path, header.path, shallow=False):
            names = f"{shown(known.path.name)} and {shown(header.path.name)}"
            raise Unusable(f"holds two files of one SOP instance that differ: {names}")
    return list(first.values())


def in_order(headers: Sequence[Header]) -> list[Header]:
    """Return the files of a series in the order of their slices, else of ``InstanceNumber``.

    Along the slice normal (PS3.3 C.7.6.2.1.1), so from foot to head in axial slices; where slices differ in direction,
    or several lie in one place, by ``InstanceNumber``.

    Raises:
        Unusable: Neither orders them.
    """
    if len(headers) < 2:  # noqa: PLR2004 - nothing to order
        return list(headers)
    places = _along_normal(headers) or _numbers(headers)
    if places is None:
        raise Unusable(
            f"holds {len(headers)} images that neither position nor InstanceNumber orders; name the files themselves"
        )
    return [header for _, header in sorted(zip(places, headers, strict=True), key=lambda pair: pair[0])]


def _along_normal(headers: Sequence[Header]) -> list[float] | None:
    """Return how far along the normal each slice lies, in mm; None unless they are parallel and apart."""
    direction = headers[0].orientation
    if direction is None or any(header.frames > 1 for header in headers):
        return None
    (a, b, c), (d, e, f) = direction[:3], direction[3:]
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    places = []
    for header in headers:
        if header.position is None or header.orientation is None:
            return None
        if any(abs(one - two) > _SAME_DIRECTION for one, two in zip(direction, header.orientation, strict=True)):
            return None
        places.append(sum(one * two for one, two in zip(normal, header.position, strict=True)))
    ranks = sorted(places)
    apart = all(two - one > _APART_MM for one, two in pairwise(ranks))
    return places if apart else None


def _numbers(headers: Sequence[Header]) -> list[float] | None:
    numbers = [header.number for header in headers]
    given = [float(number) for number in numbers if number is not None]
    return given if len(set(given)) == len(headers) else None


def shots_of(headers: Sequence[Header]) -> list[Shot]:
    """Return every frame of every file, in order."""
    return [Shot(header, frame) for header in headers for frame in range(1, header.frames + 1)]


def shares(counts: Sequence[int], most: int) -> list[int]:
    """Share ``most`` images among entries that have ``counts``: one each, then the rest evenly, none in vain.

    >>> shares([1, 40, 3], 8), shares([1, 2], 8), shares([5, 5, 5], 2)
    ([1, 4, 3], [1, 2], [1, 1, 1])
    """
    given = [min(1, count) for count in counts]
    for _ in range(most - sum(given)):
        open_ = [place for place, count in enumerate(counts) if given[place] < count]
        if not open_:
            break
        given[min(open_, key=lambda place: given[place])] += 1
    return given


def spaced(count: int, wanted: int) -> list[int]:
    """Return ``wanted`` of ``count`` places, evenly spaced, the first and the last among them; one is the middle one.

    >>> spaced(3, 5), spaced(10, 4), spaced(10, 1)
    ([0, 1, 2], [0, 3, 6, 9], [5])
    """
    if wanted >= count:
        return list(range(count))
    if wanted == 1:
        return [count // 2]
    gaps = wanted - 1
    return [(2 * step * (count - 1) + gaps) // (2 * gaps) for step in range(wanted)]
