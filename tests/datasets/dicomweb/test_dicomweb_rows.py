"""From ``--data dicomweb+http://...#manifest``: addresses and rows that cannot be used, each with its one line."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from data_files import CHOICE, ROW
from hostile import Sent, TwistedArchive

from clinhallu_gate._scripted.phantom_dicom import uid_rows, write_manifest
from clinhallu_gate.datasets.dataset import Selected
from clinhallu_gate.datasets.dicomweb.spec import DicomwebSpec, dicomweb_spec
from clinhallu_gate.datasets.load import BadRows, DataOptions, load_data
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.errors import BadInput

UIDS = {"study_uid": "1.2.3", "series_uid": "1.2.4"}


def _spec(archive: TwistedArchive, folder: Path, *rows: dict[str, Any]) -> str:
    return f"dicomweb+{archive.url}#{write_manifest(folder / 'ward' / 'mine.jsonl', rows)}"


def _row(**changes: object) -> dict[str, Any]:
    """Return a row of UIDs with changes; None takes a field away."""
    row = {**ROW, **UIDS, "images": None, **changes}
    return {name: value for name, value in row.items() if value is not None}


def _troubles(archive: TwistedArchive, folder: Path, options: DataOptions, *rows: dict[str, Any]) -> list[str]:
    with pytest.raises(BadRows) as raised:
        load_data([_spec(archive, folder, *rows)], options)
    return [problem.text for problem in raised.value.problems]


def test_an_address_and_a_manifest_are_read() -> None:
    """The part behind # is a path, whatever it holds; other specs are none of a server."""
    assert dicomweb_spec("dicomweb+http://127.0.0.1:8042/dicom-web/#a b/c#d.csv") == DicomwebSpec(
        "http://127.0.0.1:8042/dicom-web", "a b/c#d.csv"
    )
    assert dicomweb_spec("dicomweb+https://pacs.example/rs#m.csv") == DicomwebSpec("https://pacs.example/rs", "m.csv")
    assert dicomweb_spec("data/m.csv") is None
    assert dicomweb_spec("http://127.0.0.1/m.csv") is None


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("dicomweb+ftp://127.0.0.1/x#m.csv", "is no address of a DICOMweb server"),
        ("dicomweb+http://#m.csv", "can be read in several ways"),
        ("dicomweb+http://127.0.0.1:99999/#m.csv", "can be read in several ways"),
        ("dicomweb+http://[::1/#m.csv", "can be read in several ways"),
        ("dicomweb+http://127.1/x#m.csv", "can be read in several ways"),
        ("dicomweb+http://127.0.0.1/x", "names no manifest behind '#'"),
        ("dicomweb+http://127.0.0.1/x#", "names no manifest behind '#'"),
        ("dicomweb+http://127.0.0.1/x?limit=1#m.csv", "an address takes no query"),
        ("dicomweb+http://127.0.0.1/x#missing.csv", "missing.csv: does not exist"),
        ("dicomweb+http://127.0.0.1/x#missing", "there is no such manifest"),
        ("dicomweb+http://127.0.0.2.example/x#{manifest}", "--allow-host 127.0.0.2.example"),
        ("dicomweb+https://pacs.example/x#{manifest}", "--allow-host pacs.example"),
    ],
)
def test_an_address_that_cannot_be_used_is_one_line(spec: str, said: str, tmp_path: Path, options: DataOptions) -> None:
    """What is wrong with it, before anything is asked of anybody."""
    manifest = write_manifest(tmp_path / "mine.jsonl", [_row()])
    with pytest.raises(BadInput) as raised:
        load_data([spec.format(manifest=manifest)], options)
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_password_in_the_address_is_refused_and_not_told(options: DataOptions) -> None:
    """Addresses end up in histories and manifests."""
    with pytest.raises(BadInput) as raised:
        load_data(["dicomweb+http://me:s3cret@127.0.0.1/x#m.csv"], options)
    assert "CLINHALLU_GATE_DICOMWEB_USER" in str(raised.value)
    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"study_uid": "1.2/../3"}, "study_uid: '1.2/../3' is no DICOM UID"),
        ({"series_uid": "$(reboot)"}, "series_uid: '$(reboot)' is no DICOM UID"),
        ({"sop_uid": ["1.2", "..", "1.3"]}, "sop_uid[1]: '..' is no DICOM UID"),
        ({"sop_uid": "1.2\n"}, "sop_uid[0]: '1.2\\n' is no DICOM UID"),
        ({"study_uid": "1" * 65}, "is no DICOM UID"),
        ({"study_uid": 12}, "study_uid: 12 is not text"),
        ({"study_uid": None}, "study_uid: is missing"),
        ({"series_uid": None, "sop_uid": ["1.2"]}, "series_uid: is missing beside sop_uid"),
        ({"sop_uid": ["1.2", "1.2"]}, "sop_uid: names an instance twice"),
        ({"images": ["a.png"]}, "images: is given, and a manifest of a DICOMweb server names UIDs"),
        ({"answer": "perhaps"}, "answer: 'perhaps' is no answer to a yes_no question"),
    ],
)
def test_rows_are_checked_before_anything_is_fetched(
    archive: TwistedArchive, tmp_path: Path, options: DataOptions, changes: dict[str, Any], said: str
) -> None:
    """What is no UID never gets into an address or a path; a row with another fault is not fetched for, either."""
    (trouble,) = _troubles(archive, tmp_path, options, _row(**changes))
    assert said in trouble
    assert not archive.asked


