"""De-identified copies of a folder of DICOM files, with a list of what was not copied, and a check of what was."""

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NoReturn

from clinhallu_gate.datasets.dicom.refusal import NotDrawable
from clinhallu_gate.datasets.entries import kind_of
from clinhallu_gate.deidentification.copies import Copy, copy_of, told_by, write
from clinhallu_gate.deidentification.findings import Depth, Preflight, Unread
from clinhallu_gate.deidentification.known import Index
from clinhallu_gate.deidentification.preflight import preflight
from clinhallu_gate.deidentification.sources import Refused, refuse_link, sources
from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import demand_own, for_owner_alone, private_folder, take_private

MAPPING: Final = "uids.csv"
NO_DICOM: Final = "is not a DICOM file"
"""What is said of other files; one that is called or marked as DICOM is broken."""
INCOMPLETE: Final = "INCOMPLETE"
"""File in a folder of copies that were not all checked, for as long as that is so."""
_WARNING: Final = (
    "These copies were not checked to the end and may name patients. Delete this folder; do not hand it on.\n"
)
_LEVELS: Final = ("study", "series", "instance")


@dataclass(frozen=True, slots=True)
class Deidentified:
    """What became of the files."""

    folder: Path
    copies: int
    refused: tuple[Unread, ...]
    """Files that are no DICOM images; nothing is wrong with them."""
    broken: tuple[Unread, ...]
    """Files of which no copy could be made, or whose copy was taken back."""
    emptied: Mapping[str, int]
    """Labels that held a value of the patient's, and in how many files."""
    overlays: int
    """Files out of which an overlay was taken."""
    overlays_in_pixels: int
    """Files in whose pixels one stays."""
    check: Preflight
    """The whole profile, held against the copies."""
    copied: Mapping[Path, Path] = field(default_factory=dict, repr=False)
    """Where the copy of each file lies in the folder; of the same instance twice it is the same."""
    known: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Names, numbers, addresses and UIDs of all headers that were seen, in lower case, that no text holds by chance."""
    people: frozenset[bytes] = field(default=frozenset(), repr=False)
    """Whole names in these headers, of patients and of staff, in lower case."""
    days: frozenset[str] = field(default=frozenset(), repr=False)
    """Days on which the images were made by these headers, YYYYMMDD."""

    @property
    def whole(self) -> bool:
        """Whether everything that is an image was copied, and the copies hold nothing of the profile."""
        return self.copies > 0 and not self.broken and self.check.clean


@dataclass(slots=True)
class _Done:
    names: dict[Path, Path] = field(default_factory=dict)
    """What was written, to what it was made of."""
    twins: dict[Path, Path] = field(default_factory=dict)
    """Other files of which it would be the copy, to it."""
    known: set[bytes] = field(default_factory=set)
    distinct: set[bytes] = field(default_factory=set)
    people: set[bytes] = field(default_factory=set)
    days: set[str] = field(default_factory=set)
    uids: set[tuple[str, str, str]] = field(default_factory=set)
    emptied: Counter[str] = field(default_factory=Counter)
    overlays: int = 0
    in_pixels: int = 0
    refused: list[Unread] = field(default_factory=list)
    broken: list[Unread] = field(default_factory=list)

    def add(self, path: Path, copy: Copy) -> None:
        self.names[copy.name] = path
        self.known.update(copy.known.everywhere)
        self.distinct.update(copy.known.distinct)
        self.people.update(copy.known.people)
        self.days.update(copy.known.days)
        for level, old, new in zip(_LEVELS, copy.old_uids, (*copy.name.parts[:2], copy.name.stem), strict=True):
            self.uids.add((level, old, new))
        self.emptied.update(copy.emptied)
        self.overlays += copy.overlay
        self.in_pixels += copy.overlay_in_pixels


def deidentify(
    source: Path, folder: Path, *, key: bytes, mapping: bool = False, tell: Callable[[int], None] = lambda _: None
) -> Deidentified:
    """Write de-identified copies of the images of ``source`` below ``folder``. ``source`` is never changed.

    Until all of them are checked a file ``INCOMPLETE`` lies among them.

    Args:
        source: A DICOM file, a folder, or a DICOMDIR.
        folder: New or empty, and not within ``source`` or around it.
        key: The site's; the same patients and studies come under the same names in every call with it.
        mapping: Write which UID stands for which into ``FOLDER.private/uids.csv``.
        tell: Told how many files were looked at, after each.

    Raises:
        BadInput: ``source`` does not exist, ``folder`` cannot be written to, or it or the mapping's folder is there
            and others may enter it, or a mapping is there already. Nothing is written then.
    """
    _demand_room(source, folder)
    paths = sources(source)
    if mapping:
        _demand_room_for_mapping(private_folder(folder))
    done = _Done()
    try:
        with for_owner_alone():
            take_private(folder, str(folder))
            (folder / INCOMPLETE).write_text(_WARNING, "utf-8")
            for number, path in enumerate(paths, start=1):
                _take(path, folder, key, done)
                tell(number)
            _take_back(folder, done)
            if mapping:
                _write_mapping(private_folder(folder), done)
    except OSError as error:
        raise BadInput(f"{folder}: cannot be written: {error.strerror}.{_unchecked(done)}") from None
    check = preflight(sorted(folder / name for name in done.names), depth=Depth.FULL)
    _end(folder)
    return Deidentified(
        folder=folder,
        copies=len(done.names),
        refused=tuple(done.refused),
        broken=tuple(done.broken),
        emptied=dict(sorted(done.emptied.items())),
        overlays=done.overlays,
        overlays_in_pixels=done.in_pixels,
        check=check,
        copied={
            **{path: name for name, path in done.names.items()},
            **{path: name for path, name in done.twins.items() if name in done.names},
        },
        known=frozenset(done.distinct),
        people=frozenset(done.people),
        days=frozenset(done.days),
    )


def _end(folder: Path) -> None:
    """Let a folder no longer say that its copies were not checked."""
    try:
        (folder / INCOMPLETE).unlink()
    except OSError as error:
        raise BadInput(f"{folder / INCOMPLETE}: cannot be removed: {error.strerror}.") from None


def _unchecked(done: _Done) -> str:
    """Say what lies there of a call that could not end."""
    if not done.names:
        return ""
    if len(done.names) == 1:
        return " The 1 copy in it was not checked: delete it."
    return f" The {len(done.names):,} copies in it were not checked: delete them."


def _demand_room(source: Path, folder: Path) -> None:
    if not os.path.lexists(source):
        raise BadInput(f"{source}: does not exist. Valid: a DICOM file, a folder, or a DICOMDIR.")
    if os.path.lexists(folder / INCOMPLETE):
        raise BadInput(
            f"{folder}: holds copies of a call that did not end, which were not all checked and may name patients "
            f"({INCOMPLETE}). Delete it, and start anew."
        )
    if os.path.lexists(folder) and (folder.is_symlink() or not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder}: is no empty folder. Valid: a new or an empty one.")
    inside = source.resolve() if source.is_dir() else source.resolve().parent
    whole = folder.resolve()
    if whole.is_relative_to(inside) if source.is_dir() else whole == inside:
        raise BadInput(f"{folder}: lies within {source}. Valid: a folder outside of it.")


def _demand_room_for_mapping(folder: Path) -> None:
    """See to it before anything is copied that a mapping can be written, and that no other one is lost."""
    if os.path.lexists(folder / MAPPING):
        raise BadInput(f"{folder / MAPPING}: is there already. Move it away, or name another folder for the copies.")
    if os.path.lexists(folder):
        try:
            demand_own(folder, str(folder))
        except OSError as error:
            raise BadInput(f"{folder}: cannot be written: {error.strerror}.") from None


def _take(path: Path, folder: Path, key: bytes, done: _Done) -> None:
    """Copy one file, or note why not."""
    try:
        refuse_link(path)
        copy = copy_of(path, key)
        if copy.name in done.names:
            _refuse_twin(path, copy, folder, done)
        write(copy, folder)
        done.add(path, copy)
    except Refused as error:
        done.refused.append(Unread(str(path), str(error)))
    except NotDrawable as error:
        is_other = kind_of(path) is None and str(error) == NO_DICOM
        (done.refused if is_other else done.broken).append(Unread(str(path), str(error)))


def _refuse_twin(path: Path, copy: Copy, folder: Path, done: _Done) -> NoReturn:
    if (folder / copy.name).read_bytes() == copy.data:
        done.twins[path] = copy.name
        raise Refused("is the same instance as another file, and the same")
    raise NotDrawable("is the same instance as another file, and differs from it")


def _take_back(folder: Path, done: _Done) -> None:
    """Delete copies whose headers hold a whole name, number or UID of any patient that was seen."""
    index = Index(done.known)
    for name, path in list(done.names.items()):
        if index.found_in(told_by(folder / name)):
            (folder / name).unlink()
            del done.names[name]
            why = "held a name, number or UID of another patient; the copy was deleted"
            done.broken.append(Unread(str(path), why))


def _write_mapping(folder: Path, done: _Done) -> None:
    take_private(folder, str(folder))
    kept = set(_new_uids(done))
    with (folder / MAPPING).open("x", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("level", "old_uid", "new_uid"))
        rows.writerows(sorted(row for row in done.uids if row[2] in kept))


def _new_uids(done: _Done) -> Iterator[str]:
    for name in done.names:
        yield from (*name.parts[:2], name.stem)
