"""Names of files (images, reports) as rows give them: relative, and below the folder that they are relative to."""

import re
from pathlib import Path
from typing import Final

from clinhallu_gate.datasets.problems import quoted

_ABSOLUTE: Final = re.compile(r"[/\\]|[A-Za-z]:")
_STEPS: Final = re.compile(r"[/\\]")


class Misplaced(Exception):
    """A name leads to no file that may be read; the message says why."""


def name_trouble(name: str) -> str | None:
    """Say why ``name`` is no name of a file below a folder; None if it is one."""
    if "\0" in name:
        return "holds a NUL"
    if _ABSOLUTE.match(name):
        return "is absolute; files are named relative to their folder"
    if ".." in _STEPS.split(name):
        return "leads out of its folder"
    if "\\" in name:
        return "holds a backslash; folders are set apart by /"
    return None


def file_below(root: Path, name: str) -> Path:
    """Return the file ``name`` below ``root`` (links followed in both).

    Raises ``Misplaced`` if it lies elsewhere, does not exist, or is no regular file (a pipe would be waited for).
    """
    path = place_below(root, name)
    if not path.is_file():
        raise Misplaced("is no file")
    return path


def place_below(root: Path, name: str) -> Path:
    """Return the file or folder ``name`` below ``root``. Raises ``Misplaced`` if it lies elsewhere or is not there."""
    try:
        path = (root / name).resolve()
        if not path.is_relative_to(root):
            raise Misplaced(f"leads out of {root}")
        if not path.exists():
            raise Misplaced(f"does not exist in {root}")
    except (OSError, RuntimeError) as error:  # too long a name; links in a circle
        raise Misplaced(f"cannot be found: {quoted(error)}") from error
    return path
