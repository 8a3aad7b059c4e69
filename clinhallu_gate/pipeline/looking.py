"""Look at patients' files before anything runs."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from clinhallu_gate.datasets.dataset import Dataset
from clinhallu_gate.deidentification.findings import Depth, Preflight
from clinhallu_gate.pipeline.options import RunOptions


def look_at_files(options: RunOptions, datasets: Sequence[Dataset], kept: Path) -> Preflight:
    """Look at the DICOM files and images of patients, as closely as ``--preflight`` says.

    Args:
        options: Of the run.
        datasets: As they were loaded.
        kept: The run's private cache: what was drawn into it is none of the files that were read, and a killed look
            goes on from there.

    Raises:
        BadInput: ``ocr`` without tesseract.
    """
    from clinhallu_gate.deidentification.preflight import preflight  # noqa: PLC0415 - no pydicom without patients

    files = dict.fromkeys(_files(datasets, kept.resolve()))
    return preflight(files, depth=Depth(options.preflight), kept=kept)


def _files(datasets: Sequence[Dataset], kept: Path) -> Iterator[Path]:
    for dataset in datasets:
        if any(instance.phi for instance in dataset.instances):
            yield from dataset.files
        for path in (image.path for each in dataset.instances if each.phi for image in each.images):
            if path is not None and not path.resolve().is_relative_to(kept):
                yield path
