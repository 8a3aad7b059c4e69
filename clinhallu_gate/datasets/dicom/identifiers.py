"""What tells who a patient is in a DICOM header, for the scan of everything that may be shared."""

from collections.abc import Iterator
from typing import Any, Final

from pydicom import Dataset as Elements

from clinhallu_gate.datasets.dataset import Identifier

_LETTERS: Final = 3
"""Names of fewer letters (initials) are found in any text."""
_DATE: Final = 8
_NOBODY: Final = frozenset(
    {
        "anon",
        "anonymous",
        "anonymized",
        "anonymised",
        "deidentified",
        "de-identified",
        "none",
        "n/a",
        "removed",
        "unknown",
    }
)
"""What stands in the place of a name or an id that was taken out, in any case."""


def tells_nobody(value: str) -> bool:
    """Whether a name or id is empty, or a word that stands for one that was taken out."""
    return value.strip(" \0^=").casefold() in ("", *_NOBODY)


def identifiers_of(elements: Elements) -> frozenset[Identifier]:
    """Return who the patient is, in each form that a file could repeat. Raises what pydicom raises on broken values."""
    return frozenset(_found(elements))


def _found(elements: Elements) -> Iterator[Identifier]:
    for name in ("PatientName", "OtherPatientNames"):
        for value in _values(elements, name):
            yield from (Identifier("name", form) for form in _names(str(value)))
    for value in (*_values(elements, "PatientID"), *_values(elements, "OtherPatientIDs")):
        yield from _said("id", value)
    for item in elements.get("OtherPatientIDsSequence") or ():
        for value in _values(item, "PatientID"):
            yield from _said("id", value)
    for value in _values(elements, "AccessionNumber"):
        yield from _said("accession_number", value)
    for value in _values(elements, "PatientBirthDate"):
        yield from (Identifier("birth_date", form) for form in _dates(str(value).strip()))


def _values(elements: Elements, name: str) -> tuple[Any, ...]:
    value = elements.get(name)
    if value is None or isinstance(value, str) or not hasattr(value, "__iter__") or hasattr(value, "components"):
        return () if value is None else (value,)
    return tuple(value)


def _said(what: Any, value: object) -> Iterator[Identifier]:  # noqa: ANN401 - a literal
    text = str(value).strip(" \0")
    if not tells_nobody(text):
        yield Identifier(what, text)


def _names(name: str) -> Iterator[str]:
    """Yield the name as it stands, and its family, given and middle names in each of its scripts (PS3.5, 6.2.1)."""
    whole = name.strip(" \0^=")
    if sum(map(str.isalpha, whole)) >= _LETTERS and not tells_nobody(whole):
        yield whole
    for group in whole.split("="):
        for part in group.split("^")[:3]:
            text = part.strip()
            long = sum(map(str.isalpha, text)) >= _LETTERS or not text.isascii()
            if long and not tells_nobody(text):
                yield text


def _dates(date: str) -> Iterator[str]:
    digits = date.replace(".", "")  # as versions of the standard before 3.0 wrote it
    if digits:
        yield digits
    if len(digits) == _DATE and digits.isdecimal():
        yield f"{digits[:4]}-{digits[4:6]}-{digits[6:]}"