def test_what_cannot_be_had_is_a_problem_of_its_row(
    archive: TwistedArchive, tmp_path: Path, options: DataOptions
) -> None:
    """All rows are looked at, and each problem names its field."""
    rows = [_row(source_id="1"), _row(source_id="2", sop_uid="1.2.5"), _row(source_id="3", series_uid=None)]
    assert _troubles(archive, tmp_path, options, *rows, {**CHOICE, **UIDS, "images": None, "answer_letter": "Z"}) == [
        "series_uid: the server has no such series",
        "sop_uid: the server has no such study, series or instance (HTTP 404)",
        "study_uid: the server has no such study",
        "answer_letter: (not shown) is no option. Valid: A, B",
    ]


def test_of_patients_no_uid_is_told(archive: TwistedArchive, tmp_path: Path, options: DataOptions) -> None:
    """A UID leads to a patient as a record number does."""
    rows = [_row(source_id="1", study_uid="1.2.777/", phi=True), _row(source_id="2", study_uid="1.2.888", phi=None)]
    told = " ".join(_troubles(archive, tmp_path, options, *rows))
    assert "777" not in told
    assert "888" not in told
    assert "(not shown) is no DICOM UID" in told


def test_what_is_not_taken_is_not_fetched(archive: TwistedArchive, tmp_path: Path, options: DataOptions) -> None:
    """Of days that nobody asks about no study is looked for; such a row is counted."""
    one, *others = uid_rows(archive.studies)
    two = next(row for row in others if row["study_uid"] != one["study_uid"])
    rows = [{**one, "study_date": "2026-01-31"}, {**two, "study_date": "2026-02-01"}]
    period = Period.read("2026-02-01", None)
    (dataset,) = load_data([_spec(archive, tmp_path, *rows)], replace(options, period=period))
    assert dataset.selected == Selected(rows=2, outside=1)
    assert len(dataset.instances) == 1
    assert archive.asked
    assert not [asked for asked in archive.asked if one["study_uid"] in asked.path]


def test_a_dead_server_is_one_line(archive: TwistedArchive, tmp_path: Path, options: DataOptions) -> None:
    """And no row's problem."""
    archive.twist = lambda _asked, _sent: Sent(status=401)
    with pytest.raises(BadInput) as raised:
        load_data([_spec(archive, tmp_path, *uid_rows(archive.studies))], options)
    assert str(raised.value).startswith(
        f"--data: {archive.url}: the DICOMweb server does not let us in (HTTP 401); set"
    )
    assert not isinstance(raised.value, BadRows)


def test_rows_of_uids_in_a_plain_manifest_are_told_where_they_belong(tmp_path: Path, options: DataOptions) -> None:
    """They lack images, and a server."""
    with pytest.raises(BadRows) as raised:
        load_data([str(write_manifest(tmp_path / "mine.jsonl", [_row()]))], options)
    assert "images: is missing" in str(raised.value)
