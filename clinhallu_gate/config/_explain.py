"""From pydantic's errors to one line that names file, line, key, the bad value and the valid ones."""

from collections.abc import Sequence
from enum import StrEnum
from typing import NoReturn

from pydantic_core import ErrorDetails

from clinhallu_gate.config._entries import BaselinePolicy, GateEntry, JudgeMinima, ThresholdsFile
from clinhallu_gate.config._located import LocatedYaml, short
from clinhallu_gate.errors import not_one_of
from clinhallu_gate.records import Record
from clinhallu_gate.vocabulary import Arm, Metric, Severity, Target, Unit


def _values(words: type[StrEnum]) -> tuple[str, ...]:
    return tuple(word.value for word in words)


_NOUNS: dict[str, tuple[str, tuple[str, ...]]] = {
    "metric": ("a metric", _values(Metric)),
    "arm": ("an arm", _values(Arm)),
    "severity": ("a severity", _values(Severity)),
    "target": ("a target", _values(Target)),
    "unit": ("a unit", _values(Unit)),
    "baseline": ("a way to treat the baseline", _values(BaselinePolicy)),
    "schema_version": ("a schema version that this package reads", ("1",)),
}
_RANGES = {
    "alpha": "above 0 and below 0.5",
    "max_unjudged": "between 0 and 1",
    "max_without_gold": "between 0 and 1",
    "max_drop": "between 0 and 1",
    "max_events": "a number of events, 0 or more",
    "min_sensitivity": "between 0 and 1",
    "min_specificity": "between 0 and 1",
    "probes": "a number of probes, 1 or more",
    "max": "between 0 and 1 (recovery: -1 and 1)",
    "min": "between 0 and 1 (recovery: -1 and 1)",
}
_WRONG = {
    "float_type": "is not a number",
    "bool_type": "is neither true nor false",
    "string_type": "is not text",
    "string_too_short": "is empty",
    "tuple_type": "is not a list",
    "too_short": "is empty; at least one is wanted",
    "model_type": "is not a gate (keys such as metric and max)",
    "int_type": "is not a whole number",
    "invalid_key": "is not a key",
}

#: What the keys within these keys of the file belong to.
_RECORDS: dict[str, type[Record]] = {"gates": GateEntry, "judge": JudgeMinima}


def explain(source: LocatedYaml, error: ErrorDetails) -> NoReturn:
    """Raise ``BadInput`` for the first thing that pydantic found."""
    loc = error["loc"]
    if error["type"] == "gate":
        key = error["ctx"]["key"]
        path = _path((*loc, key) if key else loc)
        source.refuse(path, f"{path}: {error['ctx']['message']}.")
    path, leaf = _path(loc), str(loc[-1])
    if error["type"] == "missing":
        hint = f" Valid: {', '.join(_NOUNS[leaf][1])}." if leaf in _NOUNS else ""
        source.refuse(path, f"{path}: is missing.{hint}")
    if error["type"] == "extra_forbidden":
        record = _RECORDS.get(str(loc[0]), ThresholdsFile) if len(loc) > 1 else ThresholdsFile
        valid = record.model_fields
        source.refuse(path, not_one_of(path, leaf, valid, noun="a key"))
    if leaf in _NOUNS and len(loc) in (1, 3):
        noun, names = _NOUNS[leaf]
        source.refuse(path, not_one_of(path, error["input"], names, noun=noun))
    source.refuse(path, f"{path}: {short(error['input'])} {_wrong(error, leaf)}.")


def _wrong(error: ErrorDetails, leaf: str) -> str:
    if leaf == "judge":
        return "does not say what a judge has to show (keys such as min_sensitivity)"
    if error["type"] in _WRONG:
        return _WRONG[error["type"]]
    return f"is not {_RANGES[leaf]}" if leaf in _RANGES else f"cannot be used: {error['msg']}"


def _path(loc: Sequence[int | str]) -> str:
    steps = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in loc)
    return steps.removeprefix(".")
