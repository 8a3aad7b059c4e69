"""The run of the same model on public data: whether its rates may stand beside local ones, and what they are."""

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.estimate import Figures
from clinhallu_gate.gate.frame import Frame
from clinhallu_gate.pipeline.baseline import JudgedBy, baseline_verdicts
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import Instance
from clinhallu_gate.report.beside_public import Rates, rates_of
from clinhallu_gate.report.decision import FILE_NAME, DecisionDocument, load
from clinhallu_gate.vocabulary import QuestionType, Unit

_SAID = ["dataset", "id", "stratum", "cluster", "question_type"]


def public_rates(
    run: Path,
    *,
    model_sha256: str | None,
    protocol: Protocol,
    judge: JudgedBy,
    unit: Unit,
    max_without_gold: float = 0.0,
) -> Rates:
    """Return the headline rates of a finished run.

    Args:
        run: Its folder.
        model_sha256: Digest of the model that is examined here.
        protocol: As here.
        judge: As here.
        unit: What counts alike in the rates here, so that both are of one kind.
        max_without_gold: The share of a rate's instances that may lack gold, as here.

    Raises:
        BadInput: It is no run that was completed, it holds patients' data, or model, protocol or judge are not those
            of this run; it says what differs.
    """
    document = _document(run)
    apart = [
        _apart("model", document.model_sha256, model_sha256),
        _apart("protocol", document.protocol.sha256, protocol.sha256),
        _apart("judge", document.judge, judge.name, digests=False),
        _apart("revision of the judge", document.judge_sha256, judge.sha256),
    ]
    if any(apart):
        raise BadInput(f"--public-run: {run} is not of the same {'; '.join(filter(None, apart))}.")
    if model_sha256 is None:
        raise BadInput(
            f"--public-run: {run}: whether it is of the same model cannot be told: what an endpoint serves has no "
            "digest without --model-revision."
        )
    verdict_of = baseline_verdicts(run, option="--public-run")
    figures = Figures(
        Frame.of(_instances(run)),
        verdict_of,
        unit=unit,
        repeats=document.repeats,
        max_without_gold=max_without_gold,
    )
    return rates_of(f"{', '.join(one.name for one in document.datasets)} ({run})", figures)


def _document(run: Path) -> DecisionDocument:
    if not (run / FILE_NAME).is_file():
        raise BadInput(f"--public-run: {run} is not the folder of a finished run (it has no {FILE_NAME}).")
    try:
        document = load(run / FILE_NAME)
        manifest: dict[str, Any] = json.loads((run / "manifest.json").read_bytes())
    except (BadInput, OSError, ValueError) as error:
        raise BadInput(f"--public-run: {' '.join(str(error).split())}") from None
    if not document.completed:
        raise BadInput(f"--public-run: {run} was not completed, so it holds no rate.")
    if manifest.get("patient_data"):
        raise BadInput(f"--public-run: {run} is of patients' data. Name a run on public data.")
    if manifest.get("limit") is not None:
        raise BadInput(f"--public-run: {run} asked a part of its data (--limit).")
    return document


def _apart(what: str, theirs: str | None, ours: str | None, *, digests: bool = True) -> str:
    """Return what differs, with both values; nothing if nothing does."""
    if theirs == ours:
        return ""
    shown = [(value or "not known")[: 12 if digests and value else None] for value in (theirs, ours)]
    return f"{what}: {shown[0]} there, {shown[1]} here"


def _instances(run: Path) -> list[Instance]:
    """Return the instances of a run as far as its results name them: without a word or an image."""
    try:
        rows = pq.read_table(run / "results.parquet", columns=_SAID).to_pylist()
    except (OSError, ValueError, LookupError, pa.ArrowException) as error:
        raise BadInput(f"--public-run: {run} has no results to read: {' '.join(str(error).split())}.") from None
    named = {f"{row['dataset']}/{row['id']}": row for row in rows}
    return [
        Instance(
            dataset=row["dataset"],
            id=row["id"],
            stratum=row["stratum"],
            cluster=row["cluster"],
            images=(),
            question="",
            question_type=QuestionType(row["question_type"]),
            answer="",
        )
        for row in named.values()
    ]
