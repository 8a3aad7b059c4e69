"""A DICOMweb server of a few lines, each of whose replies a test may twist."""

import json
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from pathlib import Path
from typing import Final, Self

from pydicom import FileDataset, dcmwrite

from clinhallu_gate._scripted.phantom_dicom import PhantomStudy

BOUNDARY: Final = "the-boundary"
_UIDS: Final = {"0020000D": "StudyInstanceUID", "0020000E": "SeriesInstanceUID", "00080018": "SOPInstanceUID"}


@dataclass(frozen=True)
class Asked:
    """A request."""

    path: str
    headers: dict[str, str]
    attempt: int
    """How often this path was asked for, from 1."""

    @property
    def is_instance(self) -> bool:
        """Whether a file is asked for, and no list."""
        return "/instances/" in self.path


@dataclass(frozen=True)
class Sent:
    """A reply."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    """What the header says; None is the truth, -1 says nothing."""
    pause_s: float = 0.0
    """After each byte of head and body, from ``drip_from`` on."""
    drips_head: bool = False


Twist = Callable[[Asked, Sent], Sent | None]


def multipart(data: bytes, *, closing: bool = True) -> bytes:
    """Return a file as the body of a reply."""
    head = f"--{BOUNDARY}\r\nContent-Type: application/dicom\r\n\r\n".encode()
    return head + data + (f"\r\n--{BOUNDARY}--".encode() if closing else b"")


def file_of(instance: FileDataset) -> bytes:
    """Return an instance as a file."""
    buffer = BytesIO()
    dcmwrite(buffer, instance, enforce_file_format=True)
    return buffer.getvalue()


def answer(entries: Iterable[dict[str, object]], status: int = 200) -> Sent:
    """Return a list in DICOM's JSON."""
    return Sent(json.dumps(list(entries)).encode(), status, {"Content-Type": "application/dicom+json"})


def part(data: bytes) -> Sent:
    """Return a file as a server sends it."""
    return Sent(
        multipart(data), 200, {"Content-Type": f'multipart/related; type="application/dicom"; boundary={BOUNDARY}'}
    )


def entry(**uids: str) -> dict[str, object]:
    """Return an entry of a list."""
    tags = {name: tag for tag, name in _UIDS.items()}
    return {tags[name]: {"vr": "UI", "Value": [uid]} for name, uid in uids.items()}


class TwistedArchive:
    """Serves studies on loopback; ``twist`` is asked for each reply (None closes the connection without one)."""

    def __init__(self, studies: Sequence[PhantomStudy]) -> None:
        self.studies = tuple(studies)
        self.asked: list[Asked] = []
        self.twist: Twist = lambda _, sent: sent
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def speak_tls(self, certificate: Path) -> None:
        """Speak TLS from now on, with a key and a certificate that one file holds."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    @property
    def port(self) -> int:
        """Return where it listens."""
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        """Return where its services are."""
        return f"http://127.0.0.1:{self.port}/dicom-web"

    @property
    def paths(self) -> list[str]:
        """Return what was asked for, without queries."""
        return [asked.path for asked in self.asked]

    @cached_property
    def _files(self) -> tuple[FileDataset, ...]:
        return tuple(file for study in self.studies for file in study.files)

    def reply(self, asked: Asked) -> Sent:
        """Return what an honest server would send."""
        _, _, *steps = asked.path.strip("/").split("/")
        named = dict(zip(_UIDS.values(), steps[0::2], strict=False))
        found = [file for file in self._files if all(str(file[name].value) == uid for name, uid in named.items())]
        if asked.is_instance:
            return part(file_of(found[0])) if found else Sent(status=404)
        wanted = tuple(_UIDS.values())[: len(steps[0::2]) + 1]
        return answer(
            {json.dumps(e): e for f in found for e in [entry(**{n: str(f[n].value) for n in wanted})]}.values()
        )

    def send(self, asked: Asked) -> Sent | None:
        """Note what is asked, and return what is sent."""
        with self._lock:
            asked = replace(asked, attempt=self.paths.count(asked.path) + 1)
            self.asked.append(asked)
        return self.twist(asked, self.reply(asked))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        archive = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                """Answer."""
                path = self.path.partition("?")[0]
                sent = archive.send(Asked(path, dict(self.headers.items()), 0))
                self.close_connection = sent is None or sent.length is not None or sent.pause_s > 0
                if sent is not None:
                    self._write(sent)

            def _write(self, sent: Sent) -> None:
                length = len(sent.body) if sent.length is None else sent.length
                lines = [f"HTTP/1.1 {sent.status} X", *(f"{name}: {value}" for name, value in sent.headers.items())]
                lines += [f"Content-Length: {length}"] if length >= 0 else ["Connection: close"]
                head = ("\r\n".join(lines) + "\r\n\r\n").encode()
                try:
                    for data, drips in ((head, sent.drips_head), (sent.body, not sent.drips_head)):
                        for piece in _pieces(data, one_by_one=sent.pause_s > 0 and drips):
                            self.wfile.write(piece)
                            time.sleep(sent.pause_s if drips else 0)
                except OSError:
                    self.close_connection = True

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        return Handler


def _pieces(data: bytes, *, one_by_one: bool) -> Iterator[bytes]:
    if one_by_one:
        yield from (bytes([byte]) for byte in data)
    else:
        yield data
