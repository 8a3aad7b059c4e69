"""``clinhallu-gate purge`` removes what is kept of patients, says so first, and touches nothing else."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from canaries import Search
from gate_run import GATES, Rig
from ward import Ward, opened

from clinhallu_gate.cli import main
from clinhallu_gate.private import private_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """Six patients of four instances each."""
    with opened(rig, "ward-purge") as ward:
        yield ward


def kept(run: Path, *files: str) -> Path:
    """Make a private folder as a run would."""
    folder = private_folder(run)
    folder.mkdir(mode=0o700)
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("Okonkwo")
    return folder


def test_a_run_is_purged_and_its_folder_stays(ward: Ward, capsys: Capture) -> None:
    """What would go is said; with --yes it goes, nothing is left of the patients, and evidence can still be packed."""
    run = ward.gate(*GATES, "-n", "0").outcome.folder
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert main(["purge", str(run)]) == 0
    said = capsys.readouterr().out
    assert f"would be removed: {private_folder(run)}: " in said
    assert "checked.jsonl, identifiers.csv, ids.csv, images/, instances.jsonl" in said
    assert said.endswith("Nothing was removed. To remove it: the same with --yes\n")
    assert Search(pixels=False).folder(private_folder(run))
    assert main(["purge", str(run), "--yes"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"removed: {private_folder(run)}: ")
    assert "nobody can say whom its pseudonyms stand for" in said
    assert not private_folder(run).exists()
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    assert main(["export", str(run), "--out", str(run.parent / "tree")]) == 4
    assert main(["evidence", str(run), "--out", str(run.parent / "purged.zip")]) == 0
    capsys.readouterr()
    assert main(["purge", str(run), "--yes"]) == 4
    assert "has no private folder" in capsys.readouterr().err


def test_what_a_killed_session_left_goes_too(tmp_path: Path, capsys: Capture) -> None:
    """Its exchange folder, drafts and the write-ahead log of its store; the run folder need not be there."""
    folder = kept(tmp_path / "run", "exchange-abc/instances.json", "store.sqlite-wal", ".draft")
    assert main(["purge", str(tmp_path / "run"), "--yes"]) == 0
    assert "3 files" in capsys.readouterr().out
    assert not folder.exists()


def test_no_link_is_followed(tmp_path: Path, capsys: Capture) -> None:
    """Neither one in the folder, which is removed itself, nor one in the place of the folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").write_text("kept")
    folder = kept(tmp_path / "run", "ids.csv")
    (folder / "images").symlink_to(outside)
    (folder / "store.sqlite").symlink_to(outside / "precious")
    assert main(["purge", str(tmp_path / "run"), "--yes"]) == 0
    private_folder(tmp_path / "other").symlink_to(outside)
    assert main(["purge", str(tmp_path / "other"), "--yes"]) == 4
    assert "is no folder but a link or a file; nothing was removed." in capsys.readouterr().err
    assert (outside / "precious").read_text() == "kept"
    assert not folder.exists()


def test_a_folder_that_no_run_made_stays(tmp_path: Path, capsys: Capture) -> None:
    """By name alone nothing is removed: what is in it and who may enter it have to fit."""
    strange = kept(tmp_path / "strange", "holiday.jpg")
    open_ = kept(tmp_path / "open", "ids.csv")
    open_.chmod(0o755)
    for run, says in (("strange", "holds nothing that a run leaves (holiday.jpg)"), ("open", "others may enter it")):
        assert main(["purge", str(tmp_path / run), "--yes"]) == 4
        assert says in capsys.readouterr().err
    assert (strange / "holiday.jpg").exists()
    assert (open_ / "ids.csv").exists()
    assert main(["purge", "--yes"]) == 4
    assert "nothing named" in capsys.readouterr().err


def test_one_bad_name_keeps_all(tmp_path: Path, capsys: Capture) -> None:
    """Everything is looked at before anything is removed."""
    folder = kept(tmp_path / "run", "ids.csv")
    assert main(["purge", str(tmp_path / "run"), str(tmp_path / "none"), "--yes"]) == 4
    assert "none.private" in capsys.readouterr().err
    assert folder.exists()


def test_a_private_cache_is_emptied_and_what_else_lies_there_stays(tmp_path: Path, capsys: Capture) -> None:
    """Images and fetched studies go; a folder that is no cache is refused."""
    cache = tmp_path / "cache"
    for name in ("images/a.png", "dicomweb/files/1.2.3.dcm", "checked.jsonl", "notes.txt"):
        (cache / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / name).write_text("Okonkwo")
    cache.chmod(0o700)
    assert main(["purge", "--private-cache", str(cache)]) == 0
    assert "3 files" in capsys.readouterr().out
    assert main(["purge", "--private-cache", str(cache), "--yes"]) == 0
    assert os.listdir(cache) == ["notes.txt"]  # noqa: PTH208 - names alone
    capsys.readouterr()
    assert main(["purge", "--private-cache", str(cache), "--yes"]) == 4
    assert "is no cache of images" in capsys.readouterr().err
