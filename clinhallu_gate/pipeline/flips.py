"""What changed against the release in use, for the clinician who looks the patients up: a private table."""

import csv
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from clinhallu_gate.pipeline.reviewing import cell
from clinhallu_gate.pipeline.run import Run
from clinhallu_gate.records import Failed, Judged, Reading, Verdict
from clinhallu_gate.report.flips import flipped
from clinhallu_gate.results import HEADLINE_READINGS, Found
from clinhallu_gate.vocabulary import ANSWER, Stage

FLIPS_FILE: Final = "flips.csv"
COLUMNS: Final = (
    *("instance", "original_id", "patient", "stage", "arm", "flip", "before", "now"),
    *("text_before", "text_now", "question", "reference_answer", "reference_text", "images"),
)


def has_flips(run: Run) -> bool:
    """Whether a table is written: a comparison was made, and its instances bear no name or text elsewhere."""
    return run.prepared.confidential and run.prepared.baseline_of is not None and not run.failure


def count_flips(run: Run) -> int:
    """Return how many verdicts changed, either way."""
    return sum(len(flipped(run.results, reading, worse=way)) for reading in HEADLINE_READINGS for way in (True, False))


def write_flips(run: Run) -> None:
    """Write ``flips.csv``: a row for each verdict that changed, worse ones first, with ids, both texts and the gold.

    No cell is one that a spreadsheet would run. Raises ``OSError`` if the file cannot be written.
    """
    path = run.prepared.kept_dir / FLIPS_FILE
    path.unlink(missing_ok=True)  # of a run that was not completed there
    if has_flips(run):
        _write(path, run)


def _write(path: Path, run: Run) -> None:
    with path.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([cell(text) for text in row] for row in _rows(run))


def _rows(run: Run) -> Iterator[tuple[str, ...]]:
    names = {alias.name: alias.stands_for for dataset in run.prepared.datasets for alias in dataset.aliases}
    rows = {dataset.name: dataset.rows for dataset in run.prepared.datasets}
    for worse in (True, False):
        for reading in HEADLINE_READINGS:
            for uid in flipped(run.results, reading, worse=worse):
                instance = run.results.by_uid[uid]
                row = rows[instance.dataset].get(instance.id, {})
                yield (
                    uid,
                    names.get(instance.id, instance.id),
                    _patient(row, names.get(instance.cluster, instance.cluster)),
                    str(reading.part),
                    str(reading.arm),
                    "worse" if worse else "better",
                    *_said(run.results.found[uid], reading),
                    instance.question,
                    instance.answer,
                    "" if reading.part == ANSWER else instance.gold.text(Stage(reading.part)) or "",
                    " | ".join(map(str, row.get("images") or ())),
                )


def _patient(row: Mapping[str, Any], cluster: str) -> str:
    """Return what the row says of its patient; else the cluster, which is called after its first row."""
    return str(row.get("patient_id") or row.get("cluster") or cluster)


def _said(found: Found, reading: Reading) -> tuple[str, str, str, str]:
    """Return what both releases came to, and their texts as far as they are kept."""
    return (
        _word(found.baseline.get(reading)),
        _word(found.verdicts.get(reading)),
        found.baseline_texts.get(reading, ""),
        found.texts.get(reading, ""),
    )


def _word(verdict: Verdict | None) -> str:
    match verdict:
        case Judged():
            return str(verdict.outcome)
        case Failed():
            return f"not delivered: {verdict.reason}"
        case _:
            return ""
