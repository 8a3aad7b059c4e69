"""A manifest of DICOM from end to end: what was drawn is recorded, facts are told, and no header leaks."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from canaries import PATIENTS, Patient, Search, echo, judge
from gate_run import GATES, Outcome, Rig
from PIL import Image as Pillow
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from clinhallu_gate.private import private_folder
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import Request, ScriptedReply, ScriptedServer

SLICES = 7
POLICY = """
schema_version: 1
target: benchmark
max_unjudged: 1.0
judge: {probes: 4, min_sensitivity: 0.0, min_specificity: 0.0}
gates:
  - {metric: visual_hallucination_rate, scope: [mean, each], max: 0.9}
  - {metric: answer_accuracy, min: 0.1}
"""


def _write(folder: Path) -> Path:
    """Write a series of seven slices for each patient, whose every header, folder and file name tells who it is."""
    rows = []
    for patient in PATIENTS:
        series = folder / f"{patient.family}_{patient.mrn}"
        series.mkdir(parents=True)
        for number in range(SLICES):
            _slice(patient, number).save_as(series / f"{patient.given}{number}.dcm", enforce_file_format=True)
        gold = ("visual_recognition", "knowledge_recall", "reasoning")
        row = {
            "id": f"{patient.family}-1",
            "question": f"Is there a mass in {patient.given}?",
            "answer": "yes",
            "question_type": "yes_no",
            "images": [series.name],
            "stratum": "{modality}",
            "window": "40/400",
            **{f"gold_{stage}": "A mass of 3 cm is seen on the left." for stage in gold},
        }
        rows += [row, {**row, "id": f"{patient.family}-2", "frames": [4], "window": 1}]
    path = folder / "scans.jsonl"
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
    (folder / "policy.yaml").write_text(POLICY)
    return path


def _slice(patient: Patient, number: int) -> Dataset:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID = CTImageStorage
    for level, name in enumerate(("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID")):
        setattr(made, name, generate_uid(entropy_srcs=[patient.mrn, name, f"{number if level == 2 else 0}"]))
    made.PatientName = f"{patient.family}^{patient.given}"
    made.PatientID, made.AccessionNumber = patient.mrn, patient.accession
    made.PatientBirthDate, made.StudyDate, made.PatientSex = "".join(patient.born), "20240101", "F"
    made.Modality, made.BodyPartExamined, made.Manufacturer = "CT", "CHEST", "SIEMENS"
    for name in ("StudyDescription", "ImageComments", "InstitutionName", "StationName"):
        setattr(made, name, f"of {patient.family}"[:16])
    made.InstanceNumber = SLICES - number
    made.ImageOrientationPatient, made.ImagePositionPatient = [1, 0, 0, 0, 1, 0], [0, 0, 3 * number]
    made.WindowCenter, made.WindowWidth = 2000, 4000
    made.Rows = made.Columns = 32
    made.SamplesPerPixel, made.PhotometricInterpretation, made.PixelRepresentation = 1, "MONOCHROME2", 0
    made.BitsAllocated, made.BitsStored, made.HighBit = 16, 12, 11
    rng = np.random.default_rng([int(patient.mrn), number])
    made.PixelData = rng.integers(0, 4000, (32, 32), np.uint16).tobytes()
    return made


@pytest.fixture(scope="module")
def scans(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve questions about six patients."""
    return _write(tmp_path_factory.mktemp("scans"))


@pytest.fixture(scope="module")
def asked() -> list[Request]:
    """What the model was sent."""
    return []


@pytest.fixture(scope="module")
def gated(rig: Rig, scans: Path, asked: list[Request]) -> Iterator[Outcome]:
    """A run with the defaults."""

    def reply(request: Request) -> ScriptedReply:
        asked.append(request)
        return echo(request)

    with ScriptedServer(reply=reply, model="echo") as model, ScriptedServer(reply=judge, model="judge") as second:
        yield rig.run(
            *(*GATES, "-rA", "-vv", "-n", "0", "--endpoint", model.base_url, "--model", "echo", "--data", str(scans)),
            *("--judge", "judge", "--judge-endpoint", second.base_url, "--judge-revision", "1"),
            *("--thresholds", str(scans.with_name("policy.yaml"))),
            env={SITE_KEY: str(scans.with_name("site.key"))},
        )


