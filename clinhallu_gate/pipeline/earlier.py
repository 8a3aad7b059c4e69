"""Earlier runs of the same model on the same data: trying again is allowed, and never silent."""

from collections.abc import Iterable
from pathlib import Path

from clinhallu_gate.datasets.load import Dataset
from clinhallu_gate.errors import BadInput
from clinhallu_gate.report.decision import FILE_NAME, DecisionDocument, load


def earlier_runs(folder: Path, *, model_sha256: str | None, datasets: Iterable[Dataset]) -> tuple[str, ...]:
    """Return the runs below ``folder`` with this very model and these very data, and what each decided.

    Args:
        folder: Where the runs of a model are kept by default, ``reports/MODEL``.
        model_sha256: Digest of what decides its replies; of a model without one nothing is known to be the same.
        datasets: The data of the run.
    """
    wanted = sorted(dataset.sha256 for dataset in datasets)
    found = []
    for file in sorted(folder.glob(f"*/{FILE_NAME}")):
        try:
            document = load(file)
        except BadInput:
            continue
        if model_sha256 is not None and document.model_sha256 == model_sha256 and _data(document) == wanted:
            word = document.decision or ("no decision" if document.completed else "not completed")
            found.append(f"{file.parent.name} ({word})")
    return tuple(found)


def _data(document: DecisionDocument) -> list[str]:
    return sorted(dataset.sha256 for dataset in document.datasets)
