"""Pseudonyms are the same with the same key and say nothing without it; the key is made once."""

import hashlib
import hmac
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from clinhallu_gate.errors import BadInput
from clinhallu_gate.pseudonym import SITE_KEY, pseudonym, site_key


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the key is to lie."""
    file = tmp_path / "keys" / "site.key"
    monkeypatch.setenv(SITE_KEY, str(file))
    return file


def test_a_pseudonym_is_a_keyed_hash() -> None:
    """Sixteen hexadecimal digits of HMAC-SHA256, whatever characters the uid has."""
    assert pseudonym("ward/7", b"k" * 32) == hmac.new(b"k" * 32, b"ward/7", hashlib.sha256).hexdigest()[:16]
    assert pseudonym("ward/7", b"k" * 32) != pseudonym("ward/7", b"l" * 32)
    assert re.fullmatch("[0-9a-f]{16}", pseudonym("ward/\udc80\n", b"k" * 32))


def test_a_key_is_made_once_and_for_its_owner(file: Path) -> None:
    """The first one stays, in a file that nobody else may read, however many ask at once."""
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: site_key(create=True), range(32)))
    assert keys == {site_key()}
    assert len(keys.pop()) == 64
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert list(file.parent.iterdir()) == [file]


def test_a_key_that_is_missing_is_not_made_to_compare(file: Path) -> None:
    """Another key would make other names of all that is approved."""
    with pytest.raises(BadInput, match=r"CLINHALLU_GATE_SITE_KEY: .*site\.key: no such file\. It is made when"):
        site_key()
    assert not file.exists()


def test_a_short_key_is_refused(file: Path) -> None:
    """White space does not make a key longer."""
    file.parent.mkdir()
    file.write_text("short" + " " * 64 + "\n")
    file.chmod(0o600)
    with pytest.raises(BadInput, match=r"site\.key: 5 bytes are too short for a key\. Valid: 32 or more\."):
        site_key(create=True)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_that_others_may_read_is_refused(file: Path, mode: int) -> None:
    """Whoever holds it can try out whom a pseudonym stands for."""
    site_key(create=True)
    file.chmod(mode)
    with pytest.raises(BadInput, match=r"site\.key: others may read it, .* Try: chmod 600 .*site\.key$"):
        site_key()


def test_what_is_no_file_is_told(file: Path) -> None:
    """A folder in the key's place is one line, and no traceback."""
    file.mkdir(parents=True)
    with pytest.raises(BadInput, match=r"site\.key: cannot be read or made: .*directory"):
        site_key(create=True)


def test_without_the_variable_the_key_lies_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the user's configuration."""
    monkeypatch.delenv(SITE_KEY, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    key = site_key(create=True)
    assert (tmp_path / ".config/clinhallu-gate/site.key").read_bytes().strip() == key
