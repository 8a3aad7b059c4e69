"""What rows are told to be about by their DICOM headers: tags, and strata with ``{modality}`` and the like."""

import re
from collections.abc import Sequence
from typing import Final

from clinhallu_gate.datasets.check import Unfit
from clinhallu_gate.datasets.dicom.facts import UNKNOWN, Facts
from clinhallu_gate.datasets.problems import quoted
from clinhallu_gate.datasets.row import Row
from clinhallu_gate.datasets.study import FACTS

_PLACE: Final = re.compile(r"\{(\w*)\}")


def tags_of(row: Row, facts: Sequence[Facts]) -> tuple[str, ...]:
    """Return the row's tags, and one for each fact: ``modality:ct``. What the row says itself is not said again."""
    told = (f"{name}:{value}" for each in facts for name, value in each.said.items() if not getattr(row, name, None))
    return tuple(dict.fromkeys((*row.tags, *told)))


def stratum_of(row: Row, facts: Sequence[Facts]) -> str | None:
    """Return the row's stratum with facts in the place of their names in braces. Raises ``Unfit`` for another name."""
    if row.stratum is None:
        return None
    lines = [
        f"stratum: {quoted(f'{{{name}}}')} is no fact of a study. Valid: {', '.join(f'{{{fact}}}' for fact in FACTS)}"
        for name in _PLACE.findall(row.stratum)
        if name not in FACTS
    ]
    if lines:
        raise Unfit(*lines)
    return _PLACE.sub(lambda place: _value(place[1], row, facts), row.stratum)


def _value(name: str, row: Row, facts: Sequence[Facts]) -> str:
    """Return what all files say, ``several`` if they differ; what the row says itself counts."""
    own = getattr(row, name, None)
    if own:
        return "_".join(own.lower().split())
    said = {getattr(each, name) for each in facts} - {""}
    return UNKNOWN if not said else said.pop() if len(said) == 1 else "several"
