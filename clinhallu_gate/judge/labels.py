"""Labels that people gave to stages and answers, read from CSV: a list of one's own, or a filled review sheet."""

import csv
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.records import Instance, Reading, Record
from clinhallu_gate.vocabulary import ANSWER, STAGE_ARM, Arm, Outcome, Part, Stage

_REQUIRED: Final = ("instance", "stage", "label")
_COLUMNS: Final = (*_REQUIRED, "arm", "note")
SAMPLE: Final = "sample"
"""The column that makes a file a review sheet."""
TEXT_SHA256: Final = "text_sha256"
_LABELS: Final = (Outcome.GROUNDED.value, Outcome.HALLUCINATED.value)
_ANSWER_LABELS: Final = (Outcome.CORRECT.value, Outcome.INCORRECT.value)
_SHOWN: Final = 10
#: Key of what a row holds beyond the header; no header can say it.
_BEYOND: Final = "\0"


class Label(Record):
    """What a person says of one stage."""

    uid: str
    """``dataset/id`` of the instance."""
    cluster: str
    """Its image or patient, dataset included."""
    stage: Stage
    arm: Arm
    """The arm whose trace was labelled."""
    label: Outcome


class SheetRow(Record):
    """One row of a review sheet."""

    uid: str
    reading: Reading
    label: Outcome | None
    """None where it was left blank."""
    text_sha256: str
    """Digest of the text that was to be labelled."""


class LabelFile(Record):
    """What a file of labels holds."""

    labels: tuple[Label, ...]
    """Of stages, for the judge's agreement with people."""
    sample: str | None = None
    """Which random sample of which run a review sheet is of; None for a list of one's own."""
    rows: tuple[SheetRow, ...] = ()
    """Of a review sheet."""


def load_label_file(path: Path, known: Iterable[Instance]) -> LabelFile:
    """Read labels from a CSV file with the columns instance, stage, label and perhaps arm and note.

    A review sheet (``clinhallu-gate sample-for-review``) has a column ``sample`` too. Then, and only then, there may be
    other columns, labels that are left blank, and labels of answers (stage ``answer``; correct or incorrect).

    Args:
        path: UTF-8, with a header, separated by commas (or by semicolons or tabs, as spreadsheets may save it). An
            instance is named ``dataset/id``, or by its id where only one dataset has it; without an arm a label is on
            the trace that the stage's rate is read from.
        known: The instances of the data.

    Raises:
        BadInput: What cannot be used, with the line of each row; beside patients' data without its values.
    """
    names, patients = _names(known)
    lines: dict[tuple[str, Reading], int] = {}
    found: list[_Read] = []
    wrong: list[str] = []
    for line, row in _rows(path):
        try:
            read = _read(row, names)
            _refuse_twin(read, lines)
            _refuse_other_sample(read, found)
        except BadInput as error:
            wrong.append(f"line {line}: {_without_value(error) if patients else error}")
            continue
        lines[_key(read)] = line
        found.append(read)
    if wrong:
        raise BadInput(_complaint(path, wrong))
    if not found:
        raise BadInput(f"{path}: holds no labels, only a header.")
    if all(read.row.label is None for read in found):
        raise BadInput(f"{path}: no row has a label yet. Fill the column label.")
    return LabelFile(
        labels=tuple(read.label for read in found if read.label is not None),
        sample=found[0].sample,
        rows=tuple(read.row for read in found) if found[0].sample is not None else (),
    )


def _without_value(error: BadInput) -> str:
    """Say no more than the column: the value may be what a patient is called elsewhere."""
    return f"{str(error).partition(':')[0]}: cannot be used (instances of patients are named by their pseudonyms)."


class _Read(Record):
    """One row that could be read."""

    row: SheetRow
    label: Label | None
    """None for an answer, and where no label was given."""
    sample: str | None


def _key(read: _Read) -> tuple[str, Reading]:
    return read.row.uid, read.row.reading


def _refuse_twin(read: _Read, lines: Mapping[tuple[str, Reading], int]) -> None:
    uid, reading = _key(read)
    if _key(read) in lines:
        line = lines[_key(read)]
        raise BadInput(f"instance: {uid!r} has a label on {reading.part} of {reading.arm} already, on line {line}.")


def _refuse_other_sample(read: _Read, found: Sequence[_Read]) -> None:
    if found and read.sample != found[0].sample:
        raise BadInput(f"sample: {read.sample!r} is not the {found[0].sample!r} of the rows before.")


def _complaint(path: Path, wrong: Sequence[str]) -> str:
    more = f" (and {len(wrong) - _SHOWN} more)" if len(wrong) > _SHOWN else ""
    rows = "1 row" if len(wrong) == 1 else f"{len(wrong)} rows"
    return f"{path}: {rows} cannot be used: {' '.join(wrong[:_SHOWN])}{more}"


