"""Data written as it is released, and options that keep everything below the test's own folder."""

from dataclasses import replace
from pathlib import Path

import pytest
from data_files import Release

from clinhallu_gate._scripted.released import Layout, suits, write_released
from clinhallu_gate.datasets.load import DataOptions
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.datasets.released import GOLD_MODEL
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.records import Instance


@pytest.fixture(scope="session")
def phantoms() -> tuple[Instance, ...]:
    """Phantoms, and one with five images, which the generator never draws."""
    drawn = phantom_instances()
    many = next(item for item in drawn if suits("medframeqa", item))
    images = (*many.images, *(drawn[0].images[0], drawn[-40].images[0], drawn[30].images[0]))[:5]
    return (*drawn, replace(many, id="five", images=images, cluster="phantom/five"))


@pytest.fixture
def release(tmp_path: Path, phantoms: tuple[Instance, ...]) -> Release:
    """Return a function that writes sets in a layout below a folder of the test, and returns that folder."""

    def write(
        *names: str,
        layout: Layout = "results",
        number: int = 6,
        folder: str | None = None,
        gold_model: str = GOLD_MODEL,
    ) -> Path:
        root = tmp_path / (folder or layout)
        for name in names:
            usable = [item for item in phantoms if suits(name, item)]
            write_released(root, name, [*usable[:-1][: number - 1], usable[-1]], layout=layout, gold_model=gold_model)
        return root

    return write


@pytest.fixture(autouse=True)
def site_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The site's key in a file of the test's own; made when patients are first loaded."""
    file = tmp_path / "site.key"
    monkeypatch.setenv(SITE_KEY, str(file))
    return file


@pytest.fixture
def options(tmp_path: Path) -> DataOptions:
    """Options with caches of the test's own."""
    return DataOptions(cache=tmp_path / "cache", private_cache=tmp_path / "private")
