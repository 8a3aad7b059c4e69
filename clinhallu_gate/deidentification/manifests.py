"""A manifest rewritten for de-identified copies: images lead to them, ids and patients bear pseudonyms, reports stay.

What is taken over is free text that nobody has read; a row in which a value of a header or an id is found is left out.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import orjson

from clinhallu_gate.datasets.check import Unfit, manifest_row
from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.datasets.dicom.header import Header
from clinhallu_gate.datasets.dicom.planning import Reader
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.entries import Kind, Unusable, kind_of
from clinhallu_gate.datasets.manifest import READERS, name_of
from clinhallu_gate.datasets.problems import BadRows, Problem, told
from clinhallu_gate.datasets.reading import RawRow
from clinhallu_gate.datasets.row import REPORTS, ROW, TAGGED, Row
from clinhallu_gate.datasets.signed import signed_file
from clinhallu_gate.deidentification.cleaning import patient_pseudonym
from clinhallu_gate.deidentification.deidentify import Deidentified
from clinhallu_gate.deidentification.known import Index
from clinhallu_gate.deidentification.places import named_image
from clinhallu_gate.deidentification.uids import made_uid
from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import write_whole
from clinhallu_gate.pseudonym import pseudonym
from clinhallu_gate.scan.found import ScanResult
from clinhallu_gate.scan.search import Search
from clinhallu_gate.scan.values import dates_in, known_values
from clinhallu_gate.scan.words import normal

FILE: Final = "manifest.jsonl"
#: What is taken over as it is, beside gold; whatever is not named here, of the fields that a row may have, is not.
_TEXTS: Final = (
    *("question", "answer", "options", "answer_letter", "stratum", "tags", "window", *TAGGED),
    *("keyword", "reasoning_chain", "source", "split"),
)
_NO_TEXTS: Final = ("question_type", "frames", "cot_valid")
_GOLD: Final = ("gold_visual_recognition", "gold_knowledge_recall", "gold_reasoning")
_KINDS: Final = {
    "name": "a name that a header holds",
    "id": "an id of a patient, a header or a row",
    "accession_number": "an accession number",
    "birth_date": "a patient's date of birth",
}
_DAY: Final = re.compile(r"(?<!\d)\d{8}(?!\d)")
#: Stand for images of a row that names UIDs, or that holds them itself, while its other fields are checked.
_FETCHED, _WITHIN = ("fetched",), "<within the manifest>"


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of a manifest."""

    manifest: Path
    file: Path
    rows: int
    """How many were taken over."""
    left_out: tuple[Problem, ...]
    """Why rows were not, without a value of any."""
    reports: int
    """Rows out of which a report, or the name of its file, was taken."""
    dates: int
    """Rows out of which the day of the study was taken."""
    searched: ScanResult
    """Which values of patients were searched in the texts that were taken over."""
    signed: Path | None
    """Gold that was signed for the originals, and that is not taken over."""


@dataclass(frozen=True, slots=True)
class ManifestRows:
    """The rows of a manifest, each of which makes sense."""

    manifest: Path
    rows: tuple[tuple[RawRow, Row], ...] = field(repr=False)


def read_rows(manifest: Path) -> ManifestRows:
    """Read a manifest before anything is copied.

    Raises:
        BadInput: It is none; ``BadRows`` with what is wrong with rows, without a value of any.
    """
    if manifest.suffix not in READERS or not manifest.is_file():
        valid = ", ".join(f"*{suffix}" for suffix in READERS)
        raise BadInput(f"--manifest: {manifest}: is no manifest that is there. Valid: a file {valid}.")
    name_of(manifest)
    rows: dict[str, tuple[RawRow, Row]] = {}
    problems: list[Problem] = []
    total = 0
    for total, raw in enumerate(READERS[manifest.suffix](manifest), 1):  # noqa: B007 - counted
        try:
            row = _checked(raw)
            before, _ = rows.setdefault(str(row.identity), (raw, row))
        except Unfit as unfit:
            problems += _problems(raw, unfit)
        else:
            if before is not raw:
                problems.append(Problem(raw.file, raw.number, f"has the identity of row {before.number}"))
    if problems:
        raise BadRows(problems, rows=total)
    if not rows:
        raise BadInput(f"{manifest}: holds no row.")
    return ManifestRows(manifest, tuple(rows.values()))


def demand_images_in(folder: Path, source: ManifestRows) -> None:
    """See to it, before anything is copied, that a manifest and what is copied have to do with each other.

    What the rows of UIDs lead to only the files' headers tell.

    Args:
        folder: What is copied: a file, a folder, or a DICOMDIR.
        source: The rows.

    Raises ``BadInput`` if no row names a DICOM file or folder there.
    """
    root, copied = source.manifest.parent.resolve(), folder.resolve()
    if kind_of(folder) is Kind.MEDIUM:
        copied = copied.parent
    if any(
        row.images == _FETCHED or any(_may_lie_in(copied, root / name) for name in row.images) for _, row in source.rows
    ):
        return
    raise BadInput(
        f"--manifest: {source.manifest}: none of its rows names a DICOM file or folder that lies in {folder}. "
        "Nothing was copied."
    )


