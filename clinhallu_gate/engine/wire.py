"""The OpenAI chat-completions format, both ways, as vLLM understands it."""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from clinhallu_gate.ports import TransportFault
from clinhallu_gate.records import ChatRequest, Completion, Image, Message

#: How much of a server's message an error repeats.
_QUOTED: Final = 300
_RETRYABLE: Final = frozenset({408, 425, 429})
_CLIENT_ERRORS: Final = range(300, 500)

Encode = Callable[[Image], orjson.Fragment]


def body(model: str, request: ChatRequest, encode: Encode) -> bytes:
    """Return the JSON body of one request; ``encode`` gives an image's content part, ready as JSON."""
    sampling = request.sampling
    said: dict[str, Any] = {
        "model": model,
        "messages": [{"role": m.role, "content": _content(m, encode)} for m in request.messages],
        "max_tokens": sampling.max_tokens,
        "temperature": sampling.temperature,
        "top_p": sampling.top_p,
    }
    if sampling.seed is not None:
        said["seed"] = sampling.seed
    if request.continue_final_message:
        said["continue_final_message"] = True
        said["add_generation_prompt"] = False
    if request.response_schema is not None:
        schema = {"name": "reply", "schema": request.response_schema, "strict": True}
        said["response_format"] = {"type": "json_schema", "json_schema": schema}
    if request.chat_template_kwargs:
        said["chat_template_kwargs"] = request.chat_template_kwargs
    return orjson.dumps(said, default=_plain)


def _content(message: Message, encode: Encode) -> str | list[object]:
    parts = message.content
    if len(parts) == 1 and isinstance(parts[0], str):  # a list would make some chat templates drop a prefill
        return parts[0]
    return [{"type": "text", "text": part} if isinstance(part, str) else encode(part) for part in parts]


def _plain(value: object) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a request")


def completion(raw: bytes, *, latency_s: float) -> Completion:
    """Read a reply with status 200. Raises ``TransportFault`` if it is not a whole chat completion.

    Content that is null or empty is the model's doing, so it is a finished reply with the text ``""``.
    """
    try:
        reply = orjson.loads(raw)
        choice = reply["choices"][0]
        message = choice["message"]
        content, refusal = message.get("content") or "", message.get("refusal") or ""
        usage = reply.get("usage") or {}
        finish_reason = choice.get("finish_reason") or ""
        return Completion(
            text=_text(content or refusal),
            finish_reason=finish_reason,
            prompt_tokens=usage.get("prompt_tokens") or 0,
            completion_tokens=usage.get("completion_tokens") or 0,
            cached_tokens=(usage.get("prompt_tokens_details") or {}).get("cached_tokens"),
            latency_s=latency_s,
            refused=bool(refusal) or finish_reason == "content_filter",
        )
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        start = raw[:80].decode(errors="replace")
        raise TransportFault(f"not a chat completion ({type(error).__name__}): {start!r}", status=200) from error


def _text(content: object) -> str:
    if isinstance(content, str):
        return content
    raise TypeError("content is not text")


def fault(status: int, raw: bytes, *, retry_after: str | None = None) -> TransportFault:
    """Return what a reply with another status than 200 means: 408, 425, 429 and 5xx can be tried again."""
    retryable = status in _RETRYABLE or status not in _CLIENT_ERRORS
    return TransportFault(
        f"HTTP {status}: {_said(raw)}", status=status, retry_after_s=_seconds(retry_after), retryable=retryable
    )


def _said(raw: bytes) -> str:
    """Return the start of the server's message: OpenAI's ``error.message`` where there is one."""
    try:
        reply = orjson.loads(raw)
        message = reply["error"]["message"] if "error" in reply else reply["message"]
    except (ValueError, LookupError, TypeError):
        message = raw[: 4 * _QUOTED].decode(errors="replace")
    return " ".join(str(message).split())[:_QUOTED]


def _seconds(retry_after: str | None) -> float | None:
    """Read a ``Retry-After`` header: seconds, or an HTTP date (RFC 9110, 10.2.3); None if it is neither."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        moment = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
