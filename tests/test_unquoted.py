"""An error of whatever kind is told by its kind and its place, and never by its words."""

import json

import pytest

from clinhallu_gate.trace import parse
from clinhallu_gate.unquoted import place_of


def test_the_place_is_the_last_line_of_this_package() -> None:
    """Not that of a library below it, nor of who called it."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whatever it is
        parse(None, None, "Okonkwo")  # type: ignore[arg-type]
    told = place_of(caught.value)
    assert told.startswith(f"{type(caught.value).__name__} in trace.py:")
    assert "Okonkwo" not in told


def test_an_error_from_elsewhere_has_no_place() -> None:
    """Its kind is all that is told."""
    with pytest.raises(json.JSONDecodeError) as caught:
        json.loads("Okonkwo")
    assert place_of(caught.value) == "JSONDecodeError"


def test_of_several_errors_the_first_is_told() -> None:
    """Also of groups in groups."""
    group = ExceptionGroup("Okonkwo", [ExceptionGroup("Okonkwo", [KeyError("Okonkwo")]), ValueError("Okonkwo")])
    assert place_of(group) == "KeyError"


def test_what_the_system_calls_an_error_is_told() -> None:
    """A full disk is known by it; the words that came along are not."""
    assert place_of(OSError(28, "Okonkwo")) == "OSError (No space left on device)"
    assert place_of(OSError("Okonkwo")) == "OSError"