def test_what_the_model_saw_is_recorded_image_by_image(gated: Outcome, asked: list[Request]) -> None:
    """``drawn.csv`` in the private folder names file, frame, window and digest of every image that was sent."""
    assert gated.status in (0, 1), gated.out[-3_000:]
    private = private_folder(gated.folder)
    with (private / "drawn.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    ids = {row["id"] for row in pq.read_table(gated.folder / "results.parquet").to_pylist()}
    assert {row["instance"] for row in rows} == ids
    assert Counter(Counter(row["instance"] for row in rows).values()) == {5: 6, 1: 6}
    assert {row["window"] for row in rows} == {"window 40/400", "VOI 1 of 1: 2000/4000"}
    assert {row["transfer_syntax"] for row in rows} == {"Explicit VR Little Endian"}
    first = [row["file"] for row in rows if row["file"].startswith(PATIENTS[0].family)][:5]
    assert [name[-5] for name in first] == ["0", "2", "3", "5", "6"]
    kept = {path.stem: path for path in (private / "images").rglob("*.png")}
    assert kept.keys() == {row["sha256"] for row in rows}
    with Pillow.open(kept[rows[0]["sha256"]]) as image:
        assert (image.size, image.mode) == ((32, 32), "L")
    assert {request.raw.count(b"data:image/png;base64,") for request in asked} == {5, 1}


def test_facts_of_headers_are_told_and_no_patient(gated: Outcome) -> None:
    """Strata and breakdowns by modality, body part and maker; counts of syntaxes and windows; nobody's name."""
    results = pq.read_table(gated.folder / "results.parquet").to_pylist()
    assert {row["stratum"] for row in results} == {"ct"}
    assert "ct" in {gate["scope"] for gate in gated.decision["gates"]}
    page = (gated.folder / "report.html").read_text("utf-8")
    assert all(tag in page for tag in ("modality", "body_part", "chest", "manufacturer", "siemens"))
    (dataset,) = gated.manifest["datasets"]
    assert dataset["dicom"] == {
        "images": 36,
        "transfer_syntaxes": {"Explicit VR Little Endian": 36},
        "windows": {"VOI 1 of 1": 6, "window": 30},
    }
    assert gated.manifest["max_images"] == 5
    assert Search().folder(gated.folder) == {}
    assert Search().packed((gated.out + gated.err).encode()) == set()
    assert Search(pixels=False).file(private_folder(gated.folder) / "drawn.csv")


def test_a_patient_is_a_cluster(gated: Outcome) -> None:
    """Both questions about a patient count as one, without a word in the manifest."""
    results = pq.read_table(gated.folder / "results.parquet").to_pylist()
    clusters = {row["id"]: row["cluster"] for row in results}
    assert Counter(Counter(clusters.values()).values()) == {2: 6}


def test_whom_a_pseudonym_stands_for_is_kept(gated: Outcome) -> None:
    """A cluster's by the PatientID of its files, as the manifest names no patient."""
    with (private_folder(gated.folder) / "ids.csv").open(encoding="utf-8", newline="") as file:
        told = [(row["pseudonym"], row["original"]) for row in csv.DictReader(file) if row["what"] == "patient"]
    results = pq.read_table(gated.folder / "results.parquet").to_pylist()
    assert {pseudonym for pseudonym, _ in told} == {row["cluster"] for row in results}
    assert sorted(original for _, original in told) == sorted(patient.mrn for patient in PATIENTS)


def test_a_broken_file_is_told_without_its_patient(rig: Rig, scans: Path, tmp_path: Path) -> None:
    """The run ends before anything is asked, with file, row and reason."""
    data = _write(tmp_path)
    victim = next((tmp_path / f"{PATIENTS[0].family}_{PATIENTS[0].mrn}").iterdir())
    victim.write_bytes(victim.read_bytes()[:300])
    with ScriptedServer(reply=echo, model="echo") as model:
        outcome = rig.run(
            *("suites/", "--endpoint", model.base_url, "--model", "echo", "--judge", "oracle", "--data", str(data)),
            *("--thresholds", str(tmp_path / "policy.yaml")),
            env={SITE_KEY: str(scans.with_name("site.key"))},
        )
    assert outcome.status == 4
    assert "2 of 12 rows cannot be used" in outcome.err
    assert f"{data}:1: images[0]: (not shown) holds 1 of 7 DICOM files that cannot be used: (not shown) " in outcome.err
    assert Search(pixels=False).packed((outcome.out + outcome.err).encode()) == set()
