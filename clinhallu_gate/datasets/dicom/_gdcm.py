"""Imports gdcm, so that a folder called ``dl`` in the working directory does not break it, and pydicom with it.

gdcm tries ``import dl`` (a module of Python 2) and takes whatever answers, even a folder, for it.
"""

import sys
from contextlib import suppress
from typing import Final

_GONE: Final = "dl"


def _import_gdcm() -> None:
    hidden = sys.modules.get(_GONE)
    # None makes an import fail, says the import system.
    sys.modules[_GONE] = None  # type: ignore[assignment]
    try:
        # Without gdcm pydicom says itself which syntaxes it cannot decode.
        with suppress(ImportError):
            import gdcm  # noqa: F401, PLC0415 - for its effect alone: pydicom finds it imported
    finally:
        del sys.modules[_GONE]
        if hidden is not None:
            sys.modules[_GONE] = hidden


_import_gdcm()
