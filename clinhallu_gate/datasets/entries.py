"""Which entries of a row's ``images`` are DICOM: by what lies there, never by a name alone; pydicom is not needed."""

import os
import stat
from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Final

DICOMDIR: Final = "DICOMDIR"
PREAMBLE: Final = 128
MARK: Final = b"DICM"
"""How files begin (PS3.10 7.1): so many bytes of anything, then this."""
#: What files are called that are meant as DICOM; where such a file is none, its folder or row cannot be used.
_SUFFIXES: Final = (".dcm", ".dicom", ".ima")


class Unusable(Exception):
    """An entry that cannot be used; the message follows the entry's name."""


class Kind(StrEnum):
    """What an entry leads to."""

    FILE = "file"
    FOLDER = "folder"
    MEDIUM = "medium"
    """A ``DICOMDIR``, which lists the files of a medium."""


def kind_of(path: Path) -> Kind | None:
    """Return what lies at ``path``; None if it is no DICOM, or nothing at all."""
    with suppress(OSError, ValueError):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return Kind.FOLDER
        if stat.S_ISREG(mode) and (path.suffix.lower() in _SUFFIXES or has_mark(path)):
            return Kind.MEDIUM if path.name.upper() == DICOMDIR else Kind.FILE
    return None


def has_mark(path: Path) -> bool:
    """Whether a file begins as PS3.10 says: 128 bytes of anything, then ``DICM``. Raises ``OSError``."""
    handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # if it became a pipe meanwhile, nobody waits for it
    try:
        return os.pread(handle, len(MARK), PREAMBLE) == MARK
    finally:
        os.close(handle)
