"""The content address of a call: a digest of everything that decides the reply."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, TypeAlias

import orjson

from clinhallu_gate.records import ChatRequest, Message

#: A text stands for itself, an image as the one-element list of its digest, so that neither can pass for the other.
_Part: TypeAlias = str | tuple[str]


def address(identity: str, request: ChatRequest, *, sample: int = 0) -> str:
    """Return the content address of one reply: 64 lower-case hexadecimal digits.

    Args:
        identity: Digest of who is asked: weights or revision, vLLM version, dtype, chat template, protocol hash.
        request: What is said to it. Images enter by their digests, never by their pixels.
        sample: Which of several replies to the same request (0 is the first).

    Texts must be valid Unicode: a lone surrogate raises ``TypeError``, since no server could be sent it either.
    """
    sampling = request.sampling
    said = (
        identity,
        sample,
        [_said(message) for message in request.messages],
        (sampling.max_tokens, float(sampling.temperature), float(sampling.top_p), sampling.seed),
        request.continue_final_message,
        request.response_schema,
        request.chat_template_kwargs,
    )
    return sha256(orjson.dumps(said, default=_plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _said(message: Message) -> tuple[str, list[_Part]]:
    return message.role, [part if isinstance(part, str) else (part.sha256,) for part in message.content]


def _plain(value: object) -> dict[str, Any]:
    """Turn the mappings that orjson does not know (``MappingProxyType`` and the like) into dicts."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} has no place in a request")
