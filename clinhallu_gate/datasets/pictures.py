"""Images that lie in a folder or in a ZIP archive, by the names that rows give."""

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from clinhallu_gate.datasets.intake import MAX_BYTES, Picture
from clinhallu_gate.datasets.names import Misplaced, file_below
from clinhallu_gate.errors import BadInput


class FolderPictures:
    """Files below a folder; ``flat`` looks for the last part of a name only, as the benchmark unpacks its archive."""

    def __init__(self, folder: Path, *, flat: bool = False) -> None:
        self._folder = folder.resolve()
        self._flat = flat

    def each(self, names: Iterable[str]) -> Iterator[Picture]:
        """Yield the file of each name."""
        for name in names:
            try:
                yield Picture(name, path=file_below(self._folder, PurePosixPath(name).name if self._flat else name))
            except Misplaced as error:
                yield Picture(name, trouble=str(error))

    def doubt(self, question: str, index: str | None, names: tuple[str, ...]) -> None:
        """Files are named by the rows themselves: there is nothing to compare."""


class ZipPictures:
    """Members of an archive by the last part of their names; the last of several counts, as when it is unpacked."""

    def __init__(self, archive: Path) -> None:
        self._archive = archive

    def each(self, names: Iterable[str]) -> Iterator[Picture]:
        """Yield the bytes of each name's member. Raises ``BadInput`` if the archive is none."""
        try:
            with zipfile.ZipFile(self._archive) as archive:
                members = {PurePosixPath(info.filename).name: info for info in archive.infolist() if not info.is_dir()}
                for name in names:
                    yield self._member(archive, name, members.get(PurePosixPath(name).name))
        except (zipfile.BadZipFile, OSError) as error:
            raise BadInput(f"{self._archive}: cannot be read as a ZIP archive: {error}.") from error

    def _member(self, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo | None) -> Picture:
        if info is None:
            return Picture(name, trouble=f"does not exist in {self._archive}")
        if info.file_size > MAX_BYTES:
            return Picture(
                name, trouble=f"has {info.file_size / 2**20:.0f} MiB. Valid: at most {MAX_BYTES / 2**20:.0f}"
            )
        try:
            return Picture(name, data=archive.read(info))
        except (
            zipfile.BadZipFile,
            zipfile.LargeZipFile,
            RuntimeError,  # an encrypted member; its subclass NotImplementedError: a method of compression unknown here
            EOFError,
            zlib.error,
        ) as error:
            return Picture(name, trouble=f"cannot be unpacked from {self._archive}: {error}")

    def doubt(self, question: str, index: str | None, names: tuple[str, ...]) -> None:
        """Members are named by the rows themselves: there is nothing to compare."""
