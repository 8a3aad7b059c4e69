"""Runs a scripted server in a thread or in a process of its own."""

import asyncio
import multiprocessing
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPConnection
from multiprocessing.connection import Connection
from typing import Any, Final, Self

import orjson

from clinhallu_gate._scripted.protocol import STATS_PATH, Script, ScriptedProtocol, Tally
from clinhallu_gate._scripted.script import FaultPlan, LatencyModel, ReplyScript

_START_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Stats:
    """What a scripted server has counted of its chat completions."""

    requests: int
    """All of them, whatever became of them."""
    max_in_flight: int
    counts: Mapping[str, int]
    """How often each request (by ``Request.digest``) arrived: its attempts."""
    finished: Mapping[str, int]
    """How often each request got a whole reply."""
    bodies: list[dict[str, Any]]
    """Parsed bodies in order of arrival, with ``record=True``."""


class ScriptedServer:
    """A real OpenAI-compatible HTTP server on loopback that says what a test wants it to say.

    >>> with ScriptedServer(reply="[Answer] yes", model="m") as server:
    ...     server.base_url.startswith("http://127.0.0.1:")
    True

    It serves ``/health``, ``/v1/models`` and ``/v1/chat/completions`` (without streaming), some thousand requests a
    second. A request for another model than ``model`` is a 404, as with vLLM.

    Args:
        reply: The reply to every request, or a function of the ``Request``. An exception in it is answered with
            status 400 and its text, which ends a run.
        model: The name under which the model is served.
        latency: Seconds until the answer, as a function of the ``Request``; None answers at once.
        faults: ``plan(request, attempt)`` returns a ``Fault`` or None; ``attempt`` counts from 1 how often this very
            request arrived. ``ShareOfFaults`` is a ready plan.
        record: Keep every parsed body for ``stats().bodies``.
        process: Serve from a process of its own (spawned; it ends with this one, even by SIGKILL), so that client and
            server do not share an interpreter. All functions given must then be importable, and the caller's main
            module guarded by ``if __name__ == "__main__"``.
        port: 0 takes a free one.
        api_key: Asked for as a bearer token; without it the answer is a 401.
    """

    def __init__(
        self,
        *,
        reply: ReplyScript,
        model: str = "scripted",
        latency: LatencyModel | None = None,
        faults: FaultPlan | None = None,
        record: bool = False,
        process: bool = False,
        port: int = 0,
        api_key: str | None = None,
    ) -> None:
        self.model = model
        self._script = Script(reply, model, latency, faults, record, api_key)
        self._process = process
        self._port = port
        self._stop: Callable[[], None] | None = None

    def __enter__(self) -> Self:
        ours, theirs = multiprocessing.Pipe()
        task: threading.Thread | multiprocessing.process.BaseProcess
        if self._process:
            spawn = multiprocessing.get_context("spawn")
            task = spawn.Process(target=_run, args=(self._script, self._port, theirs), daemon=True)
        else:
            task = threading.Thread(target=_run, args=(self._script, self._port, theirs), daemon=True)
        task.start()
        if self._process:
            theirs.close()  # so that only the server holds it, and its death shows here as the end of the file
        self._stop = lambda: _stop(ours, task)
        self._port = self._started(ours)
        return self

    def _started(self, ours: Connection) -> int:
        try:
            answer = ours.recv() if ours.poll(_START_S) else f"no sign of life within {_START_S:g} s"
        except EOFError:
            answer = "it ended at once; its functions must be importable, and the main module guarded"
        if isinstance(answer, int):
            return answer
        self.close()
        raise RuntimeError(f"the scripted server did not start: {answer}")

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop serving and break all connections, as a server that dies does. May be called twice."""
        if self._stop is not None:
            self._stop()
            self._stop = None

    @property
    def base_url(self) -> str:
        """``http://127.0.0.1:PORT``."""
        return f"http://127.0.0.1:{self._port}"

    def stats(self) -> Stats:
        """Return what was counted so far."""
        connection = HTTPConnection("127.0.0.1", self._port, timeout=30)
        try:
            connection.request("GET", STATS_PATH)
            return Stats(**orjson.loads(connection.getresponse().read()))
        finally:
            connection.close()

    @property
    def requests(self) -> int:
        """The number of chat completions asked so far."""
        return self.stats().requests

    @property
    def max_in_flight(self) -> int:
        """The most that were being answered at once."""
        return self.stats().max_in_flight

    @property
    def bodies(self) -> list[dict[str, Any]]:
        """The parsed bodies so far, with ``record=True``."""
        return self.stats().bodies


def _stop(ours: Connection, task: threading.Thread | multiprocessing.process.BaseProcess) -> None:
    with suppress(OSError):
        ours.send("stop")
    task.join()
    ours.close()


def _run(script: Script, port: int, owner: Connection) -> None:
    """Serve until the owner says stop, or is gone."""
    with suppress(KeyboardInterrupt):  # Ctrl-C reaches the whole group; the owner decides
        asyncio.run(_serve(script, port, owner))


async def _serve(script: Script, port: int, owner: Connection) -> None:
    loop = asyncio.get_running_loop()
    tally = Tally()
    live: set[ScriptedProtocol] = set()
    try:
        server = await loop.create_server(
            lambda: ScriptedProtocol(script, tally, live), "127.0.0.1", port, backlog=1024
        )
    except OSError as error:
        owner.send(str(error))
        return
    stopped = asyncio.Event()
    loop.add_reader(owner.fileno(), stopped.set)
    owner.send(server.sockets[0].getsockname()[1])
    await stopped.wait()
    loop.remove_reader(owner.fileno())
    server.close()
    if accepting := asyncio.all_tasks() - {asyncio.current_task()}:  # connections that are accepted but not yet made
        await asyncio.wait(accepting)
    for connection in list(live):
        connection.abort()
    await asyncio.sleep(0)  # lets the connections hear of it
    owner.close()
