"""The same phantoms from a server, from DICOM files and from PNG files: the same bytes are sent to a model."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from orthanc import Orthanc

from clinhallu_gate._scripted.phantom_dicom import (
    PhantomStudy,
    file_rows,
    png_rows,
    uid_rows,
    write_files,
    write_manifest,
    write_pngs,
)
from clinhallu_gate.datasets.frozen_list import read_frozen
from clinhallu_gate.datasets.load import DataOptions, Dataset, load_data
from clinhallu_gate.pipeline.freezing import freeze
from clinhallu_gate.pseudonym import site_key
from clinhallu_gate.records import Instance


@pytest.fixture(autouse=True)
def let_in(clinic: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment says who asks."""
    for name, value in clinic.credentials.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def from_png(studies: tuple[PhantomStudy, ...], tmp_path: Path, options: DataOptions) -> Dataset:
    """The phantoms from PNG files."""
    write_pngs(tmp_path / "png", studies)
    return load_data([str(write_manifest(tmp_path / "png" / "phantoms.jsonl", png_rows(studies)))], options)[0]


def _sent(dataset: Dataset) -> Mapping[str, tuple[str, ...]]:
    return {instance.id: tuple(image.sha256 for image in instance.images) for instance in dataset.instances}


def _told(instance: Instance) -> Instance:
    """Return what is asked and of whom, without pixels and what headers add."""
    return replace(instance, images=(), tags=())


def test_files_and_folders_of_series_give_the_pixels_of_the_png_files(
    studies: tuple[PhantomStudy, ...], tmp_path: Path, options: DataOptions, from_png: Dataset
) -> None:
    """In every syntax, photometric interpretation and layout, byte by byte, in the order of the images."""
    write_files(tmp_path / "dicom", studies)
    manifest = write_manifest(tmp_path / "dicom" / "phantoms.jsonl", file_rows(studies))
    (dataset,) = load_data([str(manifest)], options)
    assert len(dataset.instances) == 3 * len(studies)
    assert _sent(dataset) == _sent(from_png)


def test_a_server_gives_the_pixels_of_the_png_files(
    clinic: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path, options: DataOptions, from_png: Dataset
) -> None:
    """And the same instances otherwise, under the same pseudonyms."""
    manifest = write_manifest(tmp_path / "pacs" / "phantoms.jsonl", uid_rows(studies))
    (dataset,) = load_data([clinic.spec(manifest)], options)
    assert _sent(dataset) == _sent(from_png)
    assert list(map(_told, dataset.instances)) == list(map(_told, from_png.instances))
    assert all(instance.phi for instance in dataset.instances)
    assert dataset.sources == {"phantoms": str(manifest), "dicomweb": clinic.url}
    assert {identifier.value for identifier in dataset.identifiers} >= {study.patient.id for study in studies}
    private = str(options.private_cache)
    assert all(str(image.path).startswith(private) for instance in dataset.instances for image in instance.images)


def test_the_same_again_needs_no_server(
    clinic: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path, options: DataOptions
) -> None:
    """Everything is in the private cache; the digest of the data is the same."""
    manifest = write_manifest(tmp_path / "pacs" / "phantoms.jsonl", uid_rows(studies))
    (first,) = load_data([clinic.spec(manifest)], options)
    (again,) = load_data([f"dicomweb+http://127.0.0.1:1/dicom-web#{manifest}"], options)
    assert again.sha256 == first.sha256


def test_rows_of_no_patient_may_say_so(
    clinic: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path, options: DataOptions
) -> None:
    """Their drawn images go where such images go; the studies themselves stay in the private cache."""
    manifest = write_manifest(tmp_path / "pacs" / "phantoms.jsonl", uid_rows(studies[:3], phi=False))
    (dataset,) = load_data([clinic.spec(manifest)], options)
    assert not any(instance.phi for instance in dataset.instances)
    assert {instance.id for instance in dataset.instances} == {i.id for study in studies[:3] for i in study.instances}
    shared = str(options.cache)
    assert all(str(image.path).startswith(shared) for instance in dataset.instances for image in instance.images)
    assert not list(Path(shared).rglob("*.dcm"))


def test_what_was_frozen_from_a_server_is_what_a_run_takes(
    clinic: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path, options: DataOptions
) -> None:
    """The list knows the instances again, and what was fetched for it is not fetched again."""
    manifest = write_manifest(tmp_path / "pacs" / "phantoms.jsonl", uid_rows(studies[:4]))
    freeze([clinic.spec(manifest)], tmp_path / "list.json", private_cache=options.private_cache)
    later = write_manifest(manifest, [*uid_rows(studies[:4]), *uid_rows(studies[20:21])])
    frozen = read_frozen(tmp_path / "list.json", site_key)
    (dataset,) = load_data([clinic.spec(later)], replace(options, frozen=frozen))
    assert len(dataset.instances) == 3 * 4
