"""What the instance explorer shows: within the page for a small run, else in files beside it.

A page that is opened from a file share may not read files, but may run scripts that lie beside it: so the instances of
a large run lie in scripts of a hundred each, which hold data and one call.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import orjson
from markupsafe import Markup

from clinhallu_gate.records import Reading
from clinhallu_gate.report.cases import LISTED_READINGS
from clinhallu_gate.report.model import CaseRow, CaseView, ReportView
from clinhallu_gate.report.names import ARM_TITLE, nickname
from clinhallu_gate.vocabulary import ANSWER, Arm, Stage

CHUNK: Final = 100
"""Instances of one file."""


def index(
    view: ReportView, cases: Sequence[CaseView] | None = None, pictures: Mapping[str, str] | None = None
) -> Markup:
    """Return the data of the page's script, to stand in a data block.

    Args:
        view: The run; its instances must be there.
        cases: All of them, if the page is to hold them itself.
        pictures: By name, as ``data:`` addresses, with ``cases``.
    """
    rows = view.cases.rows if view.cases else ()
    names = {name: _distinct(rows, name) for name in ("dataset", "stratum", "question_type")}
    tags = list(dict.fromkeys(tag for row in rows for tag in row.tags))
    places = {name: {value: place for place, value in enumerate(values)} for name, values in names.items()}
    tag_places = {tag: place for place, tag in enumerate(tags)}
    return _data_block(
        {
            "run": run_key(view),
            "about": f"{view.model}, run {view.run_dir}, judge {view.judge}, protocol {view.protocol}: {view.command}",
            "chunk": CHUNK,
            "datasets": names["dataset"],
            "strata": names["stratum"],
            "types": names["question_type"],
            "tags": tags,
            "parts": [{"name": part_name(reading), "class": str(reading.part)} for reading in LISTED_READINGS],
            "rows": [
                [
                    row.uid,
                    *(places[name][getattr(row, name)] for name in names),
                    [tag_places[tag] for tag in row.tags],
                    row.question,
                    row.answer,
                    row.verdicts,
                    row.before,
                    row.picture,
                ]
                for row in rows
            ],
            "withheld": view.withheld,
            "cases": None if cases is None else [case.model_dump() for case in cases],
            "pictures": pictures,
        }
    )


def chunk_script(view_key: str, number: int, cases: Iterable[CaseView]) -> bytes:
    """Return the file that brings the instances of a chunk."""
    held = _json([case.model_dump() for case in cases])
    return b"clinhalluChunk(%s,%d,%s);\n" % (orjson.dumps(view_key), number, held)


def run_key(view: ReportView) -> str:
    """Return what tells this page's files from another run's: 64 bits of the digest of all that it shows."""
    return hashlib.sha256(view.model_dump_json().encode()).hexdigest()[:16]


def part_name(reading: Reading) -> str:
    """Return how filters call a reading."""
    if reading.part != ANSWER:
        return nickname(Stage(reading.part))
    return "answer" if reading.arm is Arm.BASELINE else f"answer {ARM_TITLE[reading.arm]}"


def _distinct(rows: Iterable[CaseRow], name: str) -> list[str]:
    return list(dict.fromkeys(getattr(row, name) for row in rows))


def _data_block(value: Any) -> Markup:  # noqa: ANN401 - JSON
    return Markup(_json(value).decode())  # noqa: S704 - JSON in which nothing can end the block


def _json(value: Any) -> bytes:  # noqa: ANN401 - JSON
    """Return JSON without the one character that could end, or begin, an element."""
    return orjson.dumps(value).replace(b"<", b"\\u003c")
