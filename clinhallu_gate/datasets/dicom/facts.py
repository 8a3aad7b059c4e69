"""Study facts that may be reported, in words of a fixed list: free text of a header never becomes a tag."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydicom import Dataset as Elements

from clinhallu_gate.datasets.study import FACTS

#: What is not on a list.
OTHER: Final = "other"
#: What ``{modality}`` and the like become in a stratum where the header says nothing.
UNKNOWN: Final = "unknown"
_LISTS: Final = Path(__file__).with_name("facts.yaml")
_OLDEST: Final = 90
"""From this age on all are one group, as in the HIPAA safe harbour (45 CFR 164.514(b)(2)(i)(C))."""
_AGE: Final = re.compile(r"(\d{1,3})([DWMY])")
_PER_YEAR: Final[Mapping[str, float]] = {"D": 365.25, "W": 52.18, "M": 12, "Y": 1}
_SEXES: Final = ("m", "f", "o")


@dataclass(frozen=True, slots=True)
class Facts:
    """What a header says of a study; empty where it says nothing."""

    modality: str = ""
    body_part: str = ""
    manufacturer: str = ""
    age: str = ""
    """A band of ten years, ``60-69``; ``90+``."""
    sex: str = ""

    @property
    def said(self) -> dict[str, str]:
        """What is said, by name."""
        return {name: value for name in FACTS if (value := getattr(self, name))}


def facts_of(elements: Elements) -> Facts:
    """Return the facts of a header."""
    sex = _text(elements, "PatientSex").lower()
    return Facts(
        modality=_listed(_text(elements, "Modality"), "modality"),
        body_part=_listed(_text(elements, "BodyPartExamined"), "body_part"),
        manufacturer=_manufacturer(_text(elements, "Manufacturer")),
        age=_age_band(elements),
        sex=sex if sex in _SEXES else "",
    )


def _text(elements: Elements, name: str) -> str:
    value = elements.get(name)
    return str(value).strip(" \0") if value is not None else ""


@dataclass(frozen=True, slots=True)
class _Words:
    listed: Mapping[str, frozenset[str]]
    also: Mapping[str, str]
    manufacturers: Mapping[str, re.Pattern[str]]


@cache
def _words() -> _Words:
    lists: dict[str, Any] = yaml.safe_load(_LISTS.read_text("utf-8"))
    return _Words(
        listed={name: frozenset(lists[name].split()) for name in ("modality", "body_part")},
        also=lists["body_part_also"],
        manufacturers={
            name: re.compile(rf"\b(?:{'|'.join(map(re.escape, words))})\b", re.IGNORECASE)
            for name, words in lists["manufacturer"].items()
        },
    )


@cache
def _listed(text: str, name: str) -> str:
    if not text:
        return ""
    word = re.sub(r"[\W_]+", "_", text.lower()).strip("_")
    if name == "body_part":
        word = _words().also.get(word, word)
    return word if word in _words().listed[name] else OTHER


@cache
def _manufacturer(text: str) -> str:
    if not text:
        return ""
    return next((name for name, words in _words().manufacturers.items() if words.search(text)), OTHER)


def _age_band(elements: Elements) -> str:
    years = _years(_text(elements, "PatientAge"))
    if years is None:
        years = _between(_text(elements, "PatientBirthDate"), _text(elements, "StudyDate"))
    if years is None or years < 0:
        return ""
    if years >= _OLDEST:
        return f"{_OLDEST}+"
    low = years // 10 * 10
    return f"{low}-{low + 9}"


def _years(age: str) -> int | None:
    said = _AGE.fullmatch(age.upper())
    return int(int(said[1]) / _PER_YEAR[said[2]]) if said else None


def _between(birth: str, study: str) -> int | None:
    try:
        born, seen = (date.fromisoformat(text.replace(".", "")) for text in (birth, study))
    except ValueError:
        return None
    return seen.year - born.year - ((seen.month, seen.day) < (born.month, born.day))
