"""The scripted server's HTTP, by hand on ``asyncio.Protocol``, so that a benchmark does not measure the server."""

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson

from clinhallu_gate._scripted.script import (
    Fault,
    FaultPlan,
    LatencyModel,
    ReplyScript,
    Request,
    as_reply,
    described,
    rendered,
    spoil,
)

#: Where the owner of the server reads what it has counted.
STATS_PATH = "/scripted/stats"


@dataclass(frozen=True, slots=True)
class Script:
    """All that a server is told at its start."""

    reply: ReplyScript
    model: str
    latency: LatencyModel | None = None
    faults: FaultPlan | None = None
    record: bool = False
    api_key: str | None = None


@dataclass(slots=True)
class Tally:
    """What a server has counted of its chat completions."""

    requests: int = 0
    in_flight: int = 0
    max_in_flight: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    finished: Counter[str] = field(default_factory=Counter)
    bodies: list[dict[str, Any]] = field(default_factory=list)

    def began(self, request: Request, *, record: bool) -> int:
        """Count a request; return which attempt of the same request it is (the first is 1)."""
        self.requests += 1
        self.counts[request.digest] += 1
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        if record:
            self.bodies.append(request.body)
        return self.counts[request.digest]


class ScriptedProtocol(asyncio.Protocol):
    """One connection: requests one after the other, each with a ``Content-Length``."""

    def __init__(self, script: Script, tally: Tally, live: set["ScriptedProtocol"]) -> None:
        self._script = script
        self._tally = tally
        self._live = live
        self._buffer = bytearray()
        self._head_ends = -1
        self._needed = 0
        self._answering = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what create_server promises
        self._transport = transport
        self._live.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the Protocol's signature
        """Forget the request that was being answered."""
        if self._timer is not None:
            self._timer.cancel()
        self._live.discard(self)
        self._done()

    def abort(self) -> None:
        """Break the connection."""
        self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Collect bytes until a request is whole."""
        self._buffer += data
        while not self._answering and self._whole():
            head = bytes(self._buffer[: self._head_ends])
            body = bytes(self._buffer[self._head_ends : self._needed])
            del self._buffer[: self._needed]
            self._head_ends, self._needed = -1, 0
            self._handle(head, body)

    def _whole(self) -> bool:
        if self._head_ends < 0:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                return False
            self._head_ends = end + 4
            self._needed = self._head_ends + _content_length(bytes(self._buffer[:end]))
        return len(self._buffer) >= self._needed

    def _handle(self, head: bytes, body: bytes) -> None:
        path = head.split(b" ", 2)[1].decode()
        key = self._script.api_key
        if key and path.startswith("/v1/") and f"\r\nAuthorization: Bearer {key}\r\n".encode() not in head:
            self._send_json(401, _error(401, "Unauthorized"))
        elif path == "/v1/chat/completions":
            self._chat(Request(body))
        elif path == "/health":
            self._send(200, b"")
        elif path == "/v1/models":
            self._send_json(200, described(self._script.model))
        elif path == STATS_PATH:
            self._send(200, _stats(self._tally))
        else:
            self._send_json(404, _error(404, f"there is no {path}"))

    def _chat(self, request: Request) -> None:
        try:
            if request.model != self._script.model:
                self._send_json(404, _error(404, f"The model `{request.model}` does not exist."))
                return
            attempt = self._tally.began(request, record=self._script.record)
            self._answering = True
            fault = self._script.faults(request, attempt) if self._script.faults is not None else None
            wait_s = self._script.latency(request) if self._script.latency is not None else None
        except Exception as error:  # noqa: BLE001 - a script's mistake has to reach the test
            self._blame_script(error)
            return
        if wait_s is None:
            self._answer(request, fault)
        else:
            self._timer = asyncio.get_running_loop().call_later(wait_s, self._answer, request, fault)

    def _answer(self, request: Request, fault: Fault | None) -> None:
        self._timer = None
        if fault is not None and fault.kind == "hang":
            return
        if fault is not None and fault.kind == "reset":
            self._reset()
        elif fault is not None and fault.kind == "status":
            self._done()
            self._send_json(fault.status, _error(fault.status, fault.message), retry_after=fault.retry_after)
        else:
            self._reply(request, fault)

    def _reply(self, request: Request, fault: Fault | None) -> None:
        try:
            reply = as_reply(self._script.reply, request)
            whole = orjson.dumps(rendered(reply if fault is None else spoil(reply, fault), request))
        except Exception as error:  # noqa: BLE001 - a script's mistake has to reach the test
            self._blame_script(error)
            return
        self._done()
        if fault is not None and fault.kind == "truncated_body":
            self._send(200, whole[: len(whole) // 2])
        else:
            self._tally.finished[request.digest] += 1
            self._send(200, whole)

    def _blame_script(self, error: Exception) -> None:
        """Answer with a status that no client tries again."""
        self._done()
        self._send_json(400, _error(400, f"the script of the scripted server raised {error!r}"))

    def _done(self) -> None:
        if self._answering:
            self._answering = False
            self._tally.in_flight -= 1
            if self._buffer:  # a client that did not wait for the answer
                asyncio.get_running_loop().call_soon(self.data_received, b"")

    def _reset(self) -> None:
        """Close with RST, as a crashed server's kernel does."""
        raw: socket.socket = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._transport.abort()

    def _send_json(self, status: int, body: Mapping[str, Any], *, retry_after: str | None = None) -> None:
        self._send(status, orjson.dumps(body), retry_after=retry_after)

    def _send(self, status: int, body: bytes, *, retry_after: str | None = None) -> None:
        more = f"Retry-After: {retry_after}\r\n" if retry_after is not None else ""
        head = (
            f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\nContent-Type: application/json\r\n{more}"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        self._transport.write(head.encode() + body)


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            return int(value)
    return 0


def _error(status: int, message: str) -> Mapping[str, Any]:
    return {"error": {"message": message, "type": HTTPStatus(status).phrase, "param": None, "code": status}}


def _stats(tally: Tally) -> bytes:
    return orjson.dumps(
        {
            "requests": tally.requests,
            "max_in_flight": tally.max_in_flight,
            "counts": dict(tally.counts),
            "finished": dict(tally.finished),
            "bodies": tally.bodies,
        }
    )
