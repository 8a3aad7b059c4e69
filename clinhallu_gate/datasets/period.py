"""Studies of a time: from one day to another, both of them included."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from clinhallu_gate.errors import BadInput

_ISO: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
FORM: Final = "YYYY-MM-DD, such as 2026-01-31"


@dataclass(frozen=True, slots=True)
class Period:
    """From ``since`` to ``until``; None is open."""

    since: date | None
    until: date | None

    @classmethod
    def read(cls, since: str | None, until: str | None) -> "Period | None":
        """Return the period that options name; None without any. Raises ``BadInput``."""
        if since is None and until is None:
            return None
        period = cls(_option("--since", since), _option("--until", until))
        if period.since is not None and period.until is not None and period.since > period.until:
            raise BadInput(f"--since: {period.since} is after --until {period.until}, so no study lies between.")
        return period

    def __contains__(self, day: date) -> bool:
        return (self.since is None or day >= self.since) and (self.until is None or day <= self.until)

    def __str__(self) -> str:
        ends = (("--since", self.since), ("--until", self.until))
        return " ".join(f"{option} {day}" for option, day in ends if day is not None)


def day_of(value: object) -> date:
    """Return the day that a field names. Raises ``ValueError`` if it is none."""
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    if not isinstance(value, str) or not _ISO.fullmatch(value.strip()):
        raise ValueError(f"no {FORM}")
    return date.fromisoformat(value.strip())


def said_day(content: Mapping[str, Any]) -> date | None:
    """Return the day that a row names, whatever else is wrong with it; None if it names none."""
    try:
        return day_of(content.get("study_date"))
    except ValueError:
        return None


def _option(name: str, text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return day_of(text)
    except ValueError:
        raise BadInput(f"{name}: {text!r} is no date. Valid: {FORM}.") from None
