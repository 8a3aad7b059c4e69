"""``clinhallu-gate report``: where a report lies, and how printing it ends, with browsers that are shell scripts."""

import json
import stat
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clinhallu_gate.cli import main
from clinhallu_gate.pipeline.printing import dated

#: Prints like Chromium, dated by its own clock.
PRINTS = """
for argument in "$@"; do case $argument in --print-to-pdf=*) file=${argument#*=};; esac; done
printf "%%PDF-1.4 /CreationDate (D:20300101000000+00'00') /ModDate (D:20300101000000+00'00')" > "$file"
"""


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a finished run, as far as printing needs it; only its owner may read the report."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "report.html").write_text("<!doctype html>")
    (folder / "report.html").chmod(0o600)
    (folder / "manifest.json").write_text(json.dumps({"finished": "2026-01-31T12:03:20Z"}))
    return folder


@pytest.fixture
def browser(tmp_path: Path) -> Callable[[str], str]:
    """Write a browser that does what the script says."""

    def written(script: str) -> str:
        file = tmp_path / "browser"
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        return str(file)

    return written


def refused(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Run ``report``, which ends with 4 and one line; return the line."""
    assert main(["report", *arguments]) == 4
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said.removeprefix("clinhallu-gate: ").rstrip("\n")


def test_where_the_report_lies(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without --pdf nothing is printed; what is for --pdf alone is refused."""
    assert main(["report", str(run)]) == 0
    assert capsys.readouterr().out == f"{run}/report.html: open it in a browser, or print it with --pdf.\n"
    for option in (("--output", "x.pdf"), ("--browser", "x"), ("--timeout", "300")):
        assert refused(capsys, str(run), *option) == "report: --output, --browser and --timeout are for --pdf."


def test_a_printed_report(run: Path, browser: Callable[[str], str], capsys: pytest.CaptureFixture[str]) -> None:
    """It is dated by the run, replaces what was there, and is read by those who read the report."""
    (run / "report.pdf").write_text("old")
    assert main(["report", str(run), "--pdf", "--browser", browser(PRINTS)]) == 0
    assert capsys.readouterr().out.startswith(f"{run}/report.pdf: 0.0 MB. It holds the texts of the run")
    dates = b"/CreationDate (D:20260131120320+00'00') /ModDate (D:20260131120320+00'00')"
    assert (run / "report.pdf").read_bytes() == b"%PDF-1.4 " + dates
    assert stat.S_IMODE((run / "report.pdf").stat().st_mode) == 0o600
    assert sorted(file.name for file in run.iterdir()) == ["manifest.json", "report.html", "report.pdf"]


@pytest.mark.parametrize("detail", ["redacted", "summary"])
def test_a_report_without_texts(
    detail: str, run: Path, browser: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """On paper it holds no more than on the screen."""
    (run / "manifest.json").write_text(json.dumps({"finished": "2026-01-31T12:03:20Z", "report_detail": detail}))
    assert main(["report", str(run), "--pdf", "--browser", browser(PRINTS)]) == 0
    assert capsys.readouterr().out == f"{run}/report.pdf: 0.0 MB. It holds no texts.\n"


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo 'no display' >&2; echo 'and no luck' >&2; exit 3", "(status 3): no display and no luck"),
        ("exit 0", "(status 0): it said nothing"),
        ("head -c 5000 /dev/zero | tr '\\0' x >&2; exit 1", f"(status 1): ...{'x' * 300}"),
    ],
    ids=["fails", "prints nothing", "says much"],
)
def test_a_browser_that_fails(
    script: str, says: str, run: Path, browser: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """The end of what it said is told, in one line; an older PDF file stays."""
    (run / "report.pdf").write_text("old")
    program = browser(script)
    assert refused(capsys, str(run), "--pdf", "--browser", program) == f"{program}: did not print the report {says}"
    assert (run / "report.pdf").read_text() == "old"
    assert sorted(file.name for file in run.iterdir()) == ["manifest.json", "report.html", "report.pdf"]


def test_a_browser_that_hangs(
    run: Path, browser: Callable[[str], str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is ended in time, with all it started."""
    program = browser(f"sleep 600 & echo $! > {tmp_path}/child; wait")
    said = refused(capsys, str(run), "--pdf", "--browser", program, "--timeout", "0.5")
    assert said == f"{program}: has not printed the report after 0.5 s (--timeout)."
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 10
    while _runs(child) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not _runs(child)
    assert sorted(file.name for file in run.iterdir()) == ["manifest.json", "report.html"]


def _runs(pid: int) -> bool:
    """Whether a process is there, and no zombie that waits for an init to collect it."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_no_browser(run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What was sought is named, and how to name another."""
    monkeypatch.setenv("PATH", str(run))
    assert refused(capsys, str(run), "--pdf") == (
        "no browser to print with was found (sought: chromium, chromium-browser, google-chrome, google-chrome-stable, "
        "microsoft-edge). Name one: --browser PATH."
    )
    assert refused(capsys, str(run), "--pdf", "--browser", "/no/such") == "--browser: /no/such is no program."


def test_a_program_of_another_machine(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What cannot be started is named."""
    program = tmp_path / "browser"
    program.write_bytes(b"\x7fELF")
    program.chmod(0o755)
    assert refused(capsys, str(run), "--pdf", "--browser", str(program)) == (
        f"{program}: cannot be started: Exec format error."
    )


def test_what_cannot_be_printed(run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No run, a run that did not finish, and files that no PDF file should replace."""
    nowhere = tmp_path / "nowhere"
    assert refused(capsys, str(nowhere), "--pdf") == (
        f"{nowhere}: is not the folder of a finished run (it has no report.html)."
    )
    assert refused(capsys, str(run), "--pdf", "--output", str(run / "report.html")) == (
        f"--output: {run}/report.html must be a file whose name ends in .pdf."
    )
    (run / "manifest.json").write_text("{}")
    assert refused(capsys, str(run), "--pdf") == (
        f"{run}/manifest.json: does not say when the run finished, which dates the PDF file."
    )


def test_a_folder_that_is_not_there(
    run: Path, browser: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    """No folder is made for a PDF file."""
    said = refused(capsys, str(run), "--pdf", "--browser", browser(PRINTS), "--output", str(run / "no/x.pdf"))
    assert said == f"{run}/no/x.pdf: cannot be written: No such file or directory."


@pytest.mark.parametrize("seconds", ["0", "-1", "inf", "nan", "soon"])
def test_a_timeout_that_is_none(seconds: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Bad usage ends with 4."""
    with pytest.raises(SystemExit) as ended:
        main(["report", str(run), "--pdf", "--timeout", seconds])
    assert ended.value.code == 4
    said = f"argument --timeout: {seconds} is no number of seconds. Valid: more than 0\n"
    assert capsys.readouterr().err.endswith(said)


def test_dates_of_any_offset_are_replaced() -> None:
    """And nothing else is: not what a text says about dates."""
    pdf = b"(say \\(D:20300101000000+00'00'\\)) /ModDate (D:20300101020000+02'00')"
    assert dated(pdf, datetime(2026, 1, 31, tzinfo=UTC)) == (
        b"(say \\(D:20300101000000+00'00'\\)) /ModDate (D:20260131000000+00'00')"
    )
