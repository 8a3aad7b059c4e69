"""The review sheets: a page that works offline and sends nothing, and the same as a table."""

import csv
import io
from base64 import b64encode
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

import orjson
from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from clinhallu_gate.datasets.signed import DraftedRow
from clinhallu_gate.gold.rows import GoldRow
from clinhallu_gate.pipeline.reviewing import cell
from clinhallu_gate.records import Image
from clinhallu_gate.report.html import content_security_policy
from clinhallu_gate.report.images import CannotBeShown, draw
from clinhallu_gate.report.visible import one_line, visible
from clinhallu_gate.vocabulary import Stage

#: What a reviewer fills in or leaves as it is, and what says for which row and draft it is.
FILLED: Final = ("id", "decision", *Stage, "note", "reviewer")
KEYS: Final = ("content_sha256", "report_sha256", "draft_sha256", "drafted_by")
SHOWN: Final = ("question", "options", "answer", "report", "trouble")
COLUMNS: Final = (*FILLED, *SHOWN, *KEYS)
#: What each stage is called where a person writes it, and what belongs there.
STAGES: Final = (
    (Stage.VISUAL_RECOGNITION, "Visual recognition", "What the images show, as far as the question needs it."),
    (Stage.KNOWLEDGE_RECALL, "Knowledge recall", "Medical facts that hold for every patient."),
    (Stage.REASONING_INTEGRATION, "Reasoning integration", "How the answer follows from both."),
)
_LONGEST_REPORT: Final = 50_000
"""Characters of a report on the sheet."""
_MOST_PICTURES: Final = 40 * 2**20
"""Bytes of pictures in one page."""


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A row to review."""

    row: GoldRow
    draft: DraftedRow
    warning: str = ""

    @property
    def keys(self) -> dict[str, str]:
        """What says for which row and draft a review is."""
        return {
            "content_sha256": self.draft.content_sha256,
            "report_sha256": self.draft.report_sha256,
            "draft_sha256": self.draft.draft_sha256,
            "drafted_by": self.draft.drafted_by,
        }

    @property
    def trouble(self) -> str:
        """Why there is no draft, or what to look at first."""
        return f"no draft: {self.draft.trouble}" if self.draft.trouble else self.warning

    def text(self, stage: Stage) -> str:
        """Return what stands in a stage's field: the manifest's own text, or the draft's."""
        drafted = self.draft.gold.text(stage) if self.draft.gold else None
        text = self.row.own.gold.text(stage) or drafted or ""
        return "\n".join(text.splitlines())  # as a browser's field gives it back


def csv_sheet(rows: Iterable[SheetRow]) -> bytes:
    """Return the table: one line a row, with a mark for spreadsheets and nothing that they would run."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for row in rows:
        instance = row.row.instance
        texts = (row.text(stage) for stage in Stage)
        shown = (instance.question, " | ".join(instance.options), instance.answer, row.row.report.text, row.trouble)
        fields = (instance.id, "", *texts, "", "", *shown, *row.keys.values())
        writer.writerow(map(cell, fields))
    return out.getvalue().encode("utf-8-sig")


def html_sheet(name: str, rows: Sequence[SheetRow], *, with_images: bool) -> bytes:
    """Return the page in UTF-8; texts are data for its one script, which makes text nodes of them and nothing else.

    Args:
        name: The manifest's file name.
        rows: What is to be reviewed.
        with_images: Whether the images are shown, drawn anew and small, until 40 MiB are full.
    """
    style, script = _text("report", "report.css") + _text("gold", "review.css"), _text("gold", "review.js")
    pictures = _Pictures(wanted=with_images)
    data = {
        "schema_version": 1,
        "manifest": one_line(name),
        "stages": [stage.value for stage in Stage],
        "columns": COLUMNS,
        "rows": [_data(row, pictures) for row in rows],
    }
    page = _template().render(
        manifest=one_line(name),
        rows=len(rows),
        patients=any(row.row.instance.phi for row in rows),
        stages=STAGES,
        policy=content_security_policy(style, script, beside=False),
        style=Markup(style),  # noqa: S704 - this package's own, named in the policy by its digest
        script=Markup(script),  # noqa: S704 - as above
        data=Markup(orjson.dumps(data).replace(b"<", b"\\u003c").decode()),  # noqa: S704 - JSON that ends no block
    )
    return page.encode()


def _data(row: SheetRow, pictures: "_Pictures") -> dict[str, Any]:
    instance, report = row.row.instance, row.row.report
    return {
        **row.keys,
        "id": instance.id,
        "name": one_line(instance.id),
        "row": row.draft.row,
        "question": visible(instance.question),
        "options": [one_line(option) for option in instance.options],
        "answer": visible(instance.answer),
        "report": visible(report.text, limit=_LONGEST_REPORT) or report.trouble,
        "texts": [row.text(stage) for stage in Stage],
        "own": [row.row.own.gold.text(stage) is not None for stage in Stage],
        "trouble": row.trouble,
        "pictures": [pictures.of(image) for image in instance.images] if pictures.wanted else [],
    }


@dataclass(slots=True)
class _Pictures:
    wanted: bool
    size: int = 0

    def of(self, image: Image) -> dict[str, str]:
        """Return a picture as a ``data:`` address, or why there is none."""
        if self.size >= _MOST_PICTURES:
            return {"trouble": f"not shown: the page has {_MOST_PICTURES // 2**20} MiB of images already"}
        try:
            drawn = draw(image)
        except CannotBeShown as error:
            return {"trouble": str(error)}
        kind = "png" if drawn.suffix == ".png" else "jpeg"
        self.size += len(drawn.data)
        return {"src": f"data:image/{kind};base64,{b64encode(drawn.data).decode()}"}


@lru_cache(maxsize=1)
def _template() -> Template:
    environment = Environment(
        loader=FunctionLoader(lambda name: _text("gold", name)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("review.html.j2")


def _text(room: str, name: str) -> str:
    return (files(f"clinhallu_gate.{room}") / name).read_text("utf-8")
