"""Which frames of which files a model is shown for a row: headers read once, few images out of many."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.check import Unfit
from clinhallu_gate.datasets.dicom.files import files_of
from clinhallu_gate.datasets.dicom.header import Header, read_header
from clinhallu_gate.datasets.dicom.patients import patient_of
from clinhallu_gate.datasets.dicom.series import Shot, in_order, series_of, shares, shots_of, spaced, without_copies
from clinhallu_gate.datasets.dicom.taking import Want
from clinhallu_gate.datasets.entries import Kind, Unusable
from clinhallu_gate.datasets.names import Misplaced, file_below, place_below
from clinhallu_gate.datasets.problems import shown
from clinhallu_gate.datasets.row import Row

_NAMED: Final = 3
"""Files of a folder that are named where many cannot be read."""
Entry = str | list[Shot]
"""An entry of ``images``: the name of an image as it is, or what is to be drawn for it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be drawn for a row."""

    row: Row
    """With the day of its (latest) study."""
    entries: tuple[Entry, ...]
    headers: tuple[Header, ...]
    """Of all files that the row speaks of, drawn or not."""

    @property
    def shots(self) -> Iterator[Shot]:
        """What has to be drawn, in the order of the images."""
        return (shot for entry in self.entries if not isinstance(entry, str) for shot in entry)

    @property
    def wants(self) -> Iterator[Want]:
        """The same, as it is asked for."""
        return map(self.want, self.shots)

    def want(self, shot: Shot) -> Want:
        """Return how a frame is drawn for this row."""
        return Want(shot.header.path, shot.frame, self.row.window or "")


@dataclass(slots=True)
class Reader:
    """Reads each file once; use it within ``quiet()``."""

    root: Path
    """Folder of the manifest, links followed."""
    kinds: Mapping[str, Kind]
    """By the names in rows; what is not there is no DICOM."""
    most: int
    """Images of a row, where it does not say which."""
    known: dict[Path, Header | Unusable] = field(default_factory=dict)
    """What was read."""
    entries: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    """Files of folders and media, which many rows may name."""

    def plan(self, row: Row) -> Plan:
        """Return what is to be drawn. Raises ``Unfit``."""
        found: list[Entry] = []
        headers: list[Header] = []
        lines: list[str] = []
        for place, name in enumerate(row.images):
            if name not in self.kinds:
                found.append(name)
                continue
            try:
                ordered = self.ordered(name, row.series)
                headers += ordered
                found.append(shots_of(ordered))
            except Unusable as error:
                lines.append(f"images[{place}]: {shown(name)} {error}")
        if row.series is not None and all(self.kinds.get(name) in (None, Kind.FILE) for name in row.images):
            lines.append("series: is for a folder or a DICOMDIR, and the row names none")
        if lines:
            raise Unfit(*lines)
        patient_of(headers)
        days = [header.day for header in headers if header.day is not None]
        dated = replace(row, study_date=row.study_date or max(days, default=None))
        return Plan(dated, self._chosen(row, found), tuple(headers))

    def ordered(self, name: str, series: str | None) -> list[Header]:
        """Return the images of an entry of ``images``, in order, for a row's ``series``. Raises ``Unusable``."""
        files = self._files(name)
        headers = [header for path in files if isinstance(header := self.header(path), Header)]
        if len(headers) < len(files):
            raise Unusable(self._unread(name, files))
        wanted = series if self.kinds[name] is not Kind.FILE else None
        return in_order(without_copies(series_of(headers, wanted)))

    def _files(self, name: str) -> tuple[Path, ...]:
        if name not in self.entries:
            try:
                find = place_below if self.kinds[name] is Kind.FOLDER else file_below
                self.entries[name] = files_of(self.root, find(self.root, name), self.kinds[name])
            except Misplaced as error:
                raise Unusable(str(error)) from None
        return self.entries[name]

    def header(self, path: Path) -> Header | Unusable:
        """Return what was read of a file, or why that cannot be."""
        if path not in self.known:
            try:
                self.known[path] = read_header(path)
            except Unusable as error:
                self.known[path] = error
        return self.known[path]

    def _unread(self, name: str, files: Sequence[Path]) -> str:
        bad = [(path, error) for path in files if isinstance(error := self.known[path], Unusable)]
        if self.kinds[name] is Kind.FILE:
            return str(bad[0][1])
        said = "; ".join(f"{shown(path.name)} {error}" for path, error in bad[:_NAMED])
        more = f" and {len(bad) - _NAMED} more" if len(bad) > _NAMED else ""
        return f"holds {len(bad)} of {len(files)} DICOM files that cannot be used: {said}{more}"

    def _chosen(self, row: Row, entries: Sequence[Entry]) -> tuple[Entry, ...]:
        """Leave as many images as the model takes, or those that the row names."""
        several = [entry for entry in entries if not isinstance(entry, str)]
        if row.frames:
            if len(several) > 1:
                raise Unfit(f"frames: are those of one DICOM entry of images, and the row names {len(several)}")
            return tuple(e if isinstance(e, str) else [e[place] for place in _places(row, len(e))] for e in entries)
        given = shares([1 if isinstance(entry, str) else len(entry) for entry in entries], self.most)
        return tuple(
            entry if isinstance(entry, str) else [entry[place] for place in spaced(len(entry), share)]
            for entry, share in zip(entries, given, strict=True)
        )


def _places(row: Row, count: int) -> list[int]:
    """Return the row's frames from 0. Raises ``Unfit`` for one that there is not."""
    lines = [f"frames[{i}]: {n} is no image. Valid: 1 to {count}" for i, n in enumerate(row.frames) if n > count]
    if lines:
        raise Unfit(*lines)
    return [number - 1 for number in row.frames]
