"""The private folder of a run: where it is, and who may enter it."""

import os
import stat
from pathlib import Path

import pytest

from clinhallu_gate.private import for_owner_alone, kept, make_private, private_folder


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
