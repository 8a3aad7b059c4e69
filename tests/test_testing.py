"""The public fakes do what their docstrings say."""

import asyncio
import io
import os
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from http.client import HTTPConnection, RemoteDisconnected
from pathlib import Path
from typing import Any

import orjson
import PIL.Image
import pytest

from clinhallu_gate.records import Call, Completion
from clinhallu_gate.testing import (
    ONE_PIXEL,
    FakeClock,
    Fault,
    Request,
    ScriptedReply,
    ScriptedServer,
    ShareOfFaults,
    a_call,
    a_completion,
    an_instance,
)


def body(text: str = "Why?", **more: object) -> bytes:
    return orjson.dumps({"model": "scripted", "messages": [{"role": "user", "content": text}]} | more)


def post(server: ScriptedServer, raw: bytes, path: str = "/v1/chat/completions") -> tuple[int, Any]:
    """Send one request over a connection of its own; return status and parsed body."""
    connection = HTTPConnection(server.base_url.removeprefix("http://"), timeout=20)
    try:
        connection.request("POST", path, raw)
        reply = connection.getresponse()
        raw = reply.read()
        return reply.status, orjson.loads(raw) if raw else None
    finally:
        connection.close()


def shout(request: Request) -> str:
    return request.text.upper()


def never(request: Request) -> str:
    raise LookupError(request.text)


def test_a_thread_and_a_process_serve_alike() -> None:
    """The reply is a function of the request, wherever the server runs; it knows its model and counts."""
    for process in (False, True):
        with ScriptedServer(reply=shout, process=process, record=True) as server:
            status, reply = post(server, body())
            stats = server.stats()
            assert post(server, b"", "/health") == (200, None)
            assert post(server, b"", "/v1/models")[1]["data"][0]["id"] == "scripted"
            assert post(server, b"", "/nowhere")[0] == 404
            assert post(server, body(model="other"))[1]["error"]["message"] == "The model `other` does not exist."
        assert (status, reply["choices"][0]["message"]["content"]) == (200, "WHY?")
        assert reply["usage"] == {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}
        assert (stats.requests, stats.max_in_flight) == (1, 1)
        assert stats.bodies == [orjson.loads(body())]
        assert list(stats.counts) == list(stats.finished) == [Request(body()).digest]


def _get_health(connection: HTTPConnection) -> None:
    connection.request("GET", "/health")
    connection.getresponse()


def test_a_server_that_was_closed_is_gone() -> None:
    """After the block nobody listens, and connections are broken as if it had died."""
    with ScriptedServer(reply="x") as server:
        connection = HTTPConnection(server.base_url.removeprefix("http://"), timeout=20)
        connection.connect()
    with pytest.raises((RemoteDisconnected, ConnectionError)):
        _get_health(connection)
    connection.close()
    with pytest.raises(ConnectionRefusedError):
        post(server, body())


def test_a_request_says_what_was_asked() -> None:
    """Texts, digests of the true image bytes, sampling and prefill."""
    url = f"data:image/png;base64,{b64encode(ONE_PIXEL.read()).decode()}"
    user = [{"type": "image_url", "image_url": {"url": url}}, {"type": "text", "text": "Why?"}]
    messages = [{"role": "system", "content": "Look."}, {"role": "user", "content": user}]
    plain = Request(orjson.dumps({"model": "m", "messages": messages, "temperature": 0.5, "n": 1}))
    assert (plain.model, plain.text, plain.prefill) == ("m", "Look.\nWhy?", None)
    assert plain.image_digests == (ONE_PIXEL.sha256,)
    assert plain.sampling == {"temperature": 0.5}
    prefill = [{"role": "assistant", "content": "[V]"}]
    assert Request(orjson.dumps({"messages": prefill, "continue_final_message": True})).prefill == "[V]"


def test_faults_come_by_plan() -> None:
    """Each kind of fault, at the attempts that the plan names; then the reply."""
    plan = {1: Fault.http(429, retry_after=3), 2: Fault.truncated_body(), 3: Fault.refusal(), 4: Fault.cut_off()}
    with ScriptedServer(reply="four words are enough", faults=lambda _, attempt: plan.get(attempt)) as server:
        assert post(server, body())[0] == 429
        with pytest.raises(orjson.JSONDecodeError):
            post(server, body())
        assert post(server, body())[1]["choices"][0]["message"]["refusal"] == "I cannot help with that."
        cut = post(server, body())[1]["choices"][0]
        whole = post(server, body())[1]["choices"][0]
        stats = server.stats()
    assert (cut["message"]["content"], cut["finish_reason"]) == ("four words", "length")
    assert (whole["message"]["content"], whole["finish_reason"]) == ("four words are enough", "stop")
    assert (list(stats.counts.values()), list(stats.finished.values())) == ([5], [3])


def test_a_reset_is_a_reset() -> None:
    """The connection ends with RST, not with an orderly end."""
    with ScriptedServer(reply="x", faults=lambda *_: Fault.reset()) as server, pytest.raises(ConnectionResetError):
        post(server, body())


