"""HTTP as it is safe to speak it with an archive: bounded in time and size, to one host, past no proxy.

``requests`` bounds the silence between two bytes, not a reply: a byte a minute would hold a run for ever.
"""

import base64
import io
import os
import re
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any, Final, Self

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from clinhallu_gate.datasets.dicomweb.deflated import inflates_beyond
from clinhallu_gate.datasets.dicomweb.faults import PASSWORD, TOKEN, USER, Fault, ServerUnusable
from clinhallu_gate.datasets.intake import MAX_BYTES

CA_BUNDLE: Final = "REQUESTS_CA_BUNDLE"
#: Statuses of a server in trouble, which may be out of it with the next attempt.
RETRIED: Final = frozenset({408, 429, 500, 502, 503, 504})
_CHUNK: Final = 2**20
_ENVELOPE: Final = 2**16
"""Bytes of a multipart reply beside its one part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server may take."""

    connect_s: float = 10.0
    silence_s: float = 60.0
    """Longest wait for the next byte."""
    reply_s: float = 300.0
    """Longest wait for a whole reply."""
    size: int = MAX_BYTES
    """Bytes of a reply."""
    pauses_s: tuple[float, ...] = (0.5, 1.0, 2.0)
    """Before each further attempt, where one may help."""


class ArchiveSession(requests.Session):
    """A session that reads each reply whole, tries again where that may help, and follows no redirection.

    Threads may share it. Making one raises ``ServerUnusable`` if the environment does not fit.
    """

    def __init__(self, limits: Limits, *, threads: int, sleep: Callable[[float], None] = time.sleep) -> None:
        super().__init__()
        self._limits = limits
        self._sleep = sleep
        self._most = limits.size + _ENVELOPE
        self._too_large = f"replies with more than {limits.size / 2**20:g} MiB"
        # Not of the environment: proxies, which would learn what is asked about whom, and passwords of ~/.netrc.
        self.trust_env = False
        self.verify = _authority() or True
        self.headers["Accept-Encoding"] = "identity"
        if who := _who_asks():
            self.headers["Authorization"] = who
        for scheme in ("http://", "https://"):
            self.mount(scheme, _Adapter(pool_maxsize=threads))

    def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:  # noqa: ANN401 - requests' own
        """Send a request. Raises ``Fault`` or ``ServerUnusable`` if no whole reply comes."""
        request.headers.pop("Host", None)  # dicomweb-client leaves the port away there
        kwargs |= {
            "allow_redirects": False,
            "stream": True,
            "timeout": (self._limits.connect_s, self._limits.silence_s),
        }
        for pause in self._limits.pauses_s:
            try:
                response = self._reply(request, kwargs)
            except _Passing:
                pass
            else:
                if response.status_code not in RETRIED:
                    return response
            self._sleep(pause)
        try:
            return self._reply(request, kwargs)
        except _Passing as error:
            if error.connected:
                raise Fault(str(error), strained=True) from None
            raise ServerUnusable(str(error)) from None

    def _reply(self, request: requests.PreparedRequest, kwargs: dict[str, Any]) -> requests.Response:
        with _Watch(self._limits.reply_s) as watch:
            try:
                with super().send(request, **kwargs) as response:
                    return self._whole(response)
            except requests.exceptions.SSLError:
                raise ServerUnusable(
                    f"has no certificate that is trusted here; name your own authority's file in {CA_BUNDLE}"
                ) from None
            except (requests.RequestException, HTTPError, OSError, ValueError):
                # Their words hold the address that was asked for, and so UIDs.
                if watch.over:
                    raise Fault(f"did not reply in full within {self._limits.reply_s:g} s", strained=True) from None
                state = "broke off its reply or was silent" if watch.socket else "cannot be reached"
                raise _Passing(state, connected=watch.socket is not None) from None

    def _whole(self, response: requests.Response) -> requests.Response:
        """Read the body, and let the response hold it. Raises ``Fault`` for what is too large or leads elsewhere."""
        if response.is_redirect:
            raise Fault("leads elsewhere (a redirection), which is not followed")
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise Fault("compresses its reply, which was not asked for")
        if int(response.headers.get("Content-Length", 0)) > self._most:
            raise Fault(self._too_large)
        body = io.BytesIO()
        for chunk in response.iter_content(_CHUNK):
            if body.tell() + len(chunk) > self._most:
                raise Fault(self._too_large)
            body.write(chunk)
        if response.ok:
            _demand_end(response.headers.get("Content-Type", ""), body.getbuffer())
            if inflates_beyond(body.getbuffer(), self._limits.size):
                raise Fault(self._too_large)
        body.seek(0)
        whole = requests.Response()
        whole.status_code, whole.headers, whole.reason = response.status_code, response.headers, ""
        whole.raw = body
        return whole


def _authority() -> str | None:
    """Return the file of the authority that signs servers' certificates; None for the usual ones."""
    named = os.environ.get(CA_BUNDLE)
    if named and not Path(named).exists():
        raise ServerUnusable(f"cannot be trusted: {CA_BUNDLE} names {named}, which does not exist")
    return named


def _who_asks() -> str | None:
    """Return what a server is told of who asks; None if the environment does not say."""
    if token := os.environ.get(TOKEN, "").strip():
        if not re.fullmatch(r"[!-~]+", token):
            raise ServerUnusable(f"cannot be asked: {TOKEN} holds what no token has")
        return f"Bearer {token}"
    user = os.environ.get(USER)
    pair = f"{user}:{os.environ.get(PASSWORD, '')}".encode()
    return f"Basic {base64.b64encode(pair).decode()}" if user else None


class _Passing(Exception):
    """A fault that may be gone with the next attempt."""

    def __init__(self, text: str, *, connected: bool) -> None:
        super().__init__(text)
        self.connected = connected


def _demand_end(content_type: str, body: memoryview) -> None:
    """See to it that a multipart body has its end. Raises ``_Passing``."""
    header = Message()
    header["Content-Type"] = content_type
    boundary = header.get_boundary()
    if boundary and f"--{boundary}--".encode() not in bytes(body[-(len(boundary) + _CLOSING) :]):
        raise _Passing("broke off its reply", connected=True)


_CLOSING: Final = 1024
"""Bytes behind which a multipart body's end is looked for, beside the boundary."""


class _Watch:
    """Ends the connection of a request that takes too long, wherever it waits."""

    _of_thread: Final = threading.local()

    def __init__(self, seconds: float) -> None:
        self.over = False
        self.socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def __enter__(self) -> Self:
        self._of_thread.watch = self
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.over = True
        with suppress(OSError):
            if self.socket is not None:
                self.socket.shutdown(socket.SHUT_RDWR)

    @classmethod
    def see(cls, found: socket.socket | None) -> None:
        """Note the connection that this thread's request goes over."""
        cls._of_thread.watch.socket = found


class _Connection(HTTPConnection):
    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's own
        """Read a reply's head."""
        _Watch.see(self.sock)
        return super().getresponse()


class _SecureConnection(HTTPSConnection):
    def getresponse(self) -> Any:  # noqa: ANN401 - urllib3's own
        """Read a reply's head."""
        _Watch.see(self.sock)
        return super().getresponse()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _SecurePool(HTTPSConnectionPool):
    ConnectionCls = _SecureConnection


class _Adapter(HTTPAdapter):
    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:  # noqa: ANN401 - requests' own
        """Let connections be ones that can be watched."""
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _SecurePool}
