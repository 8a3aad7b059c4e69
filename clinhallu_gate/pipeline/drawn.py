"""What was drawn from DICOM: image by image for the site, in counts for everybody."""

import csv
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clinhallu_gate.datasets.dataset import Dataset, DrawnImage

DRAWN_FILE: Final = "drawn.csv"
COLUMNS: Final = (
    *("dataset", "instance", "file", "frame", "sop_instance_uid", "transfer_syntax", "window", "steps", "sha256"),
)


def write_drawn(folder: Path, datasets: Iterable[Dataset]) -> None:
    """Write how each image came to be, if any was drawn. Raises ``OSError``."""
    rows = [_row(dataset.name, image) for dataset in datasets for image in dataset.drawn]
    if rows:
        with (folder / DRAWN_FILE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


def _row(dataset: str, image: DrawnImage) -> Mapping[str, Any]:
    return {
        "dataset": dataset,
        "instance": image.instance,
        "file": image.file,
        "frame": image.frame,
        "sop_instance_uid": image.sop_instance_uid,
        "transfer_syntax": image.transfer_syntax,
        "window": image.window,
        "steps": "; ".join(image.steps),
        "sha256": image.sha256,
    }


def summary_of(drawn: Sequence[DrawnImage]) -> Mapping[str, Any]:
    """Count images by transfer syntax and by where their window is from; no file and no number of a patient."""
    return {
        "images": len(drawn),
        "transfer_syntaxes": dict(sorted(Counter(image.transfer_syntax for image in drawn).items())),
        "windows": dict(sorted(Counter(map(_window_kind, drawn)).items())),
    }


def _window_kind(image: DrawnImage) -> str:
    """Return what a window is called, without its numbers: ``VOI 1 of 2: 40/400`` is ``VOI 1 of 2``."""
    kind = image.window.partition(":")[0]
    return "window" if kind.startswith("window ") else kind
