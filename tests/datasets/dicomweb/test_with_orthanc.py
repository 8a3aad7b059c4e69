"""A real archive: what comes from Orthanc is what was stored there, pixel by pixel."""

from io import BytesIO
from pathlib import Path

import pytest
from fetched import fetched, kept, whole_series
from hostile import file_of
from orthanc import PASSWORD, Orthanc
from pydicom import dcmread

from clinhallu_gate._scripted.phantom_dicom import SYNTAXES, PhantomStudy
from clinhallu_gate.datasets.dicomweb.faults import PASSWORD as PASSWORD_NAME
from clinhallu_gate.datasets.dicomweb.faults import ServerUnusable
from clinhallu_gate.datasets.dicomweb.fetch import Found


@pytest.fixture(autouse=True)
def let_in(clinic: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says who asks."""
    for name, value in clinic.credentials.items():
        monkeypatch.setenv(name, value)


def test_every_syntax_comes_as_it_was_stored(
    clinic: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path
) -> None:
    """No syntax is changed on the way, and every element is what it was, the pixels among them."""
    found = fetched(clinic.url, tmp_path, *map(whole_series, studies))
    files = [file for each in found if isinstance(each, Found) for file in each.files]
    assert sorted(files) == kept(tmp_path)
    stored = (dcmread(BytesIO(file_of(file))) for study in studies for file in study.files)
    originals = {file.SOPInstanceUID: file for file in stored}
    came = {file.SOPInstanceUID: file for file in map(dcmread, files)}
    assert came.keys() == originals.keys()
    assert {file.file_meta.TransferSyntaxUID for file in came.values()} == set(SYNTAXES)
    for uid, file in came.items():
        assert file.file_meta.TransferSyntaxUID == originals[uid].file_meta.TransferSyntaxUID
        assert file.to_json_dict() == originals[uid].to_json_dict()


@pytest.mark.parametrize("password", ["", f"{PASSWORD}!"])
def test_a_wrong_password_is_told_by_how_to_give_one(
    clinic: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, password: str
) -> None:
    """And the password itself is not."""
    monkeypatch.setenv(PASSWORD_NAME, password)
    with pytest.raises(ServerUnusable, match=r"does not let us in \(HTTP 401\)") as raised:
        fetched(clinic.url, tmp_path, whole_series(studies[0]))
    assert PASSWORD not in str(raised.value)
    assert not kept(tmp_path)


def test_a_repeated_fetch_needs_no_server(clinic: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path) -> None:
    """All of it from the cache: the archive is asked for each file and each list once, and then for nothing."""
    wanted, before = [whole_series(study) for study in studies], clinic.asked
    first = fetched(clinic.url, tmp_path, *wanted)
    once = clinic.asked
    assert once - before >= len(studies)
    assert fetched(clinic.url, tmp_path, *wanted) == first
    assert clinic.asked == once
    assert fetched("http://127.0.0.1:1/dicom-web", tmp_path, *wanted) == first
