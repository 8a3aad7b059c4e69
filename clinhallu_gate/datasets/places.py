"""Where the benchmark's rows and images are: in a folder that the user names, or in snapshots of the hub."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from clinhallu_gate.datasets.gold import Gold, read_gold
from clinhallu_gate.datasets.hub import snapshot
from clinhallu_gate.datasets.intake import Pictures
from clinhallu_gate.datasets.pictures import FolderPictures, ZipPictures
from clinhallu_gate.datasets.released import GOLD_FILE, GOLD_FILES, GOLD_REPO, SETS, SPLIT, Released
from clinhallu_gate.datasets.source_rows import FramePictures, NumberedPictures, has_rows
from clinhallu_gate.errors import BadInput

_RESULTS: Final = f"results/*/gold/*/{GOLD_FILE}"
"""Where the benchmark's own code puts gold traces."""


@dataclass(frozen=True, slots=True)
class FoundPictures:
    """Images of a data set, and where they were found."""

    pictures: Pictures
    sources: Mapping[str, str] = field(default_factory=dict)


class Place(Protocol):
    """Where rows and images come from."""

    @property
    def sources(self) -> Mapping[str, str]:
        """Where the rows come from: repository to commit or folder."""

    def gold(self) -> Gold:
        """Read all rows. Raises ``BadInput`` if there are none."""

    def pictures(self, released: Released) -> FoundPictures:
        """Find the images of a data set. Raises ``BadInput`` if there are none."""


class FolderPlace:
    """A downloaded copy, or the folders of the benchmark's own code; rows and images are looked for apart."""

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise BadInput(f"--data-root: {root} is not a folder.")
        self._root = root

    @property
    def sources(self) -> Mapping[str, str]:
        """The folder."""
        return {GOLD_REPO: str(self._root)}

    def gold(self) -> Gold:
        """Read ``results/``, else the copy of the benchmark's repository, else whatever else the folder holds."""
        if any(self._root.glob(_RESULTS)):
            return read_gold(self._root, (_RESULTS,))
        copy = next(_copies(self._root, GOLD_REPO), None)
        if copy is not None:
            return read_gold(copy)
        sources = [folder for released in SETS.values() for folder in _copies(self._root, released.repo)]
        return read_gold(self._root, besides=sources)

    def pictures(self, released: Released) -> FoundPictures:
        """Find the benchmark's own image folder, else the copy of the source set."""
        own = self._root / "data" / released.folder / "input" / SPLIT / "images"
        if own.is_dir():
            return FoundPictures(FolderPictures(own), {released.repo: str(own)})
        for folder in _copies(self._root, released.repo):
            pictures = pictures_in(folder, released)
            if pictures is not None:
                return FoundPictures(pictures, {released.repo: str(folder)})
        looked = ", ".join(str(path.relative_to(self._root)) for path in (own, *_named(self._root, released.repo)))
        raise BadInput(f"--data-root: no images of {released.name} under {self._root}. Looked for: {looked}.")


class HubPlace:
    """The hub, or with ``offline`` its local cache alone; what is read there is read as a copy of it would be."""

    def __init__(self, *, offline: bool = False) -> None:
        self._offline = offline
        self._snapshot = snapshot(GOLD_REPO, GOLD_FILES, offline=offline)

    @property
    def sources(self) -> Mapping[str, str]:
        """The commit."""
        return {GOLD_REPO: self._snapshot.commit}

    def gold(self) -> Gold:
        """Read the benchmark's repository."""
        return read_gold(self._snapshot.folder)

    def pictures(self, released: Released) -> FoundPictures:
        """Find the images in the source set's repository."""
        found = snapshot(released.repo, released.files, offline=self._offline)
        pictures = pictures_in(found.folder, released)
        if pictures is None:
            files = ", ".join(released.files)
            raise BadInput(f"--data: {released.repo} at {found.commit} holds no images ({files}) in {found.folder}.")
        return FoundPictures(pictures, {released.repo: found.commit})


def pictures_in(folder: Path, released: Released) -> Pictures | None:
    """Return the images that a copy of a source set holds, if it holds any."""
    if has_rows(folder):
        if released.image_prefix:
            return NumberedPictures(folder, released.image_prefix)
        if released.name == "medframeqa":
            return FramePictures(folder)
    archive = next((path for path in sorted(folder.rglob("images.zip")) if path.is_file()), None)
    if archive is not None:
        return ZipPictures(archive)
    unpacked = next((path for path in sorted(folder.rglob("images")) if path.is_dir()), None)
    return FolderPictures(unpacked, flat=True) if unpacked is not None else None


def _copies(root: Path, repo: str) -> Iterator[Path]:
    return (path for path in _named(root, repo) if path.is_dir())


def _named(root: Path, repo: str) -> tuple[Path, ...]:
    """Return the folders in which a copy of a repository may lie."""
    return (root / repo, root / repo.replace("/", "--"), root / repo.rpartition("/")[2])
