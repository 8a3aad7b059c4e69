"""The engine over real HTTP: whatever goes wrong on the way, the replies are those of a fault-free run."""

import asyncio
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from random import Random

import pytest
from PIL import Image as Pillow

from clinhallu_gate.engine import Engine, HttpEndpoint, Limits, RetryPolicy
from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.records import Call, CallFailure, Completion, Image, Reply
from clinhallu_gate.store import SqliteStore
from clinhallu_gate.testing import (
    ONE_PIXEL,
    FakeClock,
    Fault,
    MemoryStore,
    Request,
    ScriptedReply,
    ScriptedServer,
    ShareOfFaults,
    a_call,
)

TRANSPORT = {
    "429": Fault.http(429, retry_after=2),
    "500": Fault.http(500),
    "reset": Fault.reset(),
    "hang": Fault.hang(),
    "truncated": Fault.truncated_body(),
}
CONTENT = (Fault.empty(), Fault.cut_off(), Fault.refusal())
CALLS = [a_call(f"Is there an opacity in case {n}?", images=(ONE_PIXEL,)) for n in range(120)]


def say(request: Request) -> ScriptedReply:
    """A reply that only this request has."""
    return ScriptedReply(f"[Answer] {request.text[-12:]} of {request.image_digests}", prompt_tokens=7, cached_tokens=3)


def ask(server: ScriptedServer, calls: Sequence[Call], *, clock: FakeClock | None = None) -> list[Reply]:
    async def main() -> list[Reply]:
        async with HttpEndpoint(server.base_url, server.model, timeout_s=1.5) as endpoint:
            engine = Engine(
                [endpoint],
                MemoryStore(),
                clock=clock or FakeClock(),
                retry=RetryPolicy(attempts=5),
                limits=Limits(
                    minimum=32
                ),  # hangs take real time here, so they should overlap; a busy machine may take a second to reply
            )
            async with engine:
                return await asyncio.gather(*(engine.ask(call) for call in calls))

    return asyncio.run(main())


def untimed(replies: Sequence[Reply]) -> list[tuple[str, str, int, int | None, bool]]:
    found = [reply for reply in replies if isinstance(reply, Completion)]
    assert len(found) == len(replies), [reply for reply in replies if isinstance(reply, CallFailure)][:1]
    return [(r.text, r.finish_reason, r.prompt_tokens, r.cached_tokens, r.refused) for r in found]


@pytest.mark.parametrize(
    "kinds", [[kind] for kind in TRANSPORT.values()] + [list(TRANSPORT.values())], ids=[*TRANSPORT, "all"]
)
def test_no_reply_differs_from_a_fault_free_run(kinds: list[Fault]) -> None:
    """With 20 % faults of each kind, twice per request, every reply is what it is without faults."""
    with ScriptedServer(reply=say) as sound:
        wanted = untimed(ask(sound, CALLS))
    with ScriptedServer(reply=say, faults=ShareOfFaults(0.2, kinds, attempts=2)) as faulty:
        assert untimed(ask(faulty, CALLS)) == wanted
        stats = faulty.stats()
    assert len(wanted) == len(set(wanted)) == len(CALLS)
    assert stats.requests > 1.2 * len(CALLS)
    assert set(stats.finished.values()) == {1}


def test_faults_of_the_content_are_asked_once() -> None:
    """Empty, cut off, refused: finished replies that say so, and nothing is asked twice."""
    with ScriptedServer(reply=say, faults=ShareOfFaults(1.0, CONTENT)) as server:
        replies = untimed(ask(server, CALLS))
        stats = server.stats()
    assert set(stats.counts.values()) == {1}
    assert {reply[1] for reply in replies} == {"stop", "length"}
    assert {(text == "", refused) for text, _, _, _, refused in replies} == {
        (True, False),
        (False, False),
        (False, True),
    }


def test_a_400_ends_the_run_with_the_servers_words() -> None:
    """It is sent once and ends with what the server said."""
    with ScriptedServer(reply=say, faults=lambda *_: Fault.http(400, message="prompt is too long")) as server:
        with pytest.raises(EvaluationFailed, match="refused: HTTP 400: prompt is too long"):
            ask(server, CALLS[:1])
        assert server.requests == 1


def test_another_model_ends_the_run() -> None:
    """A server that does not know the model says so once."""
    with ScriptedServer(reply=say, model="m") as server:
        server.model = "other"
        with pytest.raises(EvaluationFailed, match="HTTP 404: The model `other` does not exist"):
            ask(server, CALLS[:1])


def test_retry_after_comes_from_the_header() -> None:
    """The server's seconds are what is waited."""
    clock = FakeClock()
    with ScriptedServer(reply=say, faults=ShareOfFaults(1.0, [Fault.http(429, retry_after=33)])) as server:
        ask(server, CALLS[:1], clock=clock)
    assert clock.sleeps == [33.0]


def test_a_large_image_is_sent() -> None:
    """A radiograph of some megabytes, and a question of as many, beside calls that are small."""
    noise = Random("radiograph").randbytes(900 * 900 * 3)
    drawn = BytesIO()
    Pillow.frombytes("RGB", (900, 900), noise).save(drawn, "PNG")
    large = Image.from_bytes(drawn.getvalue())
    assert len(large.read()) > 2 * 10**6
    calls = [a_call("What is seen?", images=(large,)), a_call("What? " * 10**6), *CALLS[:4]]
    with ScriptedServer(reply=say) as server:
        replies = ask(server, calls)
    assert [isinstance(reply, Completion) for reply in replies] == [True] * 6, replies
    assert large.sha256 in untimed(replies)[0][0]


def test_a_server_that_is_gone_is_a_typed_failure() -> None:
    """Nobody listens: every call fails with its reason, none hangs, none is a reply."""
    with ScriptedServer(reply=say) as server:
        pass
    replies = ask(server, CALLS)
    assert all(isinstance(reply, CallFailure) for reply in replies)
    assert "ClientConnectorError" in replies[0].detail  # type: ignore[union-attr]


def test_a_rerun_from_the_store_asks_nothing(tmp_path: Path) -> None:
    """Engine, store and HTTP together: the second run has the same replies and sends no request."""

    async def main(url: str) -> list[Reply]:
        async with HttpEndpoint(url + "/v1/", "scripted", timeout_s=5) as endpoint:
            with SqliteStore(tmp_path / "store.sqlite") as store:
                async with Engine([endpoint], store) as engine:
                    return await asyncio.gather(*(engine.ask(call) for call in CALLS))

    with ScriptedServer(reply=say) as server:
        first = asyncio.run(main(server.base_url))
        assert asyncio.run(main(server.base_url)) == first
        assert server.requests == len(CALLS)