def _may_lie_in(copied: Path, named: Path) -> bool:
    """Whether DICOM that a row names lies in what is copied, or around it."""
    place = named.resolve()
    return (place.is_relative_to(copied) or copied.is_relative_to(place)) and kind_of(place) is not None


def rewrite(source: ManifestRows, done: Deidentified, key: bytes) -> Rewritten:
    """Write ``manifest.jsonl`` beside the copies, for its owner alone.

    Args:
        source: The rows.
        done: The copies.
        key: The site's, with which they were made.

    Raises ``BadInput`` if the file cannot be written.
    """
    taken: list[tuple[Row, dict[str, Any]]] = []
    problems: list[Problem] = []
    with quiet():
        places = _Places.of(source, done, key)
        values = known_values([*places.identifiers(), *_people(done), *_own_identifiers(source)])
        check = _Check(Search(values), Index(done.known), done.days | {*_own_days(source)})
        for raw, row in source.rows:
            try:
                content = _content(source, raw, row, places.of_row(row), key)
                check.demand_nobody(content)
            except Unfit as unfit:
                problems += _problems(raw, unfit)
            else:
                taken.append((row, content))
    file, signed = done.folder / FILE, signed_file(source.manifest)
    if taken:
        _write(file, [content for _, content in taken])
    return Rewritten(
        source.manifest,
        file,
        rows=len(taken),
        left_out=tuple(problems),
        reports=sum(any(getattr(row, name) is not None for name in REPORTS) for row, _ in taken),
        dates=sum(row.study_date is not None for row, _ in taken),
        searched=values.nothing_found,
        signed=signed if signed.exists() else None,
    )


def _write(file: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    try:
        write_whole(file, b"".join(orjson.dumps(row) + b"\n" for row in rows))
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror or error}.") from None


def _problems(raw: RawRow, unfit: Unfit) -> list[Problem]:
    """Say what is wrong with a row, without a value of it: the manifest is of patients."""
    return [
        Problem(raw.file, raw.number, text) for text in dict.fromkeys(told(line, withhold=True) for line in unfit.lines)
    ]


def _checked(raw: RawRow) -> Row:
    """Return a row that makes sense, wherever its images are. Raises ``Unfit``."""
    if raw.trouble:
        raise Unfit(raw.trouble)
    images = raw.content.get("images")
    if images is None and raw.content.get("study_uid") is not None:
        images = [*_FETCHED]
    elif isinstance(images, list):
        names = [named_image(image) if isinstance(image, Mapping) else image for image in images]
        images = [_WITHIN if name is None else name for name in names]
    return manifest_row({**raw.content, "images": images})


def _content(source: ManifestRows, raw: RawRow, row: Row, images: Sequence[str], key: bytes) -> dict[str, Any]:
    """Return the row as it is written."""
    kept = ROW.dump_python(row, mode="json", include={*_TEXTS, *_NO_TEXTS}, exclude_none=True)
    texts = (row.gold.visual_recognition, row.gold.knowledge_recall, row.gold.reasoning_integration)
    gold = dict(zip(_GOLD, texts, strict=True))
    stands_for = {
        "patient_id": row.group and patient_pseudonym(row.group, key),
        "video_id": row.video_id and pseudonym(f"video/{row.video_id}", key),
    }
    return {
        "id": pseudonym(f"{name_of(source.manifest)}/{row.identity}", key),
        "phi": raw.content.get("phi") is not False,
        "images": list(images),
        **{name: value for name, value in {**stands_for, **kept, **gold}.items() if value not in (None, [])},
    }


def _people(done: Deidentified) -> Iterator[Identifier]:
    """Yield the names in headers, of staff, too; letters beyond ASCII as most files write them."""
    for name in done.people:
        try:
            yield Identifier("name", name.decode("utf-8"))
        except UnicodeDecodeError:
            yield Identifier("name", name.decode("latin-1"))


def _own_identifiers(source: ManifestRows) -> Iterator[Identifier]:
    """Yield the ids and patients of the rows."""
    for _, row in source.rows:
        yield from (Identifier("id", text) for text in (row.identity, row.group) if text)


def _own_days(source: ManifestRows) -> Iterator[str]:
    """Yield the days of the rows' studies."""
    yield from (row.study_date.isoformat().replace("-", "") for _, row in source.rows if row.study_date is not None)


