"""What is raised for a DICOM file of which no picture can be made."""

from collections.abc import Iterator
from contextlib import contextmanager


class NotDrawable(Exception):
    """A file or frame of which no picture can be made.

    The message follows the file's name ("has no pixel data"). It holds no value that a header may owe to a patient:
    numbers of the image modules, and names of closed sets, but no text.
    """


@contextmanager
def reading(keyword: str) -> Iterator[None]:
    """Refuse an attribute that cannot be read, whatever pydicom raises for it, and drop its value with the cause."""
    try:
        yield
    except NotDrawable:
        raise
    except Exception:  # noqa: BLE001 - pydicom converts values when asked, and raises a dozen types for bad ones
        raise NotDrawable(f"has a malformed {keyword}") from None
