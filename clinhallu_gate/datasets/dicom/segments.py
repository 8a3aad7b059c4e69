"""Palettes in segments: discrete, linear, and copies of earlier ones (PS3.3 C.7.9.2), bounded by their descriptor."""

from typing import Any

import numpy as np
import numpy.typing as npt

from clinhallu_gate.datasets.dicom.refusal import NotDrawable

Words = npt.NDArray[np.int64]
_DISCRETE, _LINEAR, _INDIRECT = 0, 1, 2


def expanded(words: Words, entries: int, *, wide: bool, name: str) -> Words:
    """Return a palette's ``entries``. Raises ``NotDrawable`` if the segments make others than that.

    Args:
        words: The segments: opcode, length, and what belongs to it; of 8 or 16 bits.
        entries: How many the descriptor promises, and so how many are ever made.
        wide: Whether words have 16 bits.
        name: Of the attribute, for errors.
    """
    found: list[int] = []
    try:
        _expand(words, found, entries, wide=wide)
    except (IndexError, ValueError):
        raise NotDrawable(f"has a malformed {name}") from None
    if len(found) < entries:
        raise NotDrawable(f"has {len(found)} entries in {name} where its descriptor promises {entries}")
    return np.asarray(found, dtype=np.int64)


def _expand(words: Words, found: list[int], entries: int, *, wide: bool) -> None:
    place = 0
    while place + 1 < len(words) and len(found) < entries:
        opcode, length = int(words[place]), int(words[place + 1])
        place += 2
        if opcode != _INDIRECT:
            place = _plain(words, place, opcode, length, found)
            continue
        parts = [int(word) for word in words[place : place + (2 if wide else 4)]]
        place += len(parts)
        _copy(words, _offset(parts, wide=wide), length, found, entries)
    del found[entries:]


def _offset(parts: list[int], *, wide: bool) -> int:
    """Return which word an indirect segment points to; its offset is in bytes, the least significant part first."""
    if wide:
        return (parts[0] | parts[1] << 16) // 2
    return parts[0] | parts[1] << 8 | parts[2] << 16 | parts[3] << 24


def _copy(words: Words, place: int, segments: int, found: list[int], entries: int) -> None:
    """Expand some plain segments again; one that points on is refused (a copy of copies may have no end)."""
    for _ in range(segments):
        if len(found) >= entries:
            return
        opcode, length = int(words[place]), int(words[place + 1])
        if opcode == _INDIRECT:
            raise ValueError
        place = _plain(words, place + 2, opcode, length, found)


def _plain(words: Words, place: int, opcode: int, length: int, found: list[int]) -> int:
    """Append one discrete or linear segment; return where the next one begins."""
    if opcode == _DISCRETE:
        if place + length > len(words):
            raise IndexError
        found.extend(words[place : place + length].tolist())
        return place + length
    if opcode != _LINEAR or not found:
        raise ValueError
    start, end = found[-1], int(words[place])
    steps: Any = np.rint(np.linspace(start, end, length + 1)[1:])
    found.extend(steps.astype(np.int64).tolist())
    return place + 1
