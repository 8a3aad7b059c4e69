"""The Basic Application Level Confidentiality Profile (DICOM PS3.15 E.1), from the tables of ``dicom-anonymizer``."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from types import MappingProxyType
from typing import Any, Final

import dicomanonymizer as tables
from pydicom.datadict import keyword_for_tag

#: The newest table of the library.
EDITION: Final = "2026c"
#: What the library writes where a value is replaced, as bytes without padding.
DUMMIES: Final = frozenset(
    {
        b"",
        b"0",
        b"000Y",
        b"00010101",
        b"000000.00",
        b"00010101010101.000000+0000",
        b"ANONYMIZED",
        b"Anonymized",
        b"http://anonymized.invalid",
    }
)


class Rule(StrEnum):
    """What becomes of an attribute; where the profile leaves a choice, the one that keeps an object valid."""

    REMOVE = "X"
    EMPTY = "Z"
    REPLACE = "D"
    UID = "U"
    REFERENCES = "X/Z/U*"
    """A sequence of references, whose UIDs are replaced."""


_RULES: Final[Mapping[Callable[..., Any], Rule]] = MappingProxyType(
    {
        tables.delete: Rule.REMOVE,
        tables.empty: Rule.EMPTY,
        tables.delete_or_empty: Rule.EMPTY,
        tables.replace: Rule.REPLACE,
        tables.empty_or_replace: Rule.REPLACE,
        tables.delete_or_replace: Rule.REPLACE,
        tables.delete_or_empty_or_replace: Rule.REPLACE,
        tables.replace_UID: Rule.UID,
        tables.delete_or_empty_or_replace_UID: Rule.REFERENCES,
    }
)


@dataclass(frozen=True, slots=True)
class _Repeated:
    """A rule for repeating groups, such as all of 60xx."""

    bits: int
    mask: int
    rule: Rule


@dataclass(frozen=True, slots=True)
class Profile:
    """Rules by tag."""

    single: Mapping[int, Rule]
    repeated: tuple[_Repeated, ...]

    def rule(self, tag: int) -> Rule | None:
        """Return what becomes of an attribute; None if the profile does not name it."""
        found = self.single.get(tag)
        if found is not None or tag >> 24 not in (0x50, 0x60):
            return found
        return next((each.rule for each in self.repeated if tag & each.mask == each.bits), None)


@cache
def profile() -> Profile:
    """Return the profile's table."""
    actions = tables.initialize_actions(f"dicomfields_{EDITION}")
    single = {_number(*tag): _RULES[action] for tag, action in actions.items() if len(tag) == 2}  # noqa: PLR2004 - (group, element)
    repeated = tuple(
        _Repeated(_number(*tag[:2]) & _number(*tag[2:]), _number(*tag[2:]), _RULES[action])
        for tag, action in actions.items()
        if len(tag) > 2  # noqa: PLR2004 - with a mask
    )
    return Profile(MappingProxyType(single), repeated)


def _number(group: int, element: int) -> int:
    return group << 16 | element


@cache
def name_of(tag: int) -> str:
    """Return an attribute's keyword, or its number where the dictionary has none."""
    return keyword_for_tag(tag) or f"({tag >> 16:04X},{tag & 0xFFFF:04X})"
