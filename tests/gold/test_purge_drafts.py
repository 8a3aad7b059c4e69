"""``clinhallu-gate purge`` of a folder of drafts: all of it, what nobody decided on is counted, nothing else."""

import os
from pathlib import Path

import pytest
from gold_files import options, review, row, ward

from clinhallu_gate.cli import main
from clinhallu_gate.datasets.dataset import DataOptions
from clinhallu_gate.datasets.load import load_data
from clinhallu_gate.gold.draft import draft_gold
from clinhallu_gate.gold.signing import sign_gold
from clinhallu_gate.private import private_folder
from clinhallu_gate.testing import ScriptedServer

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def drafted(tmp_path: Path, drafter: ScriptedServer) -> Path:
    """A manifest of three rows with drafts."""
    manifest = ward(tmp_path, [row(number) for number in (1, 2, 3)])
    draft_gold(str(manifest), options(drafter, with_images=True))
    return manifest


def sign(manifest: Path, **decisions: str) -> None:
    """Sign as a reviewer decided."""
    rows = {f"mrn-00{name[-1]}": decision for name, decision in decisions.items()}
    sign_gold(str(manifest), review(manifest, rows), reviewer="Dr. N")


def test_drafts_go_once_they_are_signed(drafted: Path, capsys: Capture) -> None:
    """It is said first; with --yes nothing is left of the reports, and the gold stays signed."""
    folder = drafted.with_name("ward.gold")
    sign(drafted, row1="approved", row2="rejected", row3="approved")
    before = {path.name for path in drafted.parent.iterdir()}
    assert main(["purge", str(folder)]) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"would be removed: {folder}: ")
    assert "draft.jsonl, review.csv, review.html, store.sqlite" in said
    assert "\n  3 drafts, each signed or rejected. Signed gold stays in its own file." in said
    assert "OPEN" not in said
    assert folder.is_dir()
    assert main(["purge", str(folder), "--yes"]) == 0
    assert capsys.readouterr().out.startswith(f"removed: {folder}: ")
    assert {path.name for path in drafted.parent.iterdir()} == before - {"ward.gold"}
    (dataset,) = load_data([str(drafted)], DataOptions(private_cache=drafted.with_name("private")))
    assert sorted(laid.source for laid in dataset.gold_of.values()) == ["absent", "signed", "signed"]


