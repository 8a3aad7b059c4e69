"""From pydantic's errors on a row to lines that name the field, the bad value and the valid ones."""

from collections.abc import Sequence
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from clinhallu_gate.datasets.problems import Shown, quoted, shown
from clinhallu_gate.datasets.row import FIELDS
from clinhallu_gate.errors import not_one_of
from clinhallu_gate.vocabulary import QuestionType

_WRONG: Final = {
    "string_type": "is not text",
    "tuple_type": "is not a list",
    "int_type": "is not a whole number",
    "greater_than_equal": "is no image. Valid: 1 or more",
    "bool_type": "is neither true nor false",
    "model_type": "is not an object",
    "model_attributes_type": "is not an object",
    "dict_type": "is not an object",
}


def explain(error: ValidationError) -> list[str]:
    """Return a line for each thing that is wrong."""
    found = error.errors(include_url=False)
    # A list whose items are all wrong is not empty.
    return [_line(details) for details in found if details["type"] != "too_short" or not details["input"]]


def _line(error: ErrorDetails) -> str:
    path, kind, value = _path(error["loc"]), error["type"], error["input"]
    if kind == "missing":
        return f"{path}: is missing"
    if kind in ("string_pattern_mismatch", "too_short"):
        return f"{path}: is empty"
    if kind == "unexpected_keyword_argument":
        name = error["loc"][-1]
        return not_one_of(quoted(name), Shown(name), FIELDS, noun="a field")
    if kind == "enum":
        return not_one_of(path, Shown(value), [word.value for word in QuestionType], noun="a question type")
    return f"{path}: {shown(value)} {_WRONG.get(kind) or error['msg']}"


def _path(loc: Sequence[int | str]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return steps.removeprefix(".")
