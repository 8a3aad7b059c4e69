"""A private folder for as long as a command reads patients' images; what a killed one leaves, the next one removes."""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.purging import CACHE
from clinhallu_gate.private import demand_own, demand_private, private_folder


@contextmanager
def passing_folder(file: Path) -> Iterator[Path]:
    """Give ``FILE.private`` for drawn images and fetched studies, and remove it in the end.

    A command that was killed leaves it: ``purge FILE`` removes it then, or the same command. Another one at the same
    time waits for it.

    Raises:
        BadInput: There is such a folder that others may enter, or that holds anything else.
        OSError: It cannot be made.
    """
    folder = private_folder(file)
    handle = _held(folder)
    try:
        demand_own(folder, str(folder))
        others = sorted(entry.name for entry in folder.iterdir() if entry.name not in CACHE)
        if others:
            raise BadInput(f"{folder}: holds more than images that a killed command left ({others[0]}); move it away.")
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(handle)


@contextmanager
def cache_or_passing(named: Path | None, file: Path) -> Iterator[Path]:
    """Give the private cache that somebody named; if nobody did, ``FILE.private`` for as long as it is needed.

    Raises ``BadInput`` as ``demand_private`` and ``passing_folder`` do, or if the folder cannot be made.
    """
    if named is not None:
        demand_private(named)
        yield named
        return
    with ExitStack() as stack:
        try:
            made = stack.enter_context(passing_folder(file))
        except OSError as error:
            raise BadInput(f"{file.parent}: cannot be written: {error.strerror or error}.") from None
        yield made


def _held(folder: Path) -> int:
    """Make a folder, or take the one that is there as soon as nobody else works in it; return what holds it."""
    while True:
        folder.mkdir(mode=0o700, exist_ok=True)
        handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        fcntl.flock(handle, fcntl.LOCK_EX)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), folder.lstat()):
                return handle
        os.close(handle)  # whoever held it has removed it
