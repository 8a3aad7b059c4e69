"""Caches and keys of a test's own, and a model that drafts."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from gold_files import drafts

from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import ScriptedServer


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SITE_KEY, str(tmp_path / "site.key"))
    monkeypatch.setenv("CLINHALLU_GATE_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def drafter() -> Iterator[ScriptedServer]:
    """A model that drafts for every row."""
    with ScriptedServer(reply=drafts, model="local", record=True) as server:
        yield server