def test_a_folder_in_which_one_stands(drafted: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """It goes by its own name, however it is called."""
    folder = drafted.with_name("ward.gold")
    sign(drafted, row1="approved", row2="rejected", row3="approved")
    monkeypatch.chdir(folder)
    for name in (".", "../ward.gold", str(folder / "..")):
        assert main(["purge", name]) == (4 if name.endswith("..") else 0)
    said = capsys.readouterr()
    assert said.out.startswith(f"would be removed: {folder}: ")
    assert said.out.count("\n  3 drafts, each signed or rejected. ") == 2
    assert said.err == f"clinhallu-gate: {folder}/..: has no private folder ({folder.parent}.private).\n"
    assert main(["purge", ".", "--yes"]) == 0
    assert not folder.exists()


def test_rows_are_not_looked_at(drafted: Path, capsys: Capture) -> None:
    """A row that was changed after it was signed counts as signed here, and no more than that is claimed."""
    sign(drafted, row1="approved", row2="rejected", row3="approved")
    drafted.write_text(drafted.read_text().replace("Is there an opacity", "Is there no opacity"))
    assert main(["purge", str(drafted.with_name("ward.gold"))]) == 0
    assert (
        "Whether a row was changed since, so that its signature does not hold, is not looked at here: a run says "
        "so." in capsys.readouterr().out
    )


def test_an_empty_folder_is_said_to_be_empty(tmp_path: Path, capsys: Capture) -> None:
    """Of a draft that was killed at once."""
    folder = tmp_path / "ward.gold"
    folder.mkdir(mode=0o700)
    assert main(["purge", str(folder), "--yes"]) == 0
    assert capsys.readouterr().out.startswith(f"removed: {folder}: an empty folder\n")
    assert not folder.exists()


def test_what_is_still_open_is_counted(drafted: Path, capsys: Capture) -> None:
    """Also of a row that was changed after it was signed, and none of them before anything is signed."""
    folder = drafted.with_name("ward.gold")
    beside = "neither signed nor rejected in ward.signed-gold.jsonl: runs take those rows as rows without gold then."
    assert main(["purge", str(folder)]) == 0
    assert f"\n  STILL OPEN: 3 of 3 drafts, {beside}" in capsys.readouterr().out
    sign(drafted, row1="approved", row2="rejected")
    assert main(["purge", str(folder)]) == 0
    assert f"\n  STILL OPEN: 1 of 3 drafts, {beside}" in capsys.readouterr().out
    signed = drafted.with_name("ward.signed-gold.jsonl")
    signed.write_text(signed.read_text().replace("An opacity in the left", "An opacity in the right", 1))
    assert main(["purge", str(folder), "--yes"]) == 0
    assert f"\n  STILL OPEN: 2 of 3 drafts, {beside}" in capsys.readouterr().out
    assert not folder.exists()


def test_an_earlier_rejection_decides_on_no_later_draft(drafted: Path, capsys: Capture) -> None:
    """Another draft of the same row is open again, as a run sees it, too."""
    sign(drafted, row1="rejected", row2="rejected", row3="rejected")
    lines = drafted.with_name("ward.gold") / "draft.jsonl"
    lines.write_text(lines.read_text().replace("of study 1.", "of study one.", 1))
    assert main(["purge", str(lines.parent)]) == 0
    assert "STILL OPEN: 1 of 3 drafts" in capsys.readouterr().out


def test_what_a_file_that_is_broken_hides_is_not_counted(drafted: Path, capsys: Capture) -> None:
    """It hinders no removal, and none of it is quoted."""
    folder = drafted.with_name("ward.gold")
    with (folder / "draft.jsonl").open("a") as lines:
        lines.write('{"id": "Okonkwo"\n')
    assert main(["purge", str(folder), "--yes"]) == 0
    said = capsys.readouterr().out
    assert f"How many drafts are still open cannot be said: {folder}/draft.jsonl:4: is no line of it" in said
    assert "Okonkwo" not in said
    assert not folder.exists()


def test_a_folder_of_drafts_elsewhere(tmp_path: Path, drafter: ScriptedServer, capsys: Capture) -> None:
    """``--out`` puts it where no manifest tells what was signed, and that is said."""
    folder = tmp_path / "elsewhere"
    draft_gold(str(ward(tmp_path / "ward", [row(1)])), options(drafter, out=folder))
    assert main(["purge", str(folder), "--yes"]) == 0
    assert (
        "How many of its drafts (1) are still open is not known: it lies beside no manifest." in capsys.readouterr().out
    )
    assert not folder.exists()


@pytest.mark.parametrize("name", ["ward.reviewed.json", "review.csv.bak", "decision.json", ".~lock.review.csv#"])
def test_a_folder_with_something_else_in_it_stays(drafted: Path, name: str, capsys: Capture) -> None:
    """What a reviewer saved there may be signed by nobody yet."""
    folder = drafted.with_name("ward.gold")
    (folder / name).write_text("{}")
    before = {path.name for path in folder.iterdir()}
    assert main(["purge", str(folder), "--yes"]) == 4
    assert f"{folder}: holds what draft-gold did not write ({name}); move it away." in capsys.readouterr().err
    assert {path.name for path in folder.iterdir()} == before


def test_links_and_folders_that_others_may_enter_stay(drafted: Path, capsys: Capture) -> None:
    """Neither is what draft-gold makes; a link within goes itself, and what it leads to stays."""
    folder = drafted.with_name("ward.gold")
    link = drafted.with_name("linked.gold")
    link.symlink_to(folder)
    assert main(["purge", str(link), "--yes"]) == 4
    assert f"{link}: is no folder but a link or a file; nothing was removed." in capsys.readouterr().err
    folder.chmod(0o750)
    assert main(["purge", str(folder), "--yes"]) == 4
    assert f"{folder}: others may enter it" in capsys.readouterr().err
    folder.chmod(0o700)
    outside = drafted.with_name("outside")
    outside.mkdir()
    (outside / "precious").write_text("kept")
    (folder / "dicomweb").symlink_to(outside)
    assert main(["purge", str(folder), "--yes"]) == 0
    assert (outside / "precious").read_text() == "kept"
    assert not os.path.lexists(folder)


def test_another_users_folder_stays(drafted: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may remove it by the system's rules may not by ours."""
    folder = drafted.with_name("ward.gold")
    owner = folder.stat().st_uid
    monkeypatch.setattr("clinhallu_gate.pipeline.purging.os.getuid", lambda: owner + 1)
    assert main(["purge", str(folder), "--yes"]) == 4
    assert f"{folder}: belongs to another user; nothing was removed." in capsys.readouterr().err
    assert (folder / "draft.jsonl").exists()


def test_what_a_draft_that_was_killed_left(tmp_path: Path, capsys: Capture) -> None:
    """Known by the folder's name and by what is in it, while studies are fetched or rows asked about."""
    folder, other = tmp_path / "ward.gold", tmp_path / "ward"
    for each in (folder, other):
        (each / "dicomweb").mkdir(parents=True)
        each.chmod(0o700)
        for name in ("store.sqlite", "store.sqlite-wal", "server.log", ".review.csv.71-0a1b2c3d.part"):
            (each / name).touch()
    assert main(["purge", str(folder), "--yes"]) == 0
    assert "4 files" in capsys.readouterr().out
    assert not folder.exists()
    assert main(["purge", str(other), "--yes"]) == 4
    assert f"{other}: has no private folder" in capsys.readouterr().err


def test_a_run_that_is_called_as_drafts_are_is_a_run(tmp_path: Path, capsys: Capture) -> None:
    """Its folder stays, as of any run."""
    run = tmp_path / "candidate.gold"
    run.mkdir()
    private_folder(run).mkdir(mode=0o700)
    (private_folder(run) / "ids.csv").touch()
    assert main(["purge", str(run), "--yes"]) == 0
    assert f"{run} stays as it is." in capsys.readouterr().out
    assert run.is_dir()
    assert not private_folder(run).exists()
