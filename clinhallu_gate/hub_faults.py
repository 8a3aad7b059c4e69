"""What says that the hub cannot be asked, whichever HTTP library is below it."""

from importlib.util import find_spec


def hub_faults() -> tuple[type[Exception], ...]:
    """Return the errors to catch: offline, refused, not reached.

    Older versions of huggingface_hub use ``requests``, whose errors are ``OSError``; newer ones ``httpx``, whose errors
    are not.
    """
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled  # noqa: PLC0415 - takes 0.3 s to import

    known: tuple[type[Exception], ...] = (OfflineModeIsEnabled, HfHubHTTPError, OSError)
    if find_spec("httpx") is None:
        return known
    from httpx import HTTPError  # noqa: PLC0415 - as above

    return (*known, HTTPError)
