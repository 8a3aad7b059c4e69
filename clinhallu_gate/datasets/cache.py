"""A folder of images by digest, and a list of those that were checked; several processes may use it at once.

Nothing in it is needed again: a line that cannot be read, or a file that is gone or cut off, is simply made anew.
"""

import os
import threading
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from sys import intern
from typing import Final

import orjson

from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import write_whole

#: Raised when images come to be checked or redrawn otherwise, so that older lines are not believed.
_VERSION: Final = 1
#: Written at once; what a killed load had checked beyond that is checked again.
_LINES: Final = 256
_ENDING: Final = {"image/png": "png", "image/jpeg": "jpg"}


@dataclass(frozen=True, slots=True)
class Sent:
    """What is sent for an image that was checked."""

    sha256: str
    media_type: str
    size: int
    """Bytes."""
    note: str = ""
    """How it was drawn, where that is recorded."""


def default_cache() -> Path:
    """Return the user's cache folder, as ``CLINHALLU_GATE_CACHE`` or ``XDG_CACHE_HOME`` say."""
    own, shared = os.environ.get("CLINHALLU_GATE_CACHE"), os.environ.get("XDG_CACHE_HOME")
    if own:
        return Path(own)
    return (Path(shared) if shared else Path.home() / ".cache") / "clinhallu-gate"


class ImageCache:
    """``checked.jsonl`` and ``images/`` in one folder, made when first needed.

    Args:
        folder: Where they lie.
        named_by: How a user names another one.
    """

    def __init__(self, folder: Path, *, named_by: str = "in CLINHALLU_GATE_CACHE") -> None:
        self._folder = folder
        self._named_by = named_by
        self._list = folder / "checked.jsonl"
        self._lock = threading.Lock()
        self._known = _read(self._list)
        self._fresh: list[bytes] = []

    def known(self, source: str) -> Sent | None:
        """Return what is sent for the image whose bytes have the digest ``source``, if it was checked before."""
        return self._known.get(source)

    def remember(self, source: str, sent: Sent) -> None:
        """Note that an image was checked; ``flush`` makes sure that later loads know it too."""
        self._known[source] = sent
        with self._lock:
            self._fresh.append(orjson.dumps({"version": _VERSION, "source": source, **asdict(sent)}) + b"\n")
            full = len(self._fresh) >= _LINES
        if full:
            self.flush()

    def flush(self) -> None:
        """Write what was noted. A folder that cannot be written only costs the next load its time."""
        with self._lock, suppress(OSError):
            lines, self._fresh = self._fresh, []
            if not lines:
                return
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            # One write to a file opened for appending: lines of two processes do not mix.
            handle = os.open(self._list, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
            try:
                os.write(handle, b"".join(lines))
            finally:
                os.close(handle)

    def find(self, sent: Sent) -> Path | None:
        """Return the file that holds these bytes, if it is there and whole."""
        path = self._path(sent)
        with suppress(OSError):
            return path if path.stat().st_size == sent.size else None
        return None

    def put(self, sent: Sent, data: bytes) -> Path:
        """Keep ``data``. Raises ``BadInput`` if the folder cannot be written."""
        path = self._path(sent)
        try:
            _write(path, data)
        except OSError as error:
            advice = f"name another folder {self._named_by}"
            reason = error.strerror or error
            raise BadInput(f"{self._folder}: images cannot be kept there: {reason}; {advice}.") from error
        return path

    def _path(self, sent: Sent) -> Path:
        return self._folder / "images" / sent.sha256[:2] / f"{sent.sha256}.{_ENDING[sent.media_type]}"


def _write(path: Path, data: bytes) -> None:
    """Write a file, and the folders that it lies in if they are not there. Raises ``OSError``."""
    try:
        write_whole(path, data)
    except FileNotFoundError:
        for folder in reversed(path.parents[:3]):  # each by itself: a mode is given to the last of a path alone
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        write_whole(path, data)


def _read(path: Path) -> dict[str, Sent]:
    known: dict[str, Sent] = {}
    with suppress(OSError):
        for line in path.read_bytes().splitlines():
            with suppress(ValueError, KeyError, TypeError):
                known.update(_entry(orjson.loads(line)))
    return known


def _entry(line: dict[str, object]) -> dict[str, Sent]:
    """Return what one line says. Raises ``ValueError``, ``KeyError`` or ``TypeError`` if that cannot be believed."""
    sha256, media_type, size = line["sha256"], line["media_type"], line["size"]
    if line["version"] != _VERSION or media_type not in _ENDING:
        raise ValueError("another version")
    if not isinstance(sha256, str) or not isinstance(media_type, str) or not isinstance(size, int):
        raise TypeError("not what was written")
    if len(bytes.fromhex(sha256)) != 32:  # noqa: PLR2004 - bytes of a SHA-256
        raise ValueError("no digest")
    return {str(line["source"]): Sent(sha256, intern(media_type), size, str(line.get("note", "")))}
