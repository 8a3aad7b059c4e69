"""The run of the release in use: whether this run may be compared with it, and its verdicts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from clinhallu_gate.datasets.load import Dataset
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.metrics import VerdictOf
from clinhallu_gate.private import kept
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Reading, Unjudged, Verdict
from clinhallu_gate.report.decision import DecisionDocument, load
from clinhallu_gate.results import HEADLINE_READINGS
from clinhallu_gate.tree.evidence import verdict_of_row
from clinhallu_gate.vocabulary import UnjudgedReason

_LACKING: Final = Unjudged(UnjudgedReason.ENDPOINT_FAILED, "the baseline run has no verdict on it")


@dataclass(frozen=True, slots=True)
class JudgedBy:
    """Who judges: a judge's name, and its digest where it has one."""

    name: str
    sha256: str | None


def check_baseline(
    run: Path, *, protocol: Protocol, datasets: Sequence[Dataset], judge: JudgedBy, repeats: int = 1
) -> DecisionDocument:
    """Return the baseline's decision. Raises ``BadInput`` if protocol, data, judge or repeats differ, saying which."""
    if not (run / "decision.json").is_file():
        raise BadInput(f"--baseline: {run} is not the folder of a finished run (it has no decision.json).")
    try:
        document = load(run / "decision.json")
    except BadInput as error:
        raise BadInput(f"--baseline: {error}") from None
    if not document.completed:
        raise BadInput(f"--baseline: {run} was not completed, so it holds no result to compare with.")
    if document.protocol.sha256 != protocol.sha256:
        raise BadInput(
            f"--baseline: {run} is of another protocol: {document.protocol.name!r} ({document.protocol.sha256[:12]}), "
            f"not {protocol.name!r} ({protocol.sha256[:12]})."
        )
    theirs = {dataset.name: dataset.sha256 for dataset in document.datasets}
    for dataset in datasets:
        if theirs.get(dataset.name) != dataset.sha256:
            raise BadInput(f"--baseline: {run} is of other data: {dataset.name!r} is not the same there.")
    if document.judge != judge.name:
        raise BadInput(f"--baseline: {run} was judged by {document.judge!r}, not by {judge.name!r}.")
    if document.judge_sha256 != judge.sha256:
        raise BadInput(f"--baseline: {run} was judged by another revision of {judge.name!r}, or one that is not known.")
    if document.repeats != repeats:
        raise BadInput(f"--baseline: {run} has --repeats {document.repeats}, not {repeats}.")
    return document


def _key(row: Mapping[str, Any]) -> tuple[str, str, str, int]:
    return f"{row['dataset']}/{row['id']}", row["arm"], row["part"], row.get("repeat") or 0


def baseline_verdicts(run: Path, *, option: str = "--baseline") -> VerdictOf:
    """Return the verdicts of a run; what it lacks is unjudged there. Raises ``BadInput`` if it has none to read."""
    try:
        rows = pq.read_table(run / "results.parquet").drop_columns(["text"]).to_pylist()
        found = {_key(row): verdict_of_row(row) for row in rows}
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise BadInput(f"{option}: {run} has no results to compare with: {' '.join(str(error).split())}.") from None

    def verdict_of(uid: str, reading: Reading) -> Verdict:
        return found.get((uid, str(reading.arm), str(reading.part), reading.repeat), _LACKING)

    return verdict_of


def baseline_texts(run: Path, *, private: bool = False) -> dict[str, dict[Reading, str]]:
    """Return what the release in use wrote, by instance: its headline readings, as far as it kept them.

    With ``private`` what lies in its private folder counts as well: then this run shows it no further than its own.
    """
    file = kept(run, "results.parquet") if private else run / "results.parquet"
    columns = ["dataset", "id", "arm", "part", "repeat", "text"]
    wanted = {(str(reading.arm), str(reading.part), reading.repeat): reading for reading in HEADLINE_READINGS}
    found: dict[str, dict[Reading, str]] = {}
    for batch in pq.ParquetFile(file).iter_batches(columns=columns):
        for row in batch.to_pylist():
            uid, arm, part, repeat = _key(row)
            reading = wanted.get((arm, part, repeat))
            if reading is not None and row["text"] is not None:
                found.setdefault(uid, {})[reading] = row["text"]
    return found
