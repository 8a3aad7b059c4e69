"""Rows that name DICOM files: drawn images, facts as tags, patients from headers, and what is refused."""

from pathlib import Path
from typing import Any

from data_files import manifest, only, pixels
from dicom_studies import ASKED, save, uid

from clinhallu_gate.datasets.load import DataOptions, load_data


def _load(folder: Path, options: DataOptions, *rows: dict[str, Any]) -> Any:  # noqa: ANN401
    return load_data([str(manifest(folder, rows, images={}))], options)[0]


def test_a_dicom_file_is_drawn_as_a_png(tmp_path: Path, options: DataOptions) -> None:
    """Its images are those that are sent, and how they came to be is on record; the row stays as it was."""
    save(tmp_path / "ct" / "slice")
    row = {**ASKED, "images": ["ct/slice"], "window": "128/256"}
    dataset = _load(tmp_path, options, row)
    (instance,) = dataset.instances
    (image,) = instance.images
    assert pixels(image).size == (8, 8)
    assert pixels(image).format == "PNG"
    (drawn,) = dataset.drawn
    assert (drawn.instance, drawn.file, drawn.frame, drawn.sha256) == ("1", "ct/slice", 1, image.sha256)
    assert (drawn.sop_instance_uid, drawn.transfer_syntax) == (uid("sop", "1", 1, None), "Explicit VR Little Endian")
    assert drawn.window == "window 128/256"
    assert dataset.rows == {"1": row}
    assert dataset.files == (tmp_path / "ct" / "slice",)


def test_images_of_patients_go_to_the_private_cache(tmp_path: Path, options: DataOptions) -> None:
    """A row that does not say whose it is, is a patient's; others are drawn into the shared one."""
    save(tmp_path / "a.dcm")
    row = {key: value for key, value in ASKED.items() if key != "phi"} | {"images": ["a.dcm"]}
    dataset = _load(tmp_path, options, row)
    (instance,) = dataset.instances
    assert instance.phi
    assert instance.images[0].path is not None
    assert instance.images[0].path.is_relative_to(tmp_path / "private")
    assert not (tmp_path / "cache").exists()
    assert dataset.drawn[0].instance == instance.id != "1"
    public = only(manifest(tmp_path, [{**row, "phi": False}], images={}), options)
    assert public.images[0].path is not None
    assert public.images[0].path.is_relative_to(tmp_path / "cache")
