"""An internal error ends a session without what it says, wherever that can be kept or cannot."""

from pathlib import Path

import pytest

from clinhallu_gate.plugin.confined import quoting_nobody


def said(kept_in: Path | None) -> str:
    with pytest.raises(pytest.exit.Exception) as ended, quoting_nobody(wanted=True, kept_in=kept_in):
        raise KeyError("Okonkwo")
    assert ended.value.returncode == pytest.ExitCode.INTERNAL_ERROR
    assert ended.value.__cause__ is None
    return str(ended.value)


def test_it_is_kept_in_full_for_its_owner_alone(tmp_path: Path) -> None:
    """The line names the file."""
    file = tmp_path / "internal-error.txt"
    told = said(tmp_path)
    assert told.startswith("internal error: KeyError in ")
    assert told.endswith(f" (what it says is in {file})")
    assert "Okonkwo" in file.read_text()
    assert file.stat().st_mode & 0o077 == 0


def test_an_error_that_cannot_be_kept_is_not_told_either(tmp_path: Path) -> None:
    """As on a full disk: the second error does not bring the first one out."""
    (tmp_path / "internal-error.txt").mkdir()
    told = said(tmp_path)
    assert told.startswith("internal error: KeyError in ")
    assert "(what it says is not shown, as it may be of patients, and " in told
    assert told.endswith("internal-error.txt cannot be written: Is a directory)")
