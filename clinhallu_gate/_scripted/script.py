"""What a scripted server is told to do: requests as it sees them, replies, faults, and plans of faults."""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal, TypeAlias

import orjson

ContentFault: TypeAlias = Literal["empty", "cut_off", "refusal"]
TransportKind: TypeAlias = Literal["status", "reset", "hang", "truncated_body"]


class Request:
    """One chat completion as it arrived. Everything but ``raw`` is read when it is first looked at.

    Attributes:
        raw: The body's bytes.
    """

    def __init__(self, raw: bytes) -> None:
        self.raw = raw

    @cached_property
    def digest(self) -> str:
        """sha256 of the body: the same for each attempt of one request."""
        return sha256(self.raw).hexdigest()

    @cached_property
    def body(self) -> dict[str, Any]:
        """The parsed body."""
        parsed: dict[str, Any] = orjson.loads(self.raw)
        return parsed

    @property
    def model(self) -> str:
        """The model that is asked."""
        return str(self.body.get("model"))

    @property
    def messages(self) -> list[dict[str, Any]]:
        """The messages, as parsed."""
        messages: list[dict[str, Any]] = self.body["messages"]
        return messages

    @cached_property
    def parts(self) -> list[dict[str, Any]]:
        """The content parts of all messages in order, a plain text content as one text part."""
        contents = (message["content"] for message in self.messages)
        return [
            part
            for content in contents
            for part in ([{"type": "text", "text": content}] if isinstance(content, str) else content)
        ]

    @cached_property
    def text(self) -> str:
        """The texts of all messages, one below the other."""
        return "\n".join(part["text"] for part in self.parts if part["type"] == "text")

    @cached_property
    def image_digests(self) -> tuple[str, ...]:
        """sha256 of the encoded bytes of each image, in order: ``Image.sha256`` of the study's images."""
        urls = (part["image_url"]["url"] for part in self.parts if part["type"] == "image_url")
        return tuple(sha256(b64decode(url.partition(",")[2])).hexdigest() for url in urls)

    @property
    def sampling(self) -> dict[str, Any]:
        """``max_tokens``, ``temperature``, ``top_p`` and ``seed``, as far as they were sent."""
        names = ("max_tokens", "temperature", "top_p", "seed")
        return {name: self.body[name] for name in names if name in self.body}

    @property
    def prefill(self) -> str | None:
        """The beginning of the assistant's own words that is to be continued, if there is one."""
        return self.messages[-1]["content"] if self.body.get("continue_final_message") else None


@dataclass(frozen=True, slots=True)
class ScriptedReply:
    """What the model says. Token counts that are not given are counted in words."""

    text: str | None
    finish_reason: str = "stop"
    refusal: str | None = None
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cached_tokens: int | None = None
    """Left out of the usage if None, as by a server without ``--enable-prompt-tokens-details``."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one attempt; made by the class methods."""

    kind: TransportKind | ContentFault
    status: int = 500
    retry_after: str | None = None
    message: str = "a scripted fault"

    @classmethod
    def http(cls, status: int, *, retry_after: str | float | None = None, message: str = "a scripted fault") -> "Fault":
        """Answer with this status (429, 500, 400 ...) and an error body; ``Retry-After`` in seconds or as a date."""
        return cls("status", status, None if retry_after is None else str(retry_after), message)

    @classmethod
    def reset(cls) -> "Fault":
        """Reset the connection (RST) instead of an answer."""
        return cls("reset")

    @classmethod
    def hang(cls) -> "Fault":
        """Never answer; the client's timeout ends it."""
        return cls("hang")

    @classmethod
    def truncated_body(cls) -> "Fault":
        """Answer with status 200 and the first half of the JSON, as if it were all."""
        return cls("truncated_body")

    @classmethod
    def empty(cls) -> "Fault":
        """Answer with null content: the model's own fault, not the transport's."""
        return cls("empty")

    @classmethod
    def cut_off(cls) -> "Fault":
        """Answer with the first half of the text and ``finish_reason`` "length"."""
        return cls("cut_off")

    @classmethod
    def refusal(cls) -> "Fault":
        """Answer with a refusal instead of content."""
        return cls("refusal")


ReplyScript: TypeAlias = str | ScriptedReply | Callable[[Request], ScriptedReply | str]
LatencyModel: TypeAlias = Callable[[Request], float]
FaultPlan: TypeAlias = Callable[[Request, int], Fault | None]


@dataclass(frozen=True, slots=True)
class ShareOfFaults:
    """A plan of faults for a share of the requests, chosen by their digest, so the same ones in every run.

    Picklable, hence usable with ``process=True``.
    """

    share: float
    """0..1, of the distinct requests."""
    kinds: Sequence[Fault]
    """One of them for each chosen request."""
    attempts: int = 1
    """So many first attempts of a chosen request fail; the next succeeds."""
    seed: int = 0

    def __call__(self, request: Request, attempt: int) -> Fault | None:
        """Return the fault of this attempt (the first is 1)."""
        if attempt > self.attempts:
            return None
        drawn = int.from_bytes(sha256(f"{self.seed}:{request.digest}".encode()).digest()[:8])
        if drawn / 2**64 >= self.share:
            return None
        return self.kinds[drawn % len(self.kinds)]


def spoil(reply: ScriptedReply, fault: Fault) -> ScriptedReply:
    """Apply a content fault to a reply; transport faults leave it as it is."""
    match fault.kind:
        case "empty":
            return ScriptedReply(None)
        case "cut_off":
            text = reply.text or ""
            return ScriptedReply(text[: len(text) // 2], "length")
        case "refusal":
            return ScriptedReply(None, refusal="I cannot help with that.")
        case _:
            return reply


def rendered(reply: ScriptedReply, request: Request) -> dict[str, Any]:
    """Return the chat completion that carries ``reply``."""
    prompt_tokens = len(request.text.split()) if reply.prompt_tokens is None else reply.prompt_tokens
    words = len((reply.text or "").split())
    completion_tokens = words if reply.completion_tokens is None else reply.completion_tokens
    usage: dict[str, Any] = {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }
    if reply.cached_tokens is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": reply.cached_tokens}
    message = {"role": "assistant", "content": reply.text, "refusal": reply.refusal}
    choice = {"index": 0, "message": message, "finish_reason": reply.finish_reason}
    return {"id": "scripted", "object": "chat.completion", "model": request.model, "choices": [choice], "usage": usage}


def as_reply(script: ReplyScript, request: Request) -> ScriptedReply:
    """Return what ``script`` says to ``request``."""
    said = script if isinstance(script, str | ScriptedReply) else script(request)
    return ScriptedReply(said) if isinstance(said, str) else said


def described(model: str) -> Mapping[str, Any]:
    """Return the list of models that ``/v1/models`` gives."""
    return {"object": "list", "data": [{"id": model, "object": "model", "owned_by": "scripted"}]}
