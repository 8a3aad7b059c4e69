"""A DICOM object made to tell no more of a patient: the Basic Profile, at every level.

Beyond the profile's table goes what no copy needs and anything may lie in: attributes that the dictionary does not
know, free text of other attributes (LT, ST, UT, UC, UR, AE, PN), values that are none of their kind, whole overlays.
"""

import re
from collections.abc import Callable
from importlib.metadata import version
from typing import Any, Final

import dicomanonymizer as tables
from pydicom import DataElement, Sequence
from pydicom import Dataset as Elements
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.sr.codedict import codes
from pydicom.tag import BaseTag

from clinhallu_gate.datasets.dicom.identifiers import tells_nobody
from clinhallu_gate.deidentification.headers import Element, is_sequence, kind_of, raw
from clinhallu_gate.deidentification.pixels import GROUP
from clinhallu_gate.deidentification.profile import EDITION, Rule, profile
from clinhallu_gate.deidentification.uids import is_registered, made_uid
from clinhallu_gate.pseudonym import pseudonym

#: Kinds of values in which people write sentences, names or addresses.
_FREE: Final = frozenset({"LT", "ST", "UT", "UC", "UR", "AE", "PN"})
TEXTS: Final = frozenset({"LO", "SH", "CS", *_FREE})
#: What values of other kinds of text look like (PS3.5 6.2).
_FORMS: Final = {
    **dict.fromkeys(("DS", "IS"), re.compile(rb"[0-9+\-.eE \\]*")),
    **dict.fromkeys(("DA", "TM", "DT"), re.compile(rb"[0-9+\-.: \\]*")),
    "AS": re.compile(rb"[0-9]{0,3}[DWMY]?"),
    "CS": re.compile(rb"[A-Z0-9_ \\]*"),
    "UI": re.compile(rb"[0-9.\\]*"),
}
_BYTES: Final = frozenset({"OB", "OW", "OF", "OD", "OL", "OV", "UN"})
_FIRST: Final = 0x0008
"""Groups before are of messages, meta information and directories, and no part of an image."""
_IMAGE: Final = 0x0028
_PADDING: Final = 0xFFFCFFFC


def clean(elements: Elements, key: bytes) -> None:
    """Take out of an object what tells of a patient, and mark it as de-identified; its pixels stay as they are.

    Args:
        elements: What is changed.
        key: The site's: the same patients and UIDs come under the same names in every call with it.

    Raises whatever pydicom raises on broken values.
    """
    patient, issuer = _text(elements, "PatientID"), _text(elements, "IssuerOfPatientID")
    _Cleaner(key).clean(elements)
    # A word in the place of an id that was taken out is nobody's: hashed, it would make one patient of many.
    elements.PatientID = "" if tells_nobody(patient) else patient_pseudonym(patient, key, issuer=issuer)
    elements.PatientName = ""
    _mark(elements)


def patient_pseudonym(patient: str, key: bytes, *, issuer: str = "") -> str:
    """Return what stands for a ``PatientID``, or for a patient of a manifest, under the site's key."""
    return pseudonym(f"patient/{issuer}\\{patient}", key)


def _mark(elements: Elements) -> None:
    """Say what was done, as PS3.15 E.1.1 asks for."""
    code = codes.cid7050.BasicApplicationConfidentialityProfile
    item = Elements()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code.value, code.scheme_designator, code.meaning
    elements.PatientIdentityRemoved = "YES"
    elements.DeidentificationMethod = [
        "DICOM PS3.15 Basic Application Level Confidentiality Profile",
        f"clinhallu-gate, tables of dicom-anonymizer {version('dicom-anonymizer')} ({EDITION})",
    ]
    elements.DeidentificationMethodCodeSequence = [item]
    elements.LongitudinalTemporalInformationModified = "REMOVED"


