"""The private folder of a run: where it is, and who may enter it."""

import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clinhallu_gate.errors import BadInput
from clinhallu_gate.private import demand_private, for_owner_alone, kept, make_private, private_folder, write_whole


def test_it_lies_beside_the_run_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Named after it, however the run folder is named."""
    assert private_folder(Path("reports/a/1")) == Path("reports/a/1.private")
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    assert private_folder(Path()) == tmp_path / "run.private"
    assert private_folder(Path("sub") / "..") == tmp_path / "run.private"


def test_what_is_kept_apart_is_found_first(tmp_path: Path) -> None:
    """A file of the run folder counts where there is none apart."""
    run = tmp_path / "run"
    assert kept(run, "traces.parquet") == run / "traces.parquet"
    make_private(private_folder(run))
    (private_folder(run) / "traces.parquet").touch()
    assert kept(run, "traces.parquet") == tmp_path / "run.private" / "traces.parquet"


def test_only_its_owner_may_enter(tmp_path: Path) -> None:
    """Also if it was there before."""
    folder = tmp_path / "there"
    folder.mkdir(mode=0o755)
    for made in (folder, tmp_path / "new"):
        make_private(made)
        assert stat.S_IMODE(made.stat().st_mode) == 0o700


def test_a_folder_that_a_user_names_is_made_for_its_owner_alone(tmp_path: Path) -> None:
    """And taken again as it is."""
    folder = tmp_path / "more" / "cache"
    for _ in range(2):
        demand_private(folder, tmp_path / "run")
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_others_may_enter_is_refused_and_left(tmp_path: Path) -> None:
    """Its mode may be wanted; the command that changes it is told."""
    (tmp_path / "open").mkdir(mode=0o755)
    with pytest.raises(BadInput, match=r"others may enter it.*chmod 700"):
        demand_private(tmp_path / "open", tmp_path / "run")
    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o755


def test_a_folder_that_many_share_is_not_to_be_closed(tmp_path: Path) -> None:
    """The mode of one such as /tmp must stay, so that no command is told that changes it."""
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(0o1777)
    with pytest.raises(
        BadInput, match=r"shared: others may enter it, as many share it\. Name a new folder within it\."
    ):
        demand_private(tmp_path / "shared", tmp_path / "run")


def test_a_folder_of_somebody_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who owns it may read what lies there."""
    (tmp_path / "theirs").mkdir(mode=0o700)
    monkeypatch.setattr(os, "geteuid", lambda: tmp_path.stat().st_uid + 1)
    with pytest.raises(BadInput, match="belongs to another user"):
        demand_private(tmp_path / "theirs", tmp_path / "run")


@pytest.mark.parametrize("place", ["run", "run/cache", "earlier/deep/cache"])
def test_nothing_private_lies_in_a_run_folder(tmp_path: Path, place: str) -> None:
    """Neither in this run's nor in one that was completed: run folders are handed on."""
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "decision.json").touch()
    with pytest.raises(BadInput, match="lies in the run folder"):
        demand_private(tmp_path / place, tmp_path / "run")
    assert not (tmp_path / place).exists()


@pytest.mark.parametrize("place", ["earlier.private", "earlier.private/deep/cache"])
def test_what_another_runs_purge_would_remove_is_no_cache(tmp_path: Path, place: str) -> None:
    """Neither for a run nor for a command without one; a run's own, and one that is only called so, may be."""
    (tmp_path / "earlier").mkdir()
    (tmp_path / "earlier" / "decision.json").touch()
    for run in (tmp_path / "run", None):
        with pytest.raises(BadInput, match=r"lies in the private folder of the run .*earlier, which is purged"):
            demand_private(tmp_path / place, run)
    assert not (tmp_path / "earlier.private").exists()
    (tmp_path / "earlier" / "decision.json").unlink()
    make_private(tmp_path / "earlier.private")
    (tmp_path / "earlier.private" / "store.sqlite").touch()  # of one that was killed
    with pytest.raises(BadInput, match=r"lies in the private folder of the run .*earlier, which is purged"):
        demand_private(tmp_path / place, tmp_path / "run")
    demand_private(tmp_path / place, tmp_path / "earlier")
    demand_private(tmp_path / "ward.private", tmp_path / "run")


def test_many_may_write_one_file(tmp_path: Path) -> None:
    """Whoever comes last has written it whole, for its owner alone; nothing else is left."""
    file, contents = tmp_path / "review.html", [bytes([number]) * 10_000 for number in range(8)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda content: [write_whole(file, content) for _ in range(50)], contents))
    assert file.read_bytes() in contents
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(NotADirectoryError):
        write_whole(file / "below", b"")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """One line says so."""
    (tmp_path / "file").touch(mode=0o600)
    with pytest.raises(BadInput, match="is no folder"):
        demand_private(tmp_path / "file", tmp_path / "run")
    with pytest.raises(BadInput, match="cannot be made"):
        demand_private(tmp_path / "file" / "below", tmp_path / "run")


@pytest.mark.parametrize(("wanted", "mode"), [(True, 0o600), (False, 0o644)])
def test_files_of_a_block_are_its_owners(tmp_path: Path, *, wanted: bool, mode: int) -> None:
    """As long as that is wanted, and no longer."""
    before = os.umask(0o022)
    try:
        with for_owner_alone(wanted=wanted):
            (tmp_path / "within").touch()
        (tmp_path / "after").touch()
    finally:
        os.umask(before)
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("within", "after")]
    assert modes == [mode, 0o644]


def test_nothing_lies_beside_the_root_of_the_file_system() -> None:
    """It is no run folder, however it is named."""
    for root in ("/", "/etc/.."):
        with pytest.raises(BadInput, match=r": is no run folder\.$"):
            private_folder(Path(root))