@dataclass(frozen=True, slots=True)
class _Check:
    """Looks for what is known of patients in texts that are taken over."""

    search: Search
    index: Index
    days: frozenset[str]
    """On which images were made, YYYYMMDD."""
    years: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "years", frozenset(day[:4] for day in self.days))

    def demand_nobody(self, content: Mapping[str, Any]) -> None:
        """Raise ``Unfit`` for each field that holds any of it."""
        lines = [line for name in (*_TEXTS, *_GOLD) if name in content for line in self._found(name, content[name])]
        if lines:
            raise Unfit(*lines)

    def _found(self, name: str, value: str | list[str]) -> Iterator[str]:
        text = "\n".join([value] if isinstance(value, str) else value)
        data = text.encode("utf-8", "surrogatepass")
        hits = self.search.content(data, name)
        yield from (f"{name}: holds {_KINDS[hit.what]}" for hit in hits)
        if self._tells_day(normal(text)):
            yield f"{name}: holds the day of a study"
        if not hits and self.index.found_in(data):
            yield f"{name}: holds a number, an address, a place or a UID of a header"

    def _tells_day(self, text: str) -> bool:
        """Whether a text in normal form holds a day, in the spellings in which dates of birth are searched."""
        return not self.days.isdisjoint([*_DAY.findall(text), *(day for day, _ in dates_in(text, self.years))])


@dataclass(slots=True)
class _Places:
    """Where the copies lie of what rows name."""

    reader: Reader
    copied: Mapping[Path, Path]
    """By the file that each was made of."""
    folders: Mapping[Path, set[Path]]
    """All copies, by the folder of their series."""
    key: bytes

    @classmethod
    def of(cls, source: ManifestRows, done: Deidentified, key: bytes) -> "_Places":
        root = source.manifest.parent.resolve()
        entries = {name for _, row in source.rows for name in row.images if row.images != _FETCHED}
        kinds = {name: kind for name in entries if (kind := kind_of(root / name))}
        copied = {path.resolve(): name for path, name in done.copied.items()}
        folders: dict[Path, set[Path]] = {}
        for name in copied.values():
            folders.setdefault(name.parent, set()).add(name)
        return cls(Reader(root, kinds, most=1), copied, folders, key)

    def identifiers(self) -> Iterator[Identifier]:
        """Yield what tells who patients are in the headers of all files that were copied."""
        for path in self.copied:
            header = self.reader.header(path)
            yield from header.identifiers if isinstance(header, Header) else ()

    def of_row(self, row: Row) -> list[str]:
        """Return what the row names instead of its images. Raises ``Unfit``."""
        if row.images == _FETCHED and row.study_uid is not None:
            return [name.as_posix() for name in self._of_uids(row)]
        lines, found = [], []
        for place, name in enumerate(row.images):
            try:
                found.append(self._of_entry(name, row.series).as_posix())
            except Unusable as error:
                lines.append(f"images[{place}]: {error}")
        if lines:
            raise Unfit(*lines)
        return found

    def _of_entry(self, name: str, series: str | None) -> Path:
        """Return the copy of a file, or the folder with those of a series. Raises ``Unusable``."""
        if name == _WITHIN:
            raise Unusable("lies within the manifest itself, and of such images no copies are made")
        kind = self.reader.kinds.get(name)
        if kind is None:
            raise Unusable("is no DICOM file that is there, and of others no copies are made")
        copies = [self._copy_of(header.path) for header in self.reader.ordered(name, series)]
        if kind is Kind.FILE:
            return copies[0]
        if set(copies) != self.folders[copies[0].parent]:
            raise Unusable("is a folder with a part of a series, of which the copies lie in one folder")
        return copies[0].parent

    def _copy_of(self, path: Path) -> Path:
        if path not in self.copied:
            raise Unusable("was not copied")
        return self.copied[path]

    def _of_uids(self, row: Row) -> list[Path]:
        """Return the copies of what a row asks of a server. Raises ``Unfit``."""
        study = Path(self._made(row.study_uid))
        series = {folder for folder in self.folders if folder.parent == study}
        if row.series_uid is not None:
            series &= {study / self._made(row.series_uid)}
        if not series:
            raise Unfit(f"{'study_uid' if row.series_uid is None else 'series_uid'}: was not copied")
        if len(series) > 1:
            raise Unfit(f"study_uid: {len(series)} series of it were copied; name one in series_uid")
        (folder,) = series
        named = [folder / f"{self._made(sop)}.dcm" for sop in row.sop_uid]
        lacking = [place for place, name in enumerate(named) if name not in self.folders[folder]]
        if lacking:
            raise Unfit(*(f"sop_uid[{place}]: was not copied" for place in lacking))
        return named or [folder]

    def _made(self, uid: str | None) -> str:
        return str(made_uid(uid or "", self.key))
