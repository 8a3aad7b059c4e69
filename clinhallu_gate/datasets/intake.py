"""From pictures to checked images: each read once, in a few threads, and never many in memory."""

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol, TypeVar

from clinhallu_gate.datasets.cache import ImageCache, Sent
from clinhallu_gate.datasets.pixels import Unreadable, look, quiet
from clinhallu_gate.datasets.problems import quoted
from clinhallu_gate.errors import BadInput
from clinhallu_gate.keeping import Keeper
from clinhallu_gate.records import Image

#: Bytes of one file; an uncompressed image of the most pixels allowed, at 16 bits and three colours, has 240 MB.
MAX_BYTES: Final = 256 * 2**20
_THREADS: Final = min(4, os.cpu_count() or 1)
_IN_WORK: Final = 2 * _THREADS
_CHUNK: Final = 32
_CHUNK_BYTES: Final = 4 * 2**20
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Picture:
    """One image as its source has it: a file, bytes, or the reason why there is none."""

    name: str
    """As rows name it."""
    path: Path | None = None
    data: bytes | None = None
    trouble: str = ""


class Pictures(Protocol):
    """Where the images of a data set are."""

    def each(self, names: Iterable[str]) -> Iterator[Picture]:
        """Yield a picture for each of ``names``, in any order, one after the other."""

    def doubt(self, question: str, index: str | None, names: tuple[str, ...]) -> str | None:
        """Say why the images cannot be those of the row with this question and original index, once ``each`` ran."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An image that cannot be used, and why."""

    trouble: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """An image that was drawn, and what was noted of how."""

    image: Image
    note: str


class Intake:
    """Checks images, and keeps those that had to be redrawn or unpacked in its cache."""

    def __init__(self, cache: ImageCache) -> None:
        self._cache = cache

    def take_all(self, pictures: Iterable[Picture]) -> Generator[tuple[str, Image | Refused], None, None]:
        """Check each picture; yield its name and what is sent for it.

        It is to be closed if not all of it is taken: it has threads of its own. Raises ``BadInput`` if the cache is
        unusable.
        """
        try:
            with quiet(), ThreadPoolExecutor(_THREADS) as pool:
                for taken in _windowed(pool, self._some, _chunks(pictures)):
                    yield from taken
        finally:
            self._cache.flush()

    def drawn(self, key: str) -> Drawing | None:
        """Return what was drawn before under ``key``, a digest of all that decides it."""
        sent = self._cache.known(key)
        path = sent and self._cache.find(sent)
        return Drawing(_image(sent, path), sent.note) if sent and path else None

    def keep(self, key: str, png: bytes, note: str) -> Drawing:
        """Keep an 8-bit PNG that was drawn, with a note on how. Raises ``BadInput`` if the cache is unusable."""
        sent = Sent(hashlib.sha256(png).hexdigest(), "image/png", len(png), note)
        path = self._cache.find(sent) or self._cache.put(sent, png)
        self._cache.remember(key, sent)
        return Drawing(_image(sent, path), note)

    def flush(self) -> None:
        """Make sure that later loads know what was kept."""
        self._cache.flush()

    def _some(self, pictures: list[Picture]) -> list[tuple[str, Image | Refused]]:
        return [(picture.name, self._take(picture)) for picture in pictures]

    def _take(self, picture: Picture) -> Image | Refused:
        if picture.trouble:
            return Refused(picture.trouble)
        try:
            data = picture.data if picture.path is None else _bytes(picture.path)
            return self._checked(data or b"", picture.path)
        except OSError as error:
            return Refused(f"cannot be read: {error.strerror or quoted(error)}")
        except Unreadable as error:
            return Refused(str(error))

    def _checked(self, data: bytes, path: Path | None) -> Image:
        source = hashlib.sha256(data).hexdigest()
        sent, redrawn = self._cache.known(source), None
        if sent is None or (sent.sha256 != source and self._cache.find(sent) is None):
            looked = look(data)
            redrawn = looked.redrawn
            digest = hashlib.sha256(redrawn).hexdigest() if redrawn is not None else source
            sent = Sent(digest, looked.media_type, len(data if redrawn is None else redrawn))
            self._cache.remember(source, sent)
        if sent.sha256 != source or path is None:
            path = self._cache.find(sent) or self._cache.put(sent, data if redrawn is None else redrawn)
        return _image(sent, path)


def _image(sent: Sent, path: Path) -> Image:
    return Image(sha256=sent.sha256, media_type=sent.media_type, path=path)


@dataclass(slots=True)
class Intakes:
    """Where images are checked and kept: those of patients apart."""

    shared: Intake
    private: Intake | None
    keeper: Keeper
    """Keeps what is read."""

    def of(self, *, phi: bool) -> Intake:
        """Return the intake. Raises ``BadInput`` for patients' images that have nowhere to go."""
        if not phi:
            return self.shared
        if self.private is None:
            raise BadInput("phi: images of patients are not kept in the shared cache, and no private one was named.")
        return self.private


def _bytes(path: Path) -> bytes:
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise Unreadable(f"has {size / 2**20:.0f} MiB. Valid: at most {MAX_BYTES / 2**20:.0f}")
    return path.read_bytes()


def _chunks(pictures: Iterable[Picture]) -> Iterator[list[Picture]]:
    """Yield pictures in handfuls of bounded size: handing over single ones costs more than small images themselves."""
    chunk: list[Picture] = []
    size = 0
    for picture in pictures:
        chunk.append(picture)
        size += len(picture.data or b"")
        if len(chunk) >= _CHUNK or size >= _CHUNK_BYTES:
            yield chunk
            chunk, size = [], 0
    yield chunk


def _windowed(pool: ThreadPoolExecutor, work: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
    """Map in order, with a bounded number of items in work, so that a long source is never read ahead."""
    waiting: deque[Future[Result]] = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) >= _IN_WORK:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
