"""The content address: what enters it, and what does not."""

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.address import address
from clinhallu_gate.records import ChatRequest, Image, Message, Sampling
from clinhallu_gate.testing import ONE_PIXEL, a_request

REQUEST = a_request("Is there an opacity?", images=(ONE_PIXEL,), response_schema={"type": "object", "title": "T"})
OTHERS: dict[str, dict[str, Any]] = {
    "text": {"messages": a_request("Is there a mass?", images=(ONE_PIXEL,)).messages},
    "order": {"messages": (REQUEST.messages[0], Message("user", tuple(reversed(REQUEST.messages[1].content))))},
    "role": {"messages": (Message("user", REQUEST.messages[0].content), REQUEST.messages[1])},
    "image": {"messages": a_request("Is there an opacity?", images=(Image.from_bytes(b"x"),)).messages},
    "max_tokens": {"sampling": Sampling(max_tokens=257)},
    "temperature": {"sampling": Sampling(max_tokens=256, temperature=0.7)},
    "top_p": {"sampling": Sampling(max_tokens=256, top_p=0.9)},
    "seed": {"sampling": Sampling(max_tokens=256, seed=0)},
    "prefill": {"continue_final_message": True},
    "schema": {"response_schema": None},
    "template": {"chat_template_kwargs": {"enable_thinking": False}},
}


def test_addresses_stay_what_they_are() -> None:
    """A change of the address would orphan every store, so it must be a decision."""
    assert address("model", REQUEST) == "b4ee30b5aca7aa8d17ef4005174aa0449ec2a5e85f6696ca8cbbb4b419a69ae6"


@pytest.mark.parametrize("change", OTHERS.values(), ids=OTHERS.keys())
def test_everything_that_is_said_enters(change: dict[str, Any]) -> None:
    """A request that differs in anything has another address."""
    assert address("model", replace(REQUEST, **change)) != address("model", REQUEST)


def test_who_is_asked_and_which_sample_enter() -> None:
    """Another model, or another sample of the same, has another address."""
    assert len({address("a", REQUEST), address("b", REQUEST), address("a", REQUEST, sample=1)}) == 3


def test_an_image_enters_by_its_digest_alone() -> None:
    """The same image from a file that is not even read, or from bytes, gives one address."""
    elsewhere = Image(sha256=ONE_PIXEL.sha256, path=Path("not/there.png"), media_type="image/x-png")
    same = replace(REQUEST, messages=a_request("Is there an opacity?", images=(elsewhere,)).messages)
    assert address("model", same) == address("model", REQUEST)


def test_a_digest_as_text_is_not_an_image() -> None:
    """A text cannot pass for the image whose digest it spells."""
    text = ChatRequest((Message("user", (ONE_PIXEL.sha256,)),), REQUEST.sampling)
    image = ChatRequest((Message("user", (ONE_PIXEL,)),), REQUEST.sampling)
    assert address("model", text) != address("model", image)


def test_equal_mappings_have_one_address() -> None:
    """Neither the order of keys nor the kind of mapping matters, nor whether a number is written as a float."""
    schema = MappingProxyType({"title": "T", "type": "object"})
    same = replace(REQUEST, response_schema=schema, sampling=replace(REQUEST.sampling, temperature=0))
    assert address("model", same) == address("model", REQUEST)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1, max_size=4))
def test_where_texts_are_cut_matters(texts: list[str]) -> None:
    """Parts are not run together: the same characters in other parts have another address."""
    apart = ChatRequest((Message("user", tuple(texts)),), REQUEST.sampling)
    joined = ChatRequest((Message("user", ("".join(texts),)),), REQUEST.sampling)
    assert (address("model", apart) == address("model", joined)) == (len(texts) == 1)


def test_what_is_no_json_is_refused() -> None:
    """A schema with an object in it cannot be addressed."""
    with pytest.raises(TypeError, match="not JSON serializable: set"):
        address("model", replace(REQUEST, response_schema={"enum": {"a"}}))
