"""What is asked of a DICOMweb server: the series of a study, the instances of a series, and instances themselves."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import BytesIO
from typing import Any, Final, TypeVar

import pydicom
import requests
from dicomweb_client.api import DICOMwebClient

from clinhallu_gate.datasets.check import is_uid
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.dicomweb.faults import CREDENTIALS, Fault, ServerUnusable
from clinhallu_gate.datasets.dicomweb.session import RETRIED, ArchiveSession
from clinhallu_gate.datasets.dicomweb.uids import InstancePlace, SeriesPlace

#: A page of a list, and the most entries: the longest series of a CT or MR study has some thousand instances.
_PAGE: Final = 1000
_MOST: Final = 20_000
_STUDY, _SERIES, _SOP = "0020000D", "0020000E", "00080018"
_DENIED: Final = (401, 403)
_ABSENT: Final = (404, 410)
#: What the client library and pydicom raise on answers that are none.
_BROKEN: Final = (
    *(ValueError, KeyError, IndexError, TypeError, AttributeError, NotImplementedError, EOFError, OSError),
    *(pydicom.errors.InvalidDicomError, RecursionError, OverflowError, MemoryError),
)
_NO_FILE: Final = "sent what is no DICOM file"
Answer = TypeVar("Answer")


class Server:
    """A DICOMweb server. Threads may share it."""

    def __init__(self, url: str, session: ArchiveSession) -> None:
        self._client = DICOMwebClient(url, session=session)
        self._client.set_http_retry_params(retry=False)  # the session knows better what may be tried again

    def series_of(self, study: str) -> tuple[str, ...]:
        """Return the UIDs of a study's series. Raises ``Fault`` or ``ServerUnusable``."""
        return self._listed(
            lambda offset: self._client.search_for_series(study, limit=_PAGE, offset=offset), {_STUDY: study}, _SERIES
        )

    def instances_of(self, place: SeriesPlace) -> tuple[str, ...]:
        """Return the UIDs of a series' instances. Raises ``Fault`` or ``ServerUnusable``."""
        return self._listed(
            lambda offset: self._client.search_for_instances(place.study, place.series, limit=_PAGE, offset=offset),
            {_STUDY: place.study, _SERIES: place.series},
            _SOP,
        )

    def instance(self, place: InstancePlace) -> bytes:
        """Return an instance as a file, in the transfer syntax that the server has. Raises as above."""
        within = place.within
        found = _asked(lambda: self._client.retrieve_instance(within.study, within.series, place.sop))
        sent = [found.get(name) for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")]
        if sent == [None, None, None]:
            raise Fault(_NO_FILE)
        if sent != [within.study, within.series, place.sop]:
            raise Fault("sent another study, series or instance than was asked for")
        return _asked(lambda: _as_file(found))

    def _listed(self, page: Callable[[int], list[Any]], asked: Mapping[str, str], wanted: str) -> tuple[str, ...]:
        """Gather a list page by page; a server that pages otherwise, or not at all, repeats itself and so ends it."""
        found: dict[str, None] = {}
        while len(found) <= _MOST:
            entries = _asked(lambda: page(len(found)))
            fresh = [uid for uid in _uids(entries, asked, wanted) if uid not in found]
            if not fresh:
                return tuple(found)
            found.update(dict.fromkeys(fresh))
            if len(entries) < _PAGE:
                return tuple(found)
        raise Fault(f"lists more than {_MOST:,} entries")


def _uids(entries: object, asked: Mapping[str, str], wanted: str) -> Iterator[str]:
    """Yield the ``wanted`` UID of each entry. Raises ``Fault`` if an entry is of something else, or has none."""
    if not isinstance(entries, Sequence):
        raise Fault("lists what is no list")
    for entry in entries:
        if any(_value(entry, tag) not in (None, uid) for tag, uid in asked.items()):
            raise Fault("lists what is of another study or series")
        found = _value(entry, wanted)
        if not is_uid(found):
            raise Fault("lists an entry without a valid UID")
        yield str(found)


def _value(entry: object, tag: str) -> object:
    """Return the one value of an attribute in DICOM's JSON; None if it is not there."""
    element = entry.get(tag) if isinstance(entry, dict) else None
    values = element.get("Value") if isinstance(element, dict) else None
    return values[0] if isinstance(values, list) and len(values) == 1 else None


def _asked(ask: Callable[[], Answer]) -> Answer:
    """Ask, and turn what goes wrong into our own words: theirs hold addresses, and so UIDs."""
    try:
        return ask()
    except requests.HTTPError as error:
        raise _refused(error.response.status_code if error.response is not None else 0) from None
    except requests.RequestException:
        raise Fault("replies with what is no DICOM JSON") from None
    except _BROKEN:
        raise Fault(_NO_FILE) from None


def _refused(status: int) -> Fault | ServerUnusable:
    if status in _DENIED:
        return ServerUnusable(f"does not let us in (HTTP {status}); {CREDENTIALS}")
    if status in _ABSENT:
        return Fault(f"has no such study, series or instance (HTTP {status})")
    return Fault(f"replies with HTTP {status}", strained=status in RETRIED)


def _as_file(found: pydicom.Dataset) -> bytes:
    """Return the bytes of a file: values as they came, as nothing but UIDs was looked at."""
    buffer = BytesIO()
    pydicom.dcmwrite(buffer, found, enforce_file_format=True)
    return buffer.getvalue()


@contextmanager
def unlogged() -> Iterator[None]:
    """Keep what the libraries log about requests, which holds UIDs, from whoever listens. Not for worker threads."""
    loggers = [logging.getLogger(name) for name in ("dicomweb_client", "urllib3", "retrying")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        with quiet():
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
