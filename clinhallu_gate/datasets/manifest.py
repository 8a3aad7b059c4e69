"""A user's own data set: a manifest in JSON Lines, CSV or Parquet, with the images beside it."""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from clinhallu_gate.config.thresholds import EACH, MEAN
from clinhallu_gate.datasets.assemble import Assembly, Intakes, Part
from clinhallu_gate.datasets.check import manifest_row
from clinhallu_gate.datasets.intake import Picture
from clinhallu_gate.datasets.pictures import FolderPictures
from clinhallu_gate.datasets.reading import RawRow, read_jsonl
from clinhallu_gate.datasets.tables import read_csv, read_table
from clinhallu_gate.errors import BadInput

MANIFEST: Final = "manifest"
READERS: Final[Mapping[str, Callable[[Path], Iterable[RawRow]]]] = MappingProxyType(
    {".jsonl": read_jsonl, ".csv": read_csv, ".parquet": read_table}
)


def manifest_at(spec: str) -> Path | None:
    """Return the manifest that ``spec`` leads to; None if it looks like no path. Raises ``BadInput`` if it is none."""
    path = Path(spec)
    if path.is_dir():
        found = [path / f"{MANIFEST}{suffix}" for suffix in READERS if (path / f"{MANIFEST}{suffix}").is_file()]
        if len(found) != 1:
            has = ", ".join(file.name for file in found) or "none"
            raise BadInput(f"--data: {spec}: has {has} of {', '.join(f'{MANIFEST}{suffix}' for suffix in READERS)}.")
        return found[0]
    if path.is_file() and path.suffix in READERS:
        return path
    if path.suffix in READERS or "/" in spec or path.exists():
        state = f"is no manifest. Valid: a file {', '.join(f'*{suffix}' for suffix in READERS)}, or a folder with one"
        raise BadInput(f"--data: {spec}: {state if path.exists() else 'does not exist'}.")
    return None


def read_manifest(path: Path) -> Iterable[RawRow]:
    """Return the rows as they stand there. Raises ``BadInput``."""
    return READERS[path.suffix](path)


def load_manifest(
    path: Path, intakes: Intakes, *, rows: Iterable[RawRow] | None = None, folder: Path | None = None
) -> Part:
    """Load a manifest; the data set is called as the file, or as its folder. Raises ``BadInput``.

    Args:
        path: The manifest.
        intakes: Where images are checked and kept.
        rows: Its rows, if they were read before.
        folder: What images are relative to; by default the manifest's own folder.
    """
    name = path.parent.resolve().name if path.stem == MANIFEST else path.stem
    if name in (MEAN, EACH):
        raise BadInput(f"{path}: a data set cannot be called {name!r}, which thresholds files use otherwise.")
    assembly = Assembly(name, manifest_row, FolderPictures(folder or path.parent), intakes)
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
        assembly.taken.update(assembly.intakes.of(phi=phi).take_all([Picture(name, data=data)]))
    return name
