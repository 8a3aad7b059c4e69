"""The run of the release in use: whether this run may be compared with it."""

from collections.abc import Sequence
from pathlib import Path

from clinhallu_gate.datasets.load import Dataset
from clinhallu_gate.errors import BadInput
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.report.decision import DecisionDocument, load


def check_baseline(run: Path, *, protocol: Protocol, datasets: Sequence[Dataset], judge: str) -> DecisionDocument:
    """Return the baseline's decision. Raises ``BadInput`` if protocol, data or judge differ, saying which."""
    document = load(run / "decision.json")
    if document.protocol.sha256 != protocol.sha256:
        raise BadInput(
            f"--baseline: {run} is of another protocol: {document.protocol.name!r} ({document.protocol.sha256[:12]}), "
            f"not {protocol.name!r} ({protocol.sha256[:12]})."
        )
    theirs = {dataset.name: dataset.sha256 for dataset in document.datasets}
    for dataset in datasets:
        if theirs.get(dataset.name) != dataset.sha256:
            raise BadInput(f"--baseline: {run} is of other data: {dataset.name!r} is not the same there.")
    if document.judge != judge:
        raise BadInput(f"--baseline: {run} was judged by {document.judge!r}, not by {judge!r}.")
    return document
