"""Values of headers that tell who a patient is, and whether any of them is left in a copy."""

import re
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pydicom import DataElement
from pydicom import Dataset as Elements

from clinhallu_gate.deidentification.cleaning import TEXTS
from clinhallu_gate.deidentification.headers import is_sequence, kind_of, raw
from clinhallu_gate.deidentification.pixels import GROUP
from clinhallu_gate.deidentification.profile import DUMMIES, Rule, name_of, profile
from clinhallu_gate.deidentification.uids import is_registered
from clinhallu_gate.deidentification.wording import NAMING

#: Shorter ones stand in any text: parts of names, and whole values.
_NAME_PART: Final = 3
_VALUE: Final = 4
#: What is looked for in the copies of everybody's files: of patients alone, at least so long, and no bare word,
#: as a patient may be called like a manufacturer or a part of the body.
_PATIENTS: Final = frozenset(
    {"PatientName", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "PatientID", "OtherPatientIDs"}
    | {"AccessionNumber", "AdmissionID", "PatientAddress", "PatientTelephoneNumbers"}
)
_EVERYWHERE: Final = 6
_NO_BARE_WORD: Final = re.compile(rb"[0-9^ ]")
#: What is looked for in other texts by its parts, too: a text seldom says the whole of it.
_ADDRESSES: Final = frozenset({"PatientAddress", "InstitutionAddress"})
_OF_ADDRESS: Final = re.compile(rb"[,;\r\n]+")
#: When the images were made: what no text of a row may say.
_DAYS: Final = frozenset({"StudyDate", "SeriesDate", "AcquisitionDate", "ContentDate", "AcquisitionDateTime"})
_DAY: Final = re.compile(rb"(\d{4})[-.]?(\d{2})[-.]?(\d{2})")
_LABELS: Final = ("LO", "SH")
_ALSO: Final = ("MedicalRecordLocator", "InstitutionalDepartmentName", "RequestingService")
_PARTS: Final = re.compile(rb"[\^=\s,]+")
_LETTERS: Final = rb"0-9A-Za-z\x80-\xff"
_WORDS: Final = re.compile(b"[%b]+" % _LETTERS)


class Left(Exception):
    """A value that identifies somebody is left in the attribute that this names."""


@dataclass(frozen=True, slots=True)
class Known:
    """Values that identify somebody, in lower case as they lay in a header."""

    parts: frozenset[bytes]
    """Parts of names, and dates: what a label of this patient's may not hold."""
    whole: frozenset[bytes]
    """Names, numbers, addresses and UIDs: what nothing of this patient's may hold."""

    everywhere: frozenset[bytes]
    """Those of them that nothing of anybody's may hold."""
    people: frozenset[bytes]
    """Whole names, of patients and of staff."""
    addresses: frozenset[bytes]
    """Parts of addresses between commas or on lines of their own."""
    days: frozenset[str]
    """YYYYMMDD, on which the images were made."""

    @property
    def distinct(self) -> frozenset[bytes]:
        """Those of ``whole`` and ``addresses`` that no text holds by chance: long, and no bare word."""
        return frozenset(filter(_is_distinct, self.whole | self.addresses))


@dataclass(frozen=True, slots=True)
class _Leaf:
    """An element with a value of its own, and where it is."""

    owner: Elements
    tag: int
    kind: str
    value: bytes


