"""How commands that deal with many files tell how far they are: on a terminal, and in a log nothing."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

#: How often the number of files is told.
_EVERY: Final = 20


@contextmanager
def counting(what: str) -> Iterator[Callable[[int], None]]:
    """Tell how many files were dealt with."""

    def tell(number: int) -> None:
        if number % _EVERY == 0:
            say_how_far(f"{number:,} files {what}")

    try:
        yield tell
    finally:
        say_how_far("")


def say_how_far(text: str) -> None:
    """Write a line over the last one so written, on a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{text}\x1b[K")
        sys.stderr.flush()
