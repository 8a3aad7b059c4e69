"""The cache of what was fetched: files by the digests of their UIDs, and lists of what studies and series hold.

What is there is never asked for again: a killed fetch goes on, and a repeated run needs no server.
"""

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Final

import orjson

from clinhallu_gate.datasets.check import is_uid
from clinhallu_gate.datasets.dicomweb.uids import InstancePlace, SeriesPlace
from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import make_private, write_whole

_VERSION: Final = 1


class Archive:
    """``dicomweb/`` in the private cache: ``files/STUDY/SERIES/SOP.dcm``, and ``lists/`` of UIDs."""

    def __init__(self, private_cache: Path) -> None:
        self._root = private_cache / "dicomweb"
        self.files = self._root / "files"

    def make(self) -> None:
        """Make the folders. Raises ``BadInput`` if they cannot be made."""
        try:
            for folder in (self._root.parent, self._root, self.files, self._root / "lists"):
                make_private(folder)
        except OSError as error:
            raise BadInput(f"{self._root}: studies cannot be kept there: {error.strerror}.") from error

    def file(self, place: InstancePlace) -> Path:
        """Return where an instance is kept; it may not be there."""
        return self.folder(place.within) / f"{_digest(place.sop)}.dcm"

    def folder(self, place: SeriesPlace) -> Path:
        """Return where a series' instances are kept."""
        return self.files / _digest(place.study) / _digest(place.series)

    def keep(self, place: InstancePlace, data: bytes) -> None:
        """Keep an instance. Raises ``BadInput`` if that cannot be done."""
        self._write(self.file(place), data)

    def series_of(self, study: str) -> tuple[str, ...] | None:
        """Return the series of a study, if they were listed before."""
        return self._listed(study)

    def instances_of(self, place: SeriesPlace) -> tuple[str, ...] | None:
        """Return the instances of a series, if they were listed before."""
        return self._listed(place.study, place.series)

    def note_series(self, study: str, series: Iterable[str]) -> None:
        """Note which series a study has."""
        self._note(series, study)

    def note_instances(self, place: SeriesPlace, sops: Iterable[str]) -> None:
        """Note which instances a series has."""
        self._note(sops, place.study, place.series)

    def _listed(self, *uids: str) -> tuple[str, ...] | None:
        with suppress(OSError, ValueError, KeyError, TypeError):
            content = orjson.loads(self._list(uids).read_bytes())
            if content["version"] == _VERSION and content["of"] == list(uids) and all(map(is_uid, content["has"])):
                return tuple(content["has"])
        return None

    def _note(self, has: Iterable[str], *uids: str) -> None:
        self._write(self._list(uids), orjson.dumps({"version": _VERSION, "of": uids, "has": sorted(has)}))

    def _list(self, uids: tuple[str, ...]) -> Path:
        return self._root / "lists" / f"{_digest('/'.join(uids))}.json"

    @staticmethod
    def _write(path: Path, data: bytes) -> None:
        """Write a file that is there whole or not at all, for its owner alone."""
        try:
            for folder in reversed(path.parents[:2]):
                folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(path, data)
        except OSError as error:
            raise BadInput(f"{path.parent}: studies cannot be kept there: {error.strerror}.") from error


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