def test_a_hang_counts_as_in_flight_until_the_client_leaves() -> None:
    """It never answers; when the client gives up it is no longer in flight."""
    plan = ShareOfFaults(1.0, [Fault.hang()])
    with ScriptedServer(reply="x", faults=plan) as server:
        connection = HTTPConnection(server.base_url.removeprefix("http://"), timeout=0.1)
        connection.request("POST", "/v1/chat/completions", body())
        with pytest.raises(TimeoutError):
            connection.getresponse()
        connection.close()
        assert post(server, body())[0] == 200
        assert server.max_in_flight == 1


def test_a_share_of_faults_is_a_share_of_requests() -> None:
    """A fifth of the requests is chosen, the same in every run, each kind among them, until the attempts are over."""
    kinds = [Fault.reset(), Fault.hang(), Fault.http(500)]
    plan = ShareOfFaults(0.2, kinds, attempts=2)
    requests = [Request(body(str(n))) for n in range(1000)]
    chosen = [plan(request, 1) for request in requests]
    assert 160 < sum(fault is not None for fault in chosen) < 240
    assert set(kinds) <= set(chosen)
    assert chosen == [plan(request, 2) for request in requests]
    assert [plan(request, 3) for request in requests] == [None] * 1000
    assert chosen != [ShareOfFaults(0.2, kinds, seed=1)(request, 1) for request in requests]


def test_a_script_that_fails_tells_the_client() -> None:
    """A mistake in a test's own script does not look like a broken server."""
    for script in ({"reply": never}, {"reply": "x", "latency": never}):
        with ScriptedServer(**script) as server:
            status, reply = post(server, body())
        assert (status, reply["error"]["message"]) == (
            400,
            "the script of the scripted server raised LookupError('Why?')",
        )


def test_a_port_in_use_is_an_error() -> None:
    """A server that cannot start says why."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(RuntimeError, match="address already in use"):
        ScriptedServer(reply="x", port=taken.getsockname()[1]).__enter__()


def test_latency_is_modelled() -> None:
    """The answer comes after the seconds that the model gives, and requests overlap meanwhile."""
    with ScriptedServer(reply="x", latency=lambda request: 0.05 * len(request.text)) as server:
        began = time.monotonic()
        post(server, body("1234"))
        assert time.monotonic() - began >= 0.2


def test_requests_that_come_in_pieces_or_at_once_are_answered_in_order() -> None:
    """The protocol depends neither on how bytes are cut nor on a client that waits."""
    head = b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n"
    both = b"".join(head % len(body(text)) + body(text) for text in ("a", "b"))
    with ScriptedServer(reply=shout, latency=lambda _: 0.01) as server:
        host, _, port = server.base_url.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as client:
            for start in range(0, len(both), 50):
                client.sendall(both[start : start + 50])
            seen = b""
            while seen.count(b'"id"') < 2:
                seen += client.recv(65536)
    assert seen.index(b'"content":"A"') < seen.index(b'"content":"B"')


def test_a_process_of_its_own_ends_with_its_owner(tmp_path: Path) -> None:
    """Even when the owner is killed, no server is left behind."""
    script = tmp_path / "owner.py"
    script.write_text(
        "from clinhallu_gate.testing import ScriptedServer\n"
        "if __name__ == '__main__':\n"
        "    with ScriptedServer(reply='x', process=True) as server:\n"
        "        print(server.base_url, flush=True)\n"
        "        input()\n"
    )
    with subprocess.Popen([sys.executable, script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        port = int(owner.stdout.readline().rpartition(":")[2])
        os.kill(owner.pid, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            break
        assert time.monotonic() < deadline, "the server outlived its owner"


def test_the_fake_clock_moves_as_a_real_one() -> None:
    """Sleeps in parallel take as long as the longest, one after the other their sum; none waits."""

    async def main(clock: FakeClock) -> None:
        await asyncio.gather(clock.sleep(30), clock.sleep(50), clock.sleep(40))
        await clock.sleep(5)

    clock = FakeClock()
    asyncio.run(main(clock))
    assert (clock.monotonic(), clock.sleeps) == (55, [30, 50, 40, 5])


def test_builders_give_valid_records() -> None:
    """They are complete, and any field can be replaced; the pixel is an image."""
    assert an_instance().uid == "sample/1"
    assert an_instance(id="7", tags=("modality:ct",)).tags == ("modality:ct",)
    assert PIL.Image.open(io.BytesIO(ONE_PIXEL.read())).size == (1, 1)
    call = a_call("Why?", images=(ONE_PIXEL,))
    assert isinstance(call, Call)
    assert (len(call.key), call.affinity, a_call(label="x").label) == (64, ONE_PIXEL.sha256, "x")
    assert a_call("Why?").key != call.key
    assert a_completion(refused=True) == Completion("[Answer] yes", "stop", 10, 4, None, 0.5, refused=True)
    assert ScriptedReply("x") == ScriptedReply("x", "stop")
