"""Whose DICOM files are: rows of one patient or one study belong together, whatever a manifest says of them."""

from collections.abc import Hashable, Iterable, Iterator, Sequence

from clinhallu_gate.datasets.check import Unfit
from clinhallu_gate.datasets.dicom.header import Header, Patient
from clinhallu_gate.datasets.row import Row


def patient_of(headers: Iterable[Header]) -> Patient | None:
    """Return whose files these are, None if none of them says. Raises ``Unfit`` for files of several patients."""
    patients = {header.patient for header in headers if header.patient is not None}
    if len(patients) > 1:
        raise Unfit(f"images: are of {len(patients)} patients, as PatientID in their headers says. Valid: one")
    return next(iter(patients), None)


def shared_by(headers: Sequence[Header]) -> tuple[Hashable, ...]:
    """Return what makes rows belong together: the patient, and the study where a header names no patient."""
    patients = dict.fromkeys(header.patient for header in headers if header.patient is not None)
    studies = dict.fromkeys(header.study for header in headers if header.study)
    return (*patients, *(("study", uid) for uid in studies))


def notes_on(rows: Iterable[tuple[Row, Sequence[Header]]]) -> Iterator[str]:
    """Say in numbers where a manifest's patients are not those of the headers; all concerned count as one patient."""
    of_group: dict[str, set[Patient]] = {}
    of_patient: dict[Patient, set[str]] = {}
    nameless = 0
    for row, headers in rows:
        patient = patient_of(headers)
        nameless += patient is None and row.group is None
        if patient is not None and row.group is not None:
            of_group.setdefault(row.group, set()).add(patient)
            of_patient.setdefault(patient, set()).add(row.group)
    joined = sum(len(patients) > 1 for patients in of_group.values())
    if joined:
        yield f"patient_id: {joined} of {len(of_group)} hold files of several patients by PatientID; each counts as one"
    split = sum(len(groups) > 1 for groups in of_patient.values())
    if split:
        yield f"patient_id: {split} of {len(of_patient)} patients by PatientID have several; each counts as one patient"
    if nameless:
        yield f"{nameless} rows name no patient, neither in the manifest nor in a header: a study counts as one"
