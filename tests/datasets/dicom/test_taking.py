"""Drawings are kept by what decides them; a file that is gone meanwhile is one refusal."""

from pathlib import Path

from dicom_studies import save

from clinhallu_gate.datasets.cache import ImageCache
from clinhallu_gate.datasets.dicom.taking import Taken, Want, take
from clinhallu_gate.datasets.intake import Intake, Intakes
from clinhallu_gate.keeping import Keeper


def test_a_file_that_is_gone_costs_its_own_frames(tmp_path: Path) -> None:
    """Others are drawn, each frame once, and copies of a file share their drawing."""
    film = save(tmp_path / "film.dcm", NumberOfFrames=2)
    copy = tmp_path / "copy.dcm"
    copy.write_bytes(film.read_bytes())
    wants = [Want(film, 1), Want(film, 2), Want(film, 2, "100/50"), Want(copy, 1), Want(tmp_path / "gone.dcm", 1)]
    found = take(wants, Intakes(Intake(ImageCache(tmp_path / "cache")), None, Keeper(tmp_path)), phi=False)
    assert found.keys() == set(wants)
    assert found[wants[4]] == "cannot be read: No such file or directory"
    taken = [kept for want in wants[:4] if isinstance(kept := found[want], Taken)]
    assert len(taken) == 4
    assert len({kept.image.sha256 for kept in taken}) == 3
    assert taken[0] == taken[3]
    assert (taken[2].window, taken[1].window) == ("window 100/50", "none: smallest to largest value")


def test_keys_tell_everything_apart(tmp_path: Path) -> None:
    """File, frame and window each make another drawing."""
    wants = [
        Want(tmp_path, 1),
        Want(tmp_path, 2),
        Want(tmp_path, 1, "2"),
        Want(tmp_path, 12, ""),
        Want(tmp_path, 1, "2/"),
    ]
    keys = {want.key(digest) for want in wants for digest in ("0" * 64, "1" * 64)}
    assert len(keys) == 10
