"""What says that the hub cannot be asked, whichever HTTP library is below it."""

from importlib import import_module
from importlib.util import find_spec

#: Libraries that huggingface_hub has used since their errors are no ``OSError`` (those of ``requests`` are).
_LIBRARIES = ("httpx", "httpx2")


def hub_faults() -> tuple[type[Exception], ...]:
    """Return the errors to catch: offline, refused, not reached."""
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415 - takes 0.3 s to import

    theirs: list[type[Exception]] = [import_module(name).HTTPError for name in _LIBRARIES if find_spec(name)]
    return (OfflineModeIsEnabled, HfHubHTTPError, OSError, *theirs)
