"""A user's own data set: a manifest in JSON Lines, CSV or Parquet, with the images beside it."""

import hashlib
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from clinhallu_gate.config.thresholds import EACH, MEAN
from clinhallu_gate.datasets.assemble import Assembly, Choosing, Part
from clinhallu_gate.datasets.check import Unfit, manifest_row
from clinhallu_gate.datasets.dataset import MAX_IMAGES, DataOptions
from clinhallu_gate.datasets.entries import kind_of
from clinhallu_gate.datasets.intake import Intakes, Picture
from clinhallu_gate.datasets.period import day_of
from clinhallu_gate.datasets.pictures import FolderPictures
from clinhallu_gate.datasets.reading import RawRow, read_jsonl
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.datasets.signed import GoldBeside
from clinhallu_gate.datasets.study import FACTS, Headers, Wanted
from clinhallu_gate.datasets.tables import read_csv, read_table
from clinhallu_gate.errors import BadInput, about

MANIFEST: Final = "manifest"
READERS: Final[Mapping[str, Callable[[Path], Iterable[RawRow]]]] = MappingProxyType(
    {".jsonl": read_jsonl, ".csv": read_csv, ".parquet": read_table}
)
#: Facts of a study that a stratum may stand for.
_FACT: Final = re.compile(rf"\{{({'|'.join(FACTS)})\}}")


def manifest_at(spec: str, *, option: str = "--data") -> Path | None:
    """Return the manifest that ``spec`` leads to; None if it looks like no path. Raises ``BadInput`` if it is none.

    ``option`` is what said so.
    """
    if not spec:  # an unset variable in a script; as a path it would be the current folder
        raise BadInput(about(option, "is empty. Name a manifest, or a folder with one."))
    try:
        return _manifest_at(Path(spec), spec, option)
    except OSError as error:
        raise BadInput(about(option, f"{spec}: cannot be looked at: {error.strerror}.")) from None


def _manifest_at(path: Path, spec: str, option: str) -> Path | None:
    if path.is_dir():
        found = [path / f"{MANIFEST}{suffix}" for suffix in READERS if (path / f"{MANIFEST}{suffix}").is_file()]
        if len(found) != 1:
            has = ", ".join(file.name for file in found) or "none"
            valid = ", ".join(f"{MANIFEST}{suffix}" for suffix in READERS)
            raise BadInput(about(option, f"{spec}: has {has} of {valid}."))
        return found[0]
    if path.is_file() and path.suffix in READERS:
        return path
    if path.suffix in READERS or "/" in spec or path.exists():
        state = f"is no manifest. Valid: a file {', '.join(f'*{suffix}' for suffix in READERS)}, or a folder with one"
        raise BadInput(about(option, f"{spec}: {state if path.exists() else 'does not exist'}."))
    return None


@dataclass(frozen=True, slots=True)
class FolderStudies:
    """DICOM in the folder of a manifest; pydicom is imported when rows name any."""

    folder: Path
    intakes: Intakes
    most: int = MAX_IMAGES
    """Images that the model takes at once."""

    def read(self, rows: Mapping[str, Row], wanted: Wanted) -> Headers:
        """Read and draw what ``rows`` name of DICOM; of rows that name none refuse the fields that are for it."""
        names = dict.fromkeys(name for row in rows.values() for name in row.images)
        kinds = {name: kind for name in names if (kind := kind_of(self.folder / name))}
        plain = ((place, row) for place, row in rows.items() if not any(name in kinds for name in row.images))
        refused = {place: Unfit(*lines) for place, row in plain if (lines := [*_for_dicom(row)])}
        if not kinds:
            return Headers(studies=refused)
        from clinhallu_gate.datasets.dicom.rows import read_rows  # noqa: PLC0415 - takes 0.5 s to import

        found = read_rows(self.folder, rows, kinds, self.intakes, most=self.most, wanted=wanted)
        return replace(found, studies={**refused, **found.studies})


def _for_dicom(row: Row) -> Iterator[str]:
    """Say which fields of a row without DICOM speak of it."""
    given = {"frames": row.frames, "series": row.series, "window": row.window}
    yield from (f"{name}: is for DICOM, and images names none" for name, value in given.items() if value)
    for name in _FACT.findall(row.stratum or ""):
        yield f"stratum: {{{name}}} is read from DICOM, and images names none"


def name_of(path: Path) -> str:
    """Return what the data set of a manifest is called: as the file, or as its folder. Raises ``BadInput``."""
    name = path.parent.resolve().name if path.stem == MANIFEST else path.stem
    if name in (MEAN, EACH):
        raise BadInput(f"{path}: a data set cannot be called {name!r}, which thresholds files use otherwise.")
    return name


def read_manifest(path: Path) -> Iterable[RawRow]:
    """Return the rows as they stand there. Raises ``BadInput``."""
    return READERS[path.suffix](path)


def load_manifest(
    path: Path,
    intakes: Intakes,
    options: DataOptions,
    *,
    rows: Iterable[RawRow] | None = None,
    folder: Path | None = None,
) -> Part:
    """Load a manifest, or what is chosen of it.

    Args:
        path: The manifest.
        intakes: Where images are checked and kept.
        options: What is chosen of it, and how many images the model takes at once.
        rows: Its rows, if they were read before.
        folder: What images are relative to; by default the manifest's own folder.

    Raises:
        BadInput: It cannot be read, or holds no row.
    """
    name = name_of(path)
    folder = folder or path.parent
    studies = FolderStudies(folder, intakes, options.max_images)
    choosing = Choosing(options.period, options.frozen)
    assembly = Assembly(
        name,
        manifest_row,
        FolderPictures(folder),
        intakes,
        studies=studies,
        choosing=choosing,
        beside=GoldBeside.of(path, intakes.keeper),
    )
    part = assembly.make(_unpacked(read_manifest(path) if rows is None else rows, assembly), {name: str(path)})
    if not part.rows:
        raise BadInput(f"{path}: holds no row.")
    return part


def _unpacked(raws: Iterable[RawRow], assembly: Assembly) -> Iterator[RawRow]:
    """Take in images that are embedded in rows while the rows go by, and let their digests stand for them.

    Rows that do not say whether they are of patients are: who forgets to say so must not pay for it with a name.
    """
    for raw in raws:
        content = {**raw.content, "phi": True} if raw.content.get("phi") is None else raw.content
        if isinstance(day := content.get("study_date"), date):  # of a table; rows are written as JSON later
            content = {**content, "study_date": day_of(day).isoformat()}
        images = content.get("images")
        if isinstance(images, list) and any(isinstance(entry, dict) for entry in images):
            names = [_taken(entry, assembly, phi=content["phi"] is not False) for entry in images]
            content = {**content, "images": names}
        yield replace(raw, content=content)


def _taken(entry: object, assembly: Assembly, *, phi: bool) -> Any:  # noqa: ANN401 - JSON
    """Return the name of an image: its digest if its bytes came along."""
    if not isinstance(entry, dict):
        return entry
    data = entry.get("bytes")
    if not isinstance(data, bytes):
        return entry.get("path")
    name = f"sha256:{hashlib.sha256(data).hexdigest()}"
    if name not in assembly.taken:
        with closing(assembly.intakes.of(phi=phi).take_all([Picture(name, data=data)])) as taken:
            assembly.taken.put_all(taken)
    return name
