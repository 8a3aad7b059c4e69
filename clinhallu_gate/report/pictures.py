"""The pictures of a report, drawn once each, while the evaluation goes on."""

import os
from collections.abc import Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Lock
from typing import Final

from clinhallu_gate.records import Image
from clinhallu_gate.report.images import CannotBeShown, draw
from clinhallu_gate.report.model import Picture

ASSETS: Final = "report_assets"
"""Folder beside a page that would be too large by itself."""
PICTURES: Final = "pictures"
"""Folder in it."""
_WORKERS: Final = 2
"""Threads: Pillow lets go of the interpreter while it decodes, shrinks and encodes."""
_DIGITS: Final = 20
"""Of an image's SHA-256, in the name of its picture."""


class Pictures:
    """Draws images into a folder. What a killed run has drawn there is drawn again, to the same bytes."""

    def __init__(self, folder: Path, *, for_owner_alone: bool = False) -> None:
        self.folder = folder
        self._rights = (0o700, 0o600) if for_owner_alone else (0o777, 0o666)
        """Of the folder and of a file in it, as far as the process's mask lets them be."""
        self._drawn: dict[str, Future[Picture]] = {}
        self._lock = Lock()
        self._pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="pictures")

    def begin(self, images: Iterable[Image]) -> None:
        """Draw ``images`` in the background, in this order."""
        for image in images:
            self._begun(image)

    def of(self, image: Image) -> Picture:
        """Return the picture of ``image``, once it is drawn."""
        return self._begun(image).result()

    def close(self) -> None:
        """Draw nothing more."""
        self._pool.shutdown(cancel_futures=True)

    def _begun(self, image: Image) -> "Future[Picture]":
        with self._lock:
            if image.sha256 not in self._drawn:
                self._drawn[image.sha256] = self._pool.submit(self._draw, image)
            return self._drawn[image.sha256]

    def _draw(self, image: Image) -> Picture:
        try:
            drawn = draw(image)
        except CannotBeShown as error:
            return Picture(name=None, trouble=str(error))
        name = f"{image.sha256[:_DIGITS]}{drawn.suffix}"
        for_folder, for_file = self._rights
        self.folder.parent.mkdir(for_folder, parents=True, exist_ok=True)
        self.folder.mkdir(for_folder, exist_ok=True)
        with os.fdopen(os.open(self.folder / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, for_file), "wb") as file:
            file.write(drawn.data)
        return Picture(name=name, width=drawn.width, height=drawn.height)