def _rows(path: Path) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Yield each row with its line (from 1, the header included)."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file, strict=True, restkey=_BEYOND, restval="", delimiter=_delimiter(file))
            _check_header(path, reader.fieldnames or ())
            for row in reader:
                if any(value.strip() for value in row.pop(_BEYOND, ())):
                    raise BadInput(f"{path}:{reader.line_num}: has more values than the header has columns.")
                values = {name: value.strip() for name, value in row.items()}
                if any(values.values()) or SAMPLE not in values:
                    yield reader.line_num, values
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: is not UTF-8 text (byte {error.start}).") from error
    except csv.Error as error:
        raise BadInput(f"{path}: is not CSV: {error}.") from error


def _delimiter(file: IO[str]) -> str:
    """Return what separates the header's columns: spreadsheets may save another sign than they read."""
    header = file.readline()
    file.seek(0)
    return next((sign for sign in ";\t" if sign in header and "," not in header), ",")


def _check_header(path: Path, names: Sequence[str]) -> None:
    sheet = SAMPLE in names
    named = any(name in _COLUMNS for name in names)  # or it is a first row, whose values are nobody's business
    for name in names:
        if named and name not in _COLUMNS and not sheet:
            raise BadInput(f"{path}:1: {not_one_of('header', name, _COLUMNS, noun='a column')}")
    if missing := [name for name in _REQUIRED if name not in names]:
        raise BadInput(f"{path}:1: header: is missing {', '.join(missing)}. Valid: {', '.join(_COLUMNS)}.")
    if sheet and TEXT_SHA256 not in names:
        raise BadInput(f"{path}:1: header: is missing {TEXT_SHA256}, which a review sheet has beside {SAMPLE}.")
    ours = [name for name in names if name in (*_COLUMNS, SAMPLE, TEXT_SHA256)]
    if len(set(ours)) != len(ours):
        raise BadInput(f"{path}:1: header: a column stands twice.")


class _Named(NamedTuple):
    """An instance, as far as a label needs it."""

    uid: str
    cluster: str


def _names(known: Iterable[Instance]) -> tuple[Mapping[str, list[_Named]], bool]:
    """Return the instances by every name that a row may give them, and whether any is of a patient."""
    names: dict[str, list[_Named]] = {}
    patients = False
    for instance in known:
        named = _Named(instance.uid, f"{instance.dataset}/{instance.cluster}")
        for name in (instance.uid, instance.id):
            names.setdefault(name, []).append(named)
        patients = patients or instance.phi
    return names, patients


def _read(row: Mapping[str, str], names: Mapping[str, list[_Named]]) -> _Read:
    instance = _instance(row["instance"], names)
    sample = row.get(SAMPLE)
    part = _part(row["stage"], with_answers=sample is not None)
    default = Arm.BASELINE if part == ANSWER else STAGE_ARM[Stage(part)]
    arm = Arm(_word("arm", row["arm"], [arm.value for arm in Arm], "an arm")) if row.get("arm") else default
    label = None
    if row["label"] or sample is None:
        label = Outcome(_word("label", row["label"], _ANSWER_LABELS if part == ANSWER else _LABELS, "a label"))
    sheet_row = SheetRow(
        uid=instance.uid, reading=Reading(arm, part), label=label, text_sha256=row.get(TEXT_SHA256, "").lower()
    )
    return _Read(row=sheet_row, label=_stage_label(instance, sheet_row), sample=sample)


def _part(value: str, *, with_answers: bool) -> Part:
    valid = [stage.value for stage in Stage]
    word = _word("stage", value, [*valid, ANSWER] if with_answers else valid, "a stage")
    return ANSWER if word == ANSWER else Stage(word)


def _stage_label(instance: _Named, row: SheetRow) -> Label | None:
    if row.label is None or row.reading.part == ANSWER:
        return None
    uid, cluster = instance
    return Label(uid=uid, cluster=cluster, stage=Stage(row.reading.part), arm=row.reading.arm, label=row.label)


def _instance(name: str, names: Mapping[str, list[_Named]]) -> _Named:
    """Return the instance of a name; the apostrophe that a sheet puts before signs of a formula is no part of it."""
    found = names.get(name) or names.get(name.removeprefix("'"), [])
    if len(found) > 1:
        raise BadInput(f"instance: {name!r} is in several datasets: {', '.join(item.uid for item in found)}.")
    if not found:
        raise BadInput(not_one_of("instance", name, [key for key in names if "/" in key][:_SHOWN], noun="in the data"))
    return found[0]


def _word(column: str, value: str, valid: Sequence[str], noun: str) -> str:
    if value.lower() not in valid:
        raise BadInput(not_one_of(column, value, valid, noun=noun))
    return value.lower()
