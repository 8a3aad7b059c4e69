"""Write a review sheet: a random sample of a finished run's texts, blinded, for people to label."""

import csv
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from clinhallu_gate.cells import fenced
from clinhallu_gate.errors import BadInput
from clinhallu_gate.judge.labels import SAMPLE, TEXT_SHA256
from clinhallu_gate.judge.review import NotReviewable, Reviewed, draw, review_seed, reviewed, sought, token
from clinhallu_gate.private import kept
from clinhallu_gate.records import Instance, Reading
from clinhallu_gate.report.decision import FILE_NAME, DecisionDocument, load
from clinhallu_gate.report.visible import visible
from clinhallu_gate.results import Results
from clinhallu_gate.tree.evidence import INSTANCES_FILE, Entry, read_evidence
from clinhallu_gate.tree.rows import gold_text
from clinhallu_gate.vocabulary import ANSWER, Arm, Part, QuestionType, Stage

COLUMNS: Final = (
    *("instance", "stage", "arm", "label", "note"),
    *("question", "options", "reference_answer", "reference_text", "text", "images", SAMPLE, TEXT_SHA256),
)
#: Spreadsheets keep at most 32,767 characters in a cell; what is longer is cut where the reader can see it.
_LONGEST: Final = 30_000
_LINE_END: Final = " \N{RETURN SYMBOL} "
_SAID: Final = ["dataset", "id", "stratum", "cluster", "question_type", "arm", "part", "text"]


@dataclass(frozen=True, slots=True)
class Sheet:
    """What was written, and what a sampled instance has beside it."""

    file: Path
    instances: int
    rows: int
    not_delivered: int
    matched: int
    """Answers that needed no judge."""
    lost: int
    """Parts of which the instrument left no text."""

    @property
    def line(self) -> str:
        """Return it as one line."""
        beside = {
            f"{self.not_delivered} parts the model did not deliver": self.not_delivered,
            f"{self.matched} answers that needed no judge": self.matched,
            f"{self.lost} parts without a text": self.lost,
        }
        counts = [f"{self.instances} instances", f"{self.rows} rows to label", *(say for say, n in beside.items() if n)]
        return f"{self.file}: {', '.join(counts)}. It holds the texts of the run: keep it as you keep the data."


def write_sheet(run: Path, n: int, out: Path | None = None) -> Sheet:
    """Draw ``n`` instances of a finished run and write what there is to label of them.

    Args:
        run: Folder of the run.
        n: Size of the sample, from 1 to the number of instances; a larger one extends a smaller one.
        out: The file; by default ``review-N.csv`` where the run keeps its texts. Only its owner may read it.

    Raises:
        BadInput: The run was not completed, was stopped early or keeps no texts; ``n`` is not such a number; the file
            is there already or cannot be written.
    """
    document = _completed(run)
    if any(gate.of is not None for gate in document.gates):
        raise BadInput(f"{run}: ended early, and a sample needs all of it. Run it with --no-early-stop first.")
    entries = {f"{entry.dataset}/{entry.id}": entry for entry in read_evidence(run).entries}
    if not 1 <= n <= len(entries):
        raise BadInput(f"--n: {n} is not a number of instances of {run}. Valid: 1 to {len(entries)}.")
    results = _results(run, entries)
    if not any(found.texts for found in results.found.values()):
        raise BadInput(f"{run}: keeps no texts, so there is nothing to label.")
    seed = review_seed([one.sha256 for one in document.datasets], document.model_sha256 or document.model)
    uids = draw(results.instances, seed, n)
    try:
        parts = [part for reading in sought(results) for part in reviewed(results, uids, reading)]
    except NotReviewable as error:
        raise BadInput(f"{run}: {error}; a sample needs all of it. Run it with --no-early-stop first.") from None
    shown = [part for part in parts if part.text is not None]
    if not shown:
        raise BadInput(f"{run}: the sample holds nothing to label.")
    sample = token(seed, n, parts)
    place = {uid: number for number, uid in enumerate(uids)}
    shown.sort(key=lambda part: place[part.uid])
    file = out or kept(run, INSTANCES_FILE).with_name(f"review-{n}.csv")
    _write(file, [_row(part, entries[part.uid], sample) for part in shown])
    return Sheet(
        file=file,
        instances=n,
        rows=len(shown),
        not_delivered=sum(results.verdict(part.uid, part.reading).kind == "failed" for part in parts),
        matched=sum(part.bad is not None and _is_judged(results, part) for part in parts),
        lost=sum(part.text is None and part.bad is None for part in parts),
    )


