"""Whom the pseudonyms of a run stand for: a private table, by which the site looks a finding up."""

import csv
from collections.abc import Iterator
from typing import Final

from clinhallu_gate.datasets.dataset import Dataset
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.reviewing import cell

IDS_FILE: Final = "ids.csv"
COLUMNS: Final = ("pseudonym", "what", "original")


def write_ids(prepared: Prepared) -> None:
    """Write ``ids.csv``: of instances, clusters and groups the names that they bore, of clusters their patients, too.

    A cluster is called after its first row; its patient is told by the rows' ``patient_id`` and the headers' PatientID.
    No cell is one that a spreadsheet would run. Raises ``OSError``.
    """
    rows = dict.fromkeys(row for dataset in prepared.datasets for row in _rows(dataset))
    if rows:
        with (prepared.kept_dir / IDS_FILE).open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerows(map(cell, row) for row in rows)


def _rows(dataset: Dataset) -> Iterator[tuple[str, str, str]]:
    yield from dataset.aliases
    for instance in dataset.instances:
        told = (dataset.rows.get(instance.id, {}).get("patient_id"), dataset.patient_ids.get(instance.id))
        for patient in told:
            if instance.phi and patient not in (None, ""):
                yield instance.cluster, "patient", str(patient)
