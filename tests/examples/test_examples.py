"""The examples load as they lie there, and the script that made them still makes them."""

import csv
import runpy
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

import pytest
from orthanc import orthanc
from pydicom import dcmread

from clinhallu_gate.datasets.load import DataOptions, load_data
from clinhallu_gate.pseudonym import SITE_KEY, pseudonym, site_key
from clinhallu_gate.records import Instance

EXAMPLES: Final = Path(__file__).parents[2] / "examples"
LARGEST: Final = 300_000
NAMES: Final = ("manifest", "dicom", "dicomweb")


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DataOptions:
    """Caches and a site key of the test's own."""
    monkeypatch.setenv(SITE_KEY, str(tmp_path / "site.key"))
    return DataOptions(cache=tmp_path / "cache", private_cache=tmp_path / "private")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the script makes."""
    folder = tmp_path_factory.mktemp("examples")
    main: Callable[[Path], None] = runpy.run_path(str(EXAMPLES / "make.py"))["main"]
    main(folder)
    return folder


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "manifest.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _told(instance: Instance) -> dict[str, Any]:
    told = {**asdict(instance), "images": len(instance.images)}
    return {name: value for name, value in told.items() if name not in ("dataset", "id", "cluster", "tags")}


def _sent(instances: tuple[Instance, ...]) -> list[list[str]]:
    return [[image.sha256 for image in instance.images] for instance in instances]


@pytest.mark.parametrize("name", NAMES)
def test_the_manifests_are_those_that_the_script_makes(made: Path, name: str) -> None:
    """Byte by byte; and the files that they name are all there."""
    assert (EXAMPLES / name / "manifest.csv").read_bytes() == (made / name / "manifest.csv").read_bytes()
    files = [{p.relative_to(root) for p in (root / name).rglob("*")} for root in (EXAMPLES, made)]
    assert files[0] - {Path(name, "README.md")} == files[1]


def test_the_examples_are_small() -> None:
    """They come with every checkout."""
    assert sum(path.stat().st_size for path in EXAMPLES.rglob("*") if path.is_file()) < LARGEST


@pytest.mark.parametrize("name", ["manifest", "dicom"])
def test_files_load_and_are_taken_for_patients(name: str, options: DataOptions) -> None:
    """No row says that it is of no patient: so ids are pseudonyms, and images are kept apart."""
    (dataset,) = load_data([str(EXAMPLES / name)], options)
    rows = _rows(EXAMPLES / name)
    assert dataset.name == name
    assert [instance.id for instance in dataset.instances] == [
        pseudonym(f"{name}/{row['id']}", site_key()) for row in rows
    ]
    assert all(instance.phi and instance.gold.visual_recognition for instance in dataset.instances)


def test_png_and_dicom_show_the_same(options: DataOptions) -> None:
    """Byte by byte, and the questions are the same."""
    png, dicom = (load_data([str(EXAMPLES / name)], options)[0].instances for name in ("manifest", "dicom"))
    assert _sent(png) == _sent(dicom)
    assert list(map(_told, png)) == list(map(_told, dicom))


def test_the_server_example_loads_from_an_orthanc_with_the_dicom_example_in_it(
    tmp_path: Path, options: DataOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As its README says."""
    with orthanc(tmp_path / "orthanc") as server:
        server.store(map(dcmread, sorted((EXAMPLES / "dicom").rglob("*.dcm"))))
        for name, value in server.credentials.items():
            monkeypatch.setenv(name, value)
        (fetched,) = load_data([server.spec(EXAMPLES / "dicomweb")], options)
    (local,) = load_data([str(EXAMPLES / "dicom")], options)
    assert fetched.name == "dicomweb"
    assert _sent(fetched.instances) == _sent(local.instances)
