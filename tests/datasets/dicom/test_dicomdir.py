"""DICOMDIRs: the files that a medium lists, and none that lies elsewhere."""

import shutil
from pathlib import Path
from typing import Any

import pytest
from data_files import manifest, troubles
from dicom_studies import ASKED
from pydicom import dcmread
from pydicom.data import get_testdata_file

from clinhallu_gate.datasets.dataset import Dataset
from clinhallu_gate.datasets.dicom.quiet import quiet
from clinhallu_gate.datasets.load import DataOptions, load_data

ROW = {**ASKED, "images": ["cd/DICOMDIR"]}


@pytest.fixture
def medium(tmp_path: Path) -> Path:
    """A copy of pydicom's medium: 31 files of 3 patients."""
    source = get_testdata_file("dicomdirtests/DICOMDIR")
    assert isinstance(source, str)
    return Path(shutil.copytree(Path(source).parent, tmp_path / "cd"))


def _load(folder: Path, options: DataOptions, row: dict[str, Any]) -> Dataset:
    return load_data([str(manifest(folder, [row], images={}))], options)[0]


def _listing(medium: Path, *parts: str) -> None:
    """Let the directory's first image be found elsewhere."""
    directory = dcmread(medium / "DICOMDIR")
    record = next(record for record in directory.DirectoryRecordSequence if "ReferencedFileID" in record)
    with quiet():  # no name that the standard allows leads out
        record.ReferencedFileID = list(parts)
        directory.save_as(medium / "DICOMDIR")


def _series(medium: Path, folder: str) -> str:
    return str(dcmread(next((medium / folder).iterdir())).SeriesInstanceUID)


def test_a_series_of_a_medium_is_drawn(medium: Path, tmp_path: Path, options: DataOptions) -> None:
    """In the order of its slices; patient and facts are those of its own files, not of others on the medium."""
    dataset = _load(tmp_path, options, {**ROW, "series": _series(medium, "77654033/CT2")})
    assert [image.file for image in dataset.drawn] == [
        f"cd/77654033/CT2/{name}" for name in ("17106", "17136", "17166", "17196")
    ]
    assert dataset.instances[0].tags[0] == "modality:ct"
    assert len(dataset.files) == 31
    assert dataset.notes == ()


@pytest.mark.usefixtures("medium")
def test_a_medium_of_several_series_needs_one_named(tmp_path: Path, options: DataOptions) -> None:
    """They are counted."""
    (told,) = troubles(manifest(tmp_path, [ROW], images={}), options)
    assert "'cd/DICOMDIR' needs the row's field series, as it holds 13 series (3 cr, 3 ct, 7 mr)" in told


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        (("..", "OUTSIDE"), "lists '../OUTSIDE', which leads out of its folder"),
        (("", "etc", "passwd"), "lists '/etc/passwd', which is absolute"),
        (("77654033", "LINK"), "lists '77654033/LINK', which leads out of "),
        (("77654033", "NONE"), "lists '77654033/NONE', which does not exist in "),
        (("77654033", "CT2"), "lists '77654033/CT2', which is no file"),
    ],
)
def test_a_medium_lists_nothing_outside_itself(
    parts: tuple[str, ...], says: str, medium: Path, tmp_path: Path, options: DataOptions
) -> None:
    """Neither by its steps nor through a link, even to a file that lies below the manifest's folder."""
    shutil.copy(medium / "77654033" / "CT2" / "17106", tmp_path / "OUTSIDE")
    (medium / "77654033" / "LINK").symlink_to(tmp_path / "OUTSIDE")
    _listing(medium, *parts)
    (told,) = troubles(manifest(tmp_path, [ROW], images={}), options)
    assert told.startswith(f"1: images[0]: 'cd/DICOMDIR' {says}")
    (told,) = troubles(manifest(tmp_path, [{**ROW, "phi": True}], images={}), options)
    assert "77654033" not in told


def test_a_record_out_of_use_is_not_read(medium: Path, tmp_path: Path, options: DataOptions) -> None:
    """Its file may be gone."""
    wanted = {**ROW, "series": _series(medium, "77654033/CT2")}
    directory = dcmread(medium / "DICOMDIR")
    record = next(record for record in directory.DirectoryRecordSequence if "ReferencedFileID" in record)
    medium.joinpath(*record.ReferencedFileID).unlink()
    assert "which does not exist in" in troubles(manifest(tmp_path, [wanted], images={}), options)[0]
    record.RecordInUseFlag = 0
    directory.save_as(medium / "DICOMDIR")
    assert len(_load(tmp_path, options, wanted).files) == 30


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"no DICOM", "is not an image."),
        (b"\0" * 128 + b"DICM" + b"\xff" * 40, "cannot be read as a DICOMDIR: "),
    ],
)
def test_a_broken_directory_is_a_problem(
    content: bytes, says: str, medium: Path, tmp_path: Path, options: DataOptions
) -> None:
    """In one line."""
    (medium / "DICOMDIR").write_bytes(content)
    (told,) = troubles(manifest(tmp_path, [ROW], images={}), options)
    assert told.startswith(f"1: images[0]: 'cd/DICOMDIR' {says}")
    (medium / "DICOMDIR").write_bytes((medium / "77654033" / "CT2" / "17106").read_bytes())
    (told,) = troubles(manifest(tmp_path, [ROW], images={}), options)
    assert told.startswith("1: images[0]: 'cd/DICOMDIR' cannot be read as a DICOMDIR")
