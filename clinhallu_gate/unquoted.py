"""What may be said of an error that holds texts of patients: its kind and its place, and nothing that it says."""

import os
from pathlib import Path
from traceback import walk_tb
from typing import Final

NOT_SHOWN: Final = "what it says is not shown, as it may be of patients"
_PACKAGE: Final = Path(__file__).parent


def place_of(error: BaseException) -> str:
    """Return the kind of an error and the line of this package that it came through last: ``KeyError in trace.py:80``.

    Of several errors at once it is the first; what the system calls one, as for a full disk, quotes nobody.
    """
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    ours = [
        f"{Path(frame.f_code.co_filename).relative_to(_PACKAGE).as_posix()}:{line}"
        for frame, line in walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).is_relative_to(_PACKAGE)
    ]
    kind = type(error).__name__
    if isinstance(error, OSError) and error.errno is not None:
        kind += f" ({os.strerror(error.errno)})"
    return f"{kind}{f' in {ours[-1]}' if ours else ''}"
