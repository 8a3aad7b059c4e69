"""Imports gdcm without what an import of it may do to others.

gdcm tries ``import dl`` (a module of Python 2), takes whatever answers for it, even a folder of that name in the
working directory, and fails; and ``import pydicom`` with it. It also brings a zlib of its own: where it is the first
to load the system's, that one calls into gdcm's, and the next PNG that Pillow writes ends the process. So zlib is
loaded before it.
"""

import sys
import zlib  # noqa: F401 - before gdcm, see above
from typing import Final

_GONE: Final = "dl"


def _import_gdcm() -> None:
    hidden = sys.modules.get(_GONE)
    # None makes an import fail, says the import system.
    sys.modules[_GONE] = None  # type: ignore[assignment]
    try:
        import gdcm  # noqa: F401, PLC0415 - for its effect alone: pydicom finds it imported
    finally:
        del sys.modules[_GONE]
        if hidden is not None:
            sys.modules[_GONE] = hidden


_import_gdcm()