def known_values(elements: Elements) -> Known:
    """Return what identifies somebody in an object, at every level. Raises what pydicom raises on broken values."""
    parts: set[bytes] = set()
    whole: set[bytes] = set()
    everywhere: set[bytes] = set()
    people: set[bytes] = set()
    addresses: set[bytes] = set()
    days: set[str] = set()
    for leaf in _leaves(elements):
        rule = profile().rule(leaf.tag)
        values = [value.strip(b" \0^=") for value in leaf.value.split(b"\\")]
        told = {value.lower() for value in values if len(value) >= _VALUE and value not in DUMMIES}
        if rule is Rule.UID:
            uids = {value for value in told if not is_registered(value.decode("latin-1"))}
            whole |= uids
            everywhere |= uids
        elif leaf.kind == "PN":
            parts |= {part for value in told for part in _PARTS.split(value) if len(part) >= _NAME_PART}
            whole |= told
            people |= told
        elif rule is not None and leaf.kind == "DA":
            parts |= told
        elif rule is not None and name_of(leaf.tag) in (*NAMING, *_ALSO):
            whole |= told
        if name_of(leaf.tag) in _PATIENTS:
            everywhere |= set(filter(_is_distinct, told))
        if name_of(leaf.tag) in _ADDRESSES:
            addresses |= {part.strip() for value in told for part in _OF_ADDRESS.split(value)}
        if name_of(leaf.tag) in _DAYS:
            days |= {b"".join(match.groups()).decode() for value in values if (match := _DAY.match(value))}
    return Known(
        *(frozenset(parts), frozenset(whole), frozenset(everywhere), frozenset(people)),
        addresses=frozenset(addresses),
        days=frozenset(days),
    )


def _is_distinct(value: bytes) -> bool:
    return len(value) >= _EVERYWHERE and _NO_BARE_WORD.search(value) is not None


def values_of(elements: Elements) -> Iterator[bytes]:
    """Yield the value of every element but of pixels, at every level."""
    for leaf in _leaves(elements):
        element = leaf.owner.get_item(leaf.tag)  # long ones were left in the file until now
        if element is not None:
            yield raw(element)


def empty_what_holds(elements: Elements, known: Known) -> frozenset[str]:
    """Empty the labels of a copy (LO, SH) that hold a value of its own patient; return their keywords.

    Raises:
        Left: Another attribute holds one.
    """
    any_of, whole = _search(known.parts | known.whole), _search(known.whole)
    emptied: set[str] = set()
    for leaf in list(_leaves(elements)):
        if leaf.kind in _LABELS and any_of.search(leaf.value.lower()):
            leaf.owner[leaf.tag] = DataElement(leaf.tag, leaf.kind, None)
            emptied.add(name_of(leaf.tag))
        elif (leaf.kind in TEXTS or leaf.kind == "UI") and whole.search(leaf.value.lower()):
            raise Left(name_of(leaf.tag))
    return frozenset(emptied)


def _search(values: Collection[bytes]) -> re.Pattern[bytes]:
    """Return what finds any of ``values`` where no letter or digit goes on before or after it."""
    if not values:
        return re.compile(rb"(?!)")
    longest_first = sorted(values, key=lambda value: (-len(value), value))
    return re.compile(b"(?<![%b])(?:%b)(?![%b])" % (_LETTERS, b"|".join(map(re.escape, longest_first)), _LETTERS))


class Index:
    """Values to be looked for in many files at once."""

    def __init__(self, values: Iterable[bytes]) -> None:
        self._by_word: dict[bytes, list[bytes]] = {}
        for value in values:
            words = _WORDS.findall(value)
            if words:
                self._by_word.setdefault(max(words, key=len), []).append(value)

    def found_in(self, data: bytes) -> bool:
        """Whether any value lies in ``data``, whatever the case of its letters."""
        lower = data.lower()
        words = self._by_word.keys() & set(_WORDS.findall(lower))
        return any(value in lower for word in words for value in self._by_word[word])


def _leaves(elements: Elements) -> Iterator[_Leaf]:
    """Yield every element that is no sequence, private or pixels, at every level."""
    for tag in list(elements.keys()):
        element = elements.get_item(tag, keep_deferred=True)
        if element is None or tag.group == GROUP or tag.is_private:
            continue
        if is_sequence(element):
            for item in elements[tag].value or ():
                yield from _leaves(item)
        else:
            yield _Leaf(elements, int(tag), kind_of(element), raw(element))