class _Cleaner:
    def __init__(self, key: bytes) -> None:
        self._key = key
        self._acts: dict[Rule, Callable[[Elements, Element], None]] = {
            Rule.REMOVE: _remove,
            Rule.EMPTY: _empty,
            Rule.REPLACE: self._replace,
            Rule.UID: self._new_uid,
            Rule.REFERENCES: self._keep,
        }

    def clean(self, elements: Elements, *, nested: bool = False) -> None:
        """Deal with every attribute of an object, or of an item of a sequence, where pixels are no image."""
        for tag in list(elements.keys()):
            element = elements.get_item(tag, keep_deferred=True)
            if element is None or _is_never_kept(tag) or (nested and tag.group == GROUP):
                del elements[tag]
                continue
            rule = profile().rule(int(tag))
            act = self._keep if rule is None else self._acts[rule]
            act(elements, element)

    def _keep(self, elements: Elements, element: Element) -> None:
        """Keep what the profile does not name, if it is of its kind."""
        if is_sequence(element):
            for item in elements[element.tag].value or ():
                self.clean(item, nested=True)
        elif not _is_of_its_kind(element):
            _remove(elements, element)
        elif kind_of(element) == "UI":
            self._new_uid(elements, element)

    def _new_uid(self, elements: Elements, element: Element) -> None:
        """Replace the UIDs of an element, but for those that the standard defines."""
        if is_sequence(element):
            self._keep(elements, element)
            return
        old = [uid for uid in raw(element).decode("ascii", "surrogateescape").split("\\") if uid]
        new = [uid if is_registered(uid) else made_uid(uid, self._key) for uid in old]
        if new != old:
            elements[element.tag] = DataElement(element.tag, "UI", new if len(new) > 1 else new[0])

    def _replace(self, elements: Elements, element: Element) -> None:
        """Put the library's dummy in a value's place, in all of a sequence's."""
        if is_sequence(element):
            for item in elements[element.tag].value or ():
                for tag in list(item.keys()):
                    inner = item.get_item(tag, keep_deferred=True)
                    if inner is None or _is_never_kept(tag):
                        del item[tag]
                    else:
                        self._replace(item, inner)
            return
        if kind_of(element) == "UI":
            self._new_uid(elements, element)
            return
        dummy = DataElement(element.tag, kind_of(element), None)
        try:
            tables.replace_element(dummy)
        except NotImplementedError:  # of a kind that has no dummy
            _remove(elements, element)
        else:
            elements[element.tag] = dummy


def _remove(elements: Elements, element: Element) -> None:
    del elements[element.tag]


def _empty(elements: Elements, element: Element) -> None:
    value: Any = Sequence() if is_sequence(element) else None
    elements[element.tag] = DataElement(element.tag, "SQ" if is_sequence(element) else kind_of(element), value)


def _is_never_kept(tag: BaseTag) -> bool:
    """Whether an attribute is private, of an overlay or curve, of a message, a group's length, padding, or unknown."""
    if tag.is_private or tag.group >> 8 in (0x50, 0x60) or tag.group < _FIRST or tag.element == 0 or tag == _PADDING:
        return True
    return not dictionary_has_tag(tag)


def _is_of_its_kind(element: Element) -> bool:
    """Whether a value that the profile does not name is what its attribute is for."""
    if element.tag.group == GROUP:  # of its own kind of cleaning
        return True
    meant = dictionary_VR(element.tag).split(" or ")
    kind = kind_of(element)
    if kind in _FREE or (kind not in meant and (kind in TEXTS or kind in _FORMS or kind in _BYTES)):
        return False
    if element.tag.group == _IMAGE and kind == "CS":  # what pixels need is kept as it is, in small letters too
        return True
    if kind in (*TEXTS, *_FORMS) and element.value is None and getattr(element, "length", False):
        return False  # text so long that it was left in the file
    form = _FORMS.get(kind)
    return form is None or form.fullmatch(raw(element)) is not None


def _text(elements: Elements, keyword: str) -> str:
    element = elements.get_item(keyword)
    return "" if element is None else raw(element).decode("utf-8", "surrogateescape")
