"""``clinhallu-gate report --pdf``, with a real Chromium."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from installed import program
from planted_run import run_named
from pypdf import PdfReader

from clinhallu_gate.cli import main
from clinhallu_gate.pipeline.printing import BROWSERS

#: Not to be confused with what other tests have started.
FOLDER = "a-run-to-be-printed"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a finished run, with a name that an address must escape."""
    folder = tmp_path / f"{FOLDER} #1 %41"
    folder.mkdir()
    run_named("pass").write(folder)
    (folder / "manifest.json").write_text(json.dumps({"finished": "2026-01-31T13:03:20+01:00"}))
    return folder


@pytest.fixture
def browser() -> str:
    """The browser that the command would find."""
    return program(*BROWSERS)


def test_a_printed_report(run: Path, browser: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Readable, tagged for screen readers, with an outline, dated by the run; the same bytes each time; no trace."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    before = {file.name for file in run.iterdir()}
    for name in ("report.pdf", "again.pdf"):
        assert main(["report", str(run), "--pdf", "--output", str(run / name), "--browser", browser]) == 0
    assert (run / "report.pdf").read_bytes() == (run / "again.pdf").read_bytes()
    _looks_right(PdfReader(run / "report.pdf"))
    assert {file.name for file in run.iterdir()} == {*before, "report.pdf", "again.pdf"}
    assert not list(home.rglob("*"))
    assert FOLDER not in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def _looks_right(pdf: PdfReader) -> None:
    assert pdf.metadata is not None
    assert pdf.metadata.title == "RELEASED: phantom-vlm"
    assert (pdf.metadata["/CreationDate"], pdf.metadata["/ModDate"]) == ("D:20260131120320+00'00'",) * 2
    catalog = pdf.trailer["/Root"]
    assert catalog["/MarkInfo"]["/Marked"]
    assert "/StructTreeRoot" in catalog
    assert str(catalog["/Lang"]).startswith("en")
    assert "Gates" in str(pdf.outline)
    first = pdf.pages[0]
    assert "may be released" in first.extract_text()
    width, height = (float(side) / 72 * 25.4 for side in first.mediabox[2:])
    assert (round(width), round(height)) == (210, 297)


def test_the_committed_sample(browser: str, tmp_path: Path) -> None:
    """As the README shows it, from the run's folder alone."""
    sample = Path(__file__).parent.parent.parent / "reports" / "sample"
    run = tmp_path / "sample"
    run.mkdir()
    for name in ("report.html", "manifest.json"):
        shutil.copy(sample / name, run)
    assert main(["report", str(run), "--pdf", "--browser", browser]) == 0
    assert "phantom-vlm may be released" in PdfReader(run / "report.pdf").pages[0].extract_text().replace("\n", " ")