def _is_judged(results: Results, part: Reviewed) -> bool:
    return results.verdict(part.uid, part.reading).kind == "judged"


def _completed(run: Path) -> DecisionDocument:
    if not (run / FILE_NAME).is_file():
        raise BadInput(f"{run}: is not the folder of a finished run (it has no {FILE_NAME}).")
    document = load(run / FILE_NAME)
    if not document.completed:
        raise BadInput(f"{run}: was not completed, so there is nothing to sample from.")
    return document


# --- the run as it was left -------------------------------------------------------------------------------------------


def _results(run: Path, entries: Mapping[str, Entry]) -> Results:
    """Return the verdicts and texts of a run, on instances without their images."""
    try:
        rows = pq.read_table(kept(run, "results.parquet"), columns=_SAID).to_pylist()
        by_uid = {f"{row['dataset']}/{row['id']}": row for row in rows}
        if missing := [uid for uid in entries if uid not in by_uid]:
            raise BadInput(
                f"{run}: {len(missing)} of {len(entries)} instances were not asked, and a sample needs all of them. "
                "Run it with --no-early-stop first."
            )
        results = Results([_instance(by_uid[uid], entry) for uid, entry in entries.items()])
        for row in rows:
            if row["text"] is not None:
                part: Part = ANSWER if row["part"] == ANSWER else Stage(row["part"])
                results.found[f"{row['dataset']}/{row['id']}"].texts[Reading(Arm(row["arm"]), part)] = row["text"]
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise BadInput(f"{run}: results.parquet cannot be read: {' '.join(str(error).split())}.") from None
    for uid, entry in entries.items():
        results.found[uid].verdicts.update(entry.found.verdicts)
    return results


def _instance(row: Mapping[str, Any], entry: Entry) -> Instance:
    return Instance(
        dataset=entry.dataset,
        id=entry.id,
        stratum=row["stratum"],
        cluster=row["cluster"],
        images=(),
        question=str(entry.origin.row.get("question", "")),
        question_type=QuestionType(row["question_type"]),
        answer=str(entry.origin.row.get("answer", "")),
    )


# --- the sheet --------------------------------------------------------------------------------------------------------


def _row(part: Reviewed, entry: Entry, sample: str) -> tuple[str, ...]:
    row, stage = entry.origin.row, part.reading.part
    images = row.get("images") or row.get("image")
    return (
        *(part.uid, str(stage), str(part.reading.arm), "", ""),
        str(row.get("question", "")),
        " | ".join(_texts(row.get("options"))),
        str(row.get("answer", "")),
        "" if stage == ANSWER else gold_text(row, Stage(stage)),
        part.text or "",
        " | ".join(_texts(images)),
        *(sample, part.text_sha256),
    )


def _texts(value: object) -> Iterator[str]:
    """Yield the texts of a field that may hold one, several, or several by letter."""
    match value:
        case None:
            return
        case Mapping():
            yield from (f"{key}. {text}" for key, text in value.items())
        case list() | tuple():
            yield from map(str, value)
        case _:
            yield str(value)


def _write(file: Path, rows: Sequence[Sequence[str]]) -> None:
    """Write the rows, each on one line, to a new file that only its owner may read; with a mark for spreadsheets."""
    try:
        handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8-sig", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows([cell(text) for text in row] for row in rows)
    except FileExistsError:
        raise BadInput(f"--out: {file} is there already; name another file.") from None
    except (OSError, ValueError) as error:
        raise BadInput(f"--out: {file} cannot be written: {getattr(error, 'strerror', None) or error}.") from None


def cell(text: str) -> str:
    r"""Return a text as a cell that no spreadsheet runs, breaks or hides anything of.

    Line ends become a sign, hidden characters their code, and what would begin a formula gets an apostrophe before it.

    >>> cell("=1+1"), cell("one\ntwo")
    ("'=1+1", 'one ⏎ two')
    """
    return fenced(_LINE_END.join(visible(text, limit=_LONGEST).split("\n")))
