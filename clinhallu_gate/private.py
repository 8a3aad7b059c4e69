"""The private folder of a run: beside its run folder and for its owner alone, it keeps what others must not see."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_OTHERS: Final = 0o077


def private_folder(run_dir: Path) -> Path:
    """Return where a run keeps texts and pixels that may not lie in ``run_dir``: ``RUN.private``."""
    named = run_dir if run_dir.name not in ("", "..") else run_dir.resolve()
    return named.with_name(f"{named.name}.private")


def kept(run_dir: Path, name: str) -> Path:
    """Return where a finished run keeps the file ``name`` with all its texts; it may not exist."""
    apart = private_folder(run_dir) / name
    return apart if apart.exists() else run_dir / name


def make_private(folder: Path) -> None:
    """Make a folder that only its owner may enter, or see to it that this one is. Raises ``OSError``."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)


@contextmanager
def for_owner_alone(*, wanted: bool = True) -> Iterator[None]:
    """Let whatever the process makes within the block be readable by its owner alone."""
    if not wanted:
        yield
        return
    before = os.umask(_OTHERS)
    try:
        yield
    finally:
        os.umask(before)
