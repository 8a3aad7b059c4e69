"""The chat-completions format: bodies as vLLM understands them, replies and errors as servers give them."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import MappingProxyType
from typing import Any

import orjson
import pytest

from clinhallu_gate.engine import wire
from clinhallu_gate.engine.images import ImageParts
from clinhallu_gate.ports import TransportFault
from clinhallu_gate.records import ChatRequest, Message, Sampling
from clinhallu_gate.testing import ONE_PIXEL, a_request


def said(request: ChatRequest) -> dict[str, Any]:
    body: dict[str, Any] = orjson.loads(wire.body("m", request, ImageParts()))
    return body


def reply(**message: object) -> bytes:
    finish = message.pop("finish_reason", "stop")
    return orjson.dumps({"choices": [{"message": message, "finish_reason": finish}]})


def test_a_plain_request_says_no_more_than_it_must() -> None:
    """Nothing that a strict server might not know is sent unless it is asked for."""
    assert said(a_request("Why?")) == {
        "model": "m",
        "messages": [
            {"role": "system", "content": "You read medical images."},
            {"role": "user", "content": "Why?"},
        ],
        "max_tokens": 256,
        "temperature": 0.0,
        "top_p": 1.0,
    }


def test_parts_keep_their_order_and_images_their_identity() -> None:
    """Text and images reach the model in the order of the message; an image bears its digest as uuid."""
    request = ChatRequest((Message("user", ("before", ONE_PIXEL, "after")),), Sampling(max_tokens=1))
    before, image, after = said(request)["messages"][0]["content"]
    assert (before["text"], after["text"]) == ("before", "after")
    assert image["uuid"] == ONE_PIXEL.sha256
    assert image["image_url"]["url"].startswith("data:image/png;base64,iVBOR")


def test_options_are_sent_when_they_are_set() -> None:
    """Prefill, schema, seed and template options become vLLM's fields."""
    request = ChatRequest(
        (Message("user", ("Why?",)), Message("assistant", ("[Visual Recognition] ",))),
        Sampling(max_tokens=5, temperature=0.5, seed=7),
        continue_final_message=True,
        response_schema=MappingProxyType({"type": "object"}),
        chat_template_kwargs={"enable_thinking": False},
    )
    body = said(request)
    assert body["messages"][-1] == {"role": "assistant", "content": "[Visual Recognition] "}
    assert (body["continue_final_message"], body["add_generation_prompt"]) == (True, False)
    assert body["response_format"]["json_schema"]["schema"] == {"type": "object"}
    assert (body["seed"], body["temperature"]) == (7, 0.5)
    assert body["chat_template_kwargs"] == {"enable_thinking": False}


def test_a_reply_is_read_with_its_usage() -> None:
    """Text, finish reason and all token counts arrive."""
    raw = orjson.dumps(
        {
            "choices": [{"message": {"content": "yes"}, "finish_reason": "length"}],
            "usage": {"prompt_tokens": 9, "completion_tokens": 2, "prompt_tokens_details": {"cached_tokens": 4}},
        }
    )
    found = wire.completion(raw, latency_s=0.1)
    assert (found.text, found.finish_reason, found.refused) == ("yes", "length", False)
    assert (found.prompt_tokens, found.completion_tokens, found.cached_tokens) == (9, 2, 4)


@pytest.mark.parametrize("content", [None, ""])
def test_no_content_is_a_finished_reply(content: str | None) -> None:
    """A model that says nothing has answered: that is no fault of the transport."""
    found = wire.completion(reply(content=content), latency_s=0.1)
    assert (found.text, found.refused, found.cached_tokens) == ("", False, None)


def test_refusals_are_marked() -> None:
    """A refusal, or a content filter, is a finished reply that says so."""
    refusal = wire.completion(reply(content=None, refusal="I cannot."), latency_s=0.1)
    filtered = wire.completion(reply(content="", finish_reason="content_filter"), latency_s=0.1)
    assert (refusal.refused, refusal.text) == (True, "I cannot.")
    assert (filtered.refused, filtered.text) == (True, "")


@pytest.mark.parametrize(
    "raw",
    [b"", b'{"choices": [{"mess', b"[]", b"null", b"{}", b'{"choices": []}', b'{"choices": [{}]}', reply(content=3)],
)
def test_what_is_no_completion_can_be_tried_again(raw: bytes) -> None:
    """A body that is cut off, or lacks what a completion has, is a fault of the transport."""
    with pytest.raises(TransportFault, match="not a chat completion") as caught:
        wire.completion(raw, latency_s=0.1)
    assert caught.value.retryable
    assert caught.value.status == 200


@pytest.mark.parametrize(
    ("status", "retryable"),
    [(status, False) for status in (302, 400, 401, 403, 404, 422)]
    + [(status, True) for status in (408, 425, 429, 500, 502, 503)],
)  # fmt: skip
def test_only_what_may_pass_is_tried_again(status: int, retryable: bool) -> None:  # noqa: FBT001 - a parameter
    """4xx is a fault of ours, but for 408, 425 and 429; 5xx is the server's."""
    assert wire.fault(status, b"").retryable is retryable


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        (b'{"error": {"message": "too\\n long"}}', "HTTP 400: too long"),
        (b'{"object": "error", "message": "too long"}', "HTTP 400: too long"),
        (b"<html>Bad  Request</html>", "HTTP 400: <html>Bad Request</html>"),
        (b"x" * 5000, "HTTP 400: " + "x" * 300),
    ],
)
def test_the_servers_message_is_quoted(raw: bytes, text: str) -> None:
    """The error says what the server said: on one line, and not all of it."""
    assert wire.fault(400, raw).error == text


def test_retry_after_is_seconds_or_a_date() -> None:
    """Both forms of RFC 9110 are read; what is neither is ignored."""
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=100), usegmt=True)
    assert wire.fault(429, b"", retry_after="7").retry_after_s == 7
    assert 98 <= (wire.fault(429, b"", retry_after=date).retry_after_s or 0) <= 100
    assert wire.fault(429, b"", retry_after="Wed, 21 Oct 2015 07:28:00 GMT").retry_after_s == 0
    assert wire.fault(429, b"", retry_after="soon").retry_after_s is None
    assert wire.fault(429, b"").retry_after_s is None
