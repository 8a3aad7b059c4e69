"""Whether a row makes sense: each field by the schema, then fields against each other."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pydantic import ValidationError

from clinhallu_gate.datasets.explain import explain
from clinhallu_gate.datasets.names import name_trouble
from clinhallu_gate.datasets.problems import shown
from clinhallu_gate.datasets.row import BENCHMARK_FIELDS, ROW, TAGGED, Row
from clinhallu_gate.vocabulary import QuestionType

_LETTERED: Final = re.compile(r"\s*(?:\(([A-Za-z])\)|([A-Za-z])[.):])\s*(\S.*)", re.DOTALL)
_YES_NO: Final = re.compile(r"\s*(?:yes|no)\b", re.IGNORECASE)
UID_FIELDS: Final = ("study_uid", "series_uid", "sop_uid")
"""Fields that name what a DICOMweb server holds."""
#: PS3.5, 9.1: numbers set apart by dots, at most 64 characters. Nothing else gets into an address or a path.
_UID: Final = re.compile(r"(?=.{1,64}\Z)[0-9]+(\.[0-9]+)*")
_STAGES: Final = ("visual_recognition", "knowledge_recall", "reasoning")


class Unfit(Exception):
    """A row cannot be used; ``lines`` say why."""

    def __init__(self, *lines: str) -> None:
        super().__init__(*lines)
        self.lines = lines


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a multiple choice."""

    letter: str
    text: str

    def __str__(self) -> str:
        return f"{self.letter}. {self.text}"


def manifest_row(content: Mapping[str, Any]) -> Row:
    """Check a row of a user's manifest. Raises ``Unfit``."""
    return _checked({name: value for name, value in content.items() if value is not None})


def benchmark_row(content: Mapping[str, Any]) -> Row:
    """Check a row of the benchmark: unknown fields are let be, the whole gold trace is demanded. Raises ``Unfit``."""
    known = {name: content[name] for name in BENCHMARK_FIELDS if content.get(name) is not None}
    for name in (*TAGGED, "video_id"):
        if not isinstance(known.get(name), str):
            known.pop(name, None)
    if not str(content.get("source_id", "")).strip():  # the benchmark's own code then goes by the index
        known.pop("source_id", None)
    images = known.get("images")
    if isinstance(images, list):
        known["images"] = [_file_of(entry) for entry in images]
    elif "images" not in known and isinstance(content.get("image"), str):
        known["images"] = [content["image"]]
    return _checked(known, gold=True)


def is_uid(text: object) -> bool:
    """Whether ``text`` has the form of a unique identifier of DICOM."""
    return isinstance(text, str) and _UID.fullmatch(text) is not None


def options_of(row: Row) -> tuple[Option, ...]:
    """Return the options with their letters. Raises ``Unfit`` for one without."""
    return tuple(_option(place, text) for place, text in enumerate(row.options))


def _file_of(entry: object) -> object:
    """Return the file name of an image entry, which the benchmark's own code takes as an object too."""
    return entry.get("image_path") or entry.get("path") if isinstance(entry, dict) else entry


def _checked(content: Mapping[str, Any], *, gold: bool = False) -> Row:
    try:
        row = ROW.validate_python(content)
    except ValidationError as error:
        raise Unfit(*explain(error)) from None
    lines = [*_identity(row), *_images(row), *_uids(row), *_answer(row), *_gold(row, demanded=gold), *_report(row)]
    if lines:
        raise Unfit(*lines)
    return row


def _identity(row: Row) -> Iterator[str]:
    if row.identity is None:
        yield "source_id: is missing, and so is original_index"
    if row.id is not None and row.source_id is not None:
        yield "id: is given twice, here and as source_id"
    if row.patient_id is not None and row.cluster is not None:
        yield "patient_id: is given twice, here and as cluster"


def _images(row: Row) -> Iterator[str]:
    for place, name in enumerate(row.images):
        trouble = name_trouble(name)
        if trouble:
            yield f"images[{place}]: {shown(name)} {trouble}"
    if len(set(row.frames)) < len(row.frames):
        yield "frames: an image occurs twice"


def _uids(row: Row) -> Iterator[str]:
    named = {"study_uid": row.study_uid, "series_uid": row.series_uid}
    named |= {f"sop_uid[{place}]": uid for place, uid in enumerate(row.sop_uid)}
    for field, uid in named.items():
        if uid is not None and not is_uid(uid):
            yield f"{field}: {shown(uid)} is no DICOM UID. Valid: numbers set apart by dots, at most 64 characters"
    if row.series_uid is not None and row.study_uid is None:
        yield "study_uid: is missing beside series_uid"
    if row.sop_uid and row.series_uid is None:
        yield "series_uid: is missing beside sop_uid"
    if len(set(row.sop_uid)) < len(row.sop_uid):
        yield "sop_uid: names an instance twice"


def _report(row: Row) -> Iterator[str]:
    if row.report_file is None:
        return
    if row.report is not None:
        yield "report_file: the report is given twice, here and as report"
    trouble = name_trouble(row.report_file)
    if trouble:
        yield f"report_file: {shown(row.report_file)} {trouble}"


def _answer(row: Row) -> Iterator[str]:
    try:
        options = options_of(row)
    except Unfit as unfit:
        yield from unfit.lines
        return
    letters = [option.letter for option in options]
    if len(set(letters)) < len(letters):
        yield f"options: a letter occurs twice: {', '.join(letters)}"
    if row.question_type is QuestionType.MULTIPLE_CHOICE:
        yield from _choice(row, letters)
    elif row.answer_letter is not None and row.answer_letter.strip().upper() not in letters:
        yield f"answer_letter: {shown(row.answer_letter)} is no option. Valid: {', '.join(letters) or 'none'}"
    if row.question_type is QuestionType.YES_NO and not _YES_NO.match(row.answer):
        yield f"answer: {shown(row.answer)} is no answer to a yes_no question. Valid: yes, no"


def _choice(row: Row, letters: list[str]) -> Iterator[str]:
    if len(letters) < 2:  # noqa: PLR2004 - one option is no choice
        yield "options: multiple_choice needs two or more"
        return
    if row.answer_letter is None:
        yield f"answer_letter: is missing. Valid: {', '.join(letters)}"
        return
    letter = row.answer_letter.strip().upper()
    if letter not in letters:
        yield f"answer_letter: {shown(row.answer_letter)} is no option. Valid: {', '.join(letters)}"
        return
    said = _LETTERED.fullmatch(row.answer)
    spoken = (said[1] or said[2]).upper() if said else letter
    if spoken in letters and spoken != letter:
        yield f"answer: {shown(row.answer)} speaks of option {spoken}, answer_letter of {letter}"


def _option(place: int, text: str) -> Option:
    match = _LETTERED.fullmatch(text)
    if match is None:
        raise Unfit(f"options[{place}]: {shown(text)} has no letter. Valid: 'A. text', 'B. text' and so on")
    return Option((match[1] or match[2]).upper(), match[3].rstrip())


def _gold(row: Row, *, demanded: bool) -> Iterator[str]:
    if demanded and row.gold_cot is None:
        yield "gold_cot: is missing"
    for stage in _STAGES:
        nested = getattr(row.gold_cot, stage, None)
        if nested is not None and getattr(row, f"gold_{stage}") is not None:
            yield f"gold_{stage}: is given twice, here and in gold_cot"
        if demanded and row.gold_cot is not None and nested is None:
            yield f"gold_cot.{stage}: is missing"
