"""Public fakes for tests of the gate, and of suites built on it: a scripted server, a store, a clock, builders.

The server is real HTTP on loopback; the others keep to the same Protocols as the real ones (``clinhallu_gate.ports``).
"""

import asyncio
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any, Final

from clinhallu_gate._scripted.script import Fault, Request, ScriptedReply, ShareOfFaults
from clinhallu_gate._scripted.server import ScriptedServer, Stats
from clinhallu_gate.address import address
from clinhallu_gate.records import (
    Attempt,
    Call,
    ChatRequest,
    Completion,
    GoldTrace,
    Image,
    Instance,
    Message,
    Sampling,
)
from clinhallu_gate.vocabulary import QuestionType

__all__ = [
    "ONE_PIXEL",
    "FakeClock",
    "FakeEndpoint",
    "Fault",
    "MemoryStore",
    "Request",
    "ScriptedReply",
    "ScriptedServer",
    "ShareOfFaults",
    "Stats",
    "a_call",
    "a_completion",
    "a_request",
    "an_instance",
]

#: The smallest image: one grey pixel, as PNG.
ONE_PIXEL: Final = Image.from_bytes(
    b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg==")
)


class MemoryStore:
    """Implements ``ports.Store`` in memory. The first finished reply wins, as in the real one.

    Attributes:
        replies: Finished replies by address.
        attempts: What was logged, by address.
        puts: How often ``put`` was called, by address.
        flushes: How often ``flush`` was called.
    """

    def __init__(self) -> None:
        self.replies: dict[str, Completion] = {}
        self.attempts: dict[str, list[Attempt]] = {}
        self.puts: dict[str, int] = {}
        self.flushes = 0

    def get(self, key: str) -> Completion | None:
        """Return the finished reply to the call with this address, if there is one."""
        return self.replies.get(key)

    def put(self, call: Call, completion: Completion) -> None:
        """Keep a finished reply, unless there is one."""
        self.replies.setdefault(call.key, completion)
        self.puts[call.key] = self.puts.get(call.key, 0) + 1

    def log(self, call: Call, attempts: Iterable[Attempt]) -> None:
        """Keep what the transport did."""
        self.attempts.setdefault(call.key, []).extend(attempts)

    def flush(self) -> None:
        """Count the flush; everything is in memory anyway."""
        self.flushes += 1


class FakeEndpoint:
    """Implements ``ports.Endpoint`` without HTTP, for tests of what stands above it.

    Args:
        answer: ``answer(call, attempt)`` returns a completion, or a fault to raise; ``attempt`` counts from 1.

    Attributes:
        sent: Every call that was sent, in order.
        max_in_flight: The most that were in flight at once.
    """

    def __init__(self, answer: Callable[[Call, int], Completion | Exception]) -> None:
        self._answer = answer
        self._counts: Counter[str] = Counter()
        self._in_flight = 0
        self.max_in_flight = 0
        self.sent: list[Call] = []

    async def send(self, call: Call) -> Completion:
        """Let other tasks go on, then answer."""
        self.sent.append(call)
        self._counts[call.key] += 1
        attempt = self._counts[call.key]
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            await asyncio.sleep(0)
        finally:
            self._in_flight -= 1
        answer = self._answer(call, attempt)
        if isinstance(answer, Exception):
            raise answer
        return answer


class FakeClock:
    """Implements ``ports.Clock`` without waiting: a sleep ends at once and moves the time forward.

    Sleeps that overlap move it as real ones would: to the latest of their ends, not to their sum.

    Attributes:
        now: The time in seconds; a test may move it.
        sleeps: The length of every sleep, in order of their beginnings.
    """

    def __init__(self) -> None:
        self.now = 0.0
        self.sleeps: list[float] = []

    def monotonic(self) -> float:
        """Return ``now``."""
        return self.now

    async def sleep(self, seconds: float) -> None:
        """Let other tasks go on, then let ``seconds`` have passed."""
        self.sleeps.append(seconds)
        ends = self.now + seconds
        await asyncio.sleep(0)
        self.now = max(self.now, ends)


def an_instance(**fields: Any) -> Instance:  # noqa: ANN401 - any field of Instance
    """Return a yes/no instance of the dataset ``sample`` with a full gold trace; ``fields`` replace its own.

    >>> an_instance(id="7", tags=("modality:ct",)).uid
    'sample/7'
    """
    gold = GoldTrace(
        visual_recognition="An opacity in the left lower zone.",
        knowledge_recall="An opacity in a lower zone may be a consolidation.",
        reasoning_integration="The opacity is on the left, so the answer is yes.",
    )
    plain: dict[str, Any] = {
        "dataset": "sample",
        "id": "1",
        "stratum": "sample",
        "cluster": "image-1",
        "images": (ONE_PIXEL,),
        "question": "Is there an opacity in the left lung?",
        "question_type": QuestionType.YES_NO,
        "answer": "yes",
        "gold": gold,
    }
    return Instance(**(plain | fields))


def a_request(text: str = "Is there an opacity?", *, images: tuple[Image, ...] = (), **fields: Any) -> ChatRequest:  # noqa: ANN401 - any field of ChatRequest
    """Return a request with a short system message and one user message: the images, then ``text``."""
    messages = Message("system", ("You read medical images.",)), Message("user", (*images, text))
    plain: dict[str, Any] = {"messages": messages, "sampling": Sampling(max_tokens=256)}
    return ChatRequest(**(plain | fields))


def a_call(text: str = "Is there an opacity?", *, images: tuple[Image, ...] = (), **fields: Any) -> Call:  # noqa: ANN401 - any field of Call
    """Return a call of ``a_request(text, images=images)`` with its true address; ``fields`` replace its own.

    Its affinity is the first image's digest, or the text where there is none.
    """
    request: ChatRequest = fields.get("request") or a_request(text, images=images)
    plain: dict[str, Any] = {
        "key": address("a test's model", request),
        "label": "sample/1 baseline",
        "affinity": images[0].sha256 if images else text,
        "request": request,
    }
    return Call(**(plain | fields))


def a_completion(text: str = "[Answer] yes", **fields: Any) -> Completion:  # noqa: ANN401 - any field of Completion
    """Return a finished reply; ``fields`` replace its own."""
    plain: dict[str, Any] = {
        "text": text,
        "finish_reason": "stop",
        "prompt_tokens": 10,
        "completion_tokens": 4,
        "cached_tokens": None,
        "latency_s": 0.5,
    }
    return Completion(**(plain | fields))
