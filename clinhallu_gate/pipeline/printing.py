"""Print a run's report as a PDF file, with the browser that is installed: offline, and the same bytes each time."""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Final

from clinhallu_gate.errors import BadInput
from clinhallu_gate.report.files import holds_texts
from clinhallu_gate.report.html import FILE_NAME as PAGE

DEFAULT_NAME: Final = "report.pdf"
DEFAULT_TIMEOUT_S: Final = 300.0
BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "microsoft-edge")
#: With these Chromium asks for nothing of its own; with the last it finds no other machine, whatever it looks for.
QUIET: Final = (
    *("--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-sync"),
    *("--no-first-run", "--no-pings", "--disable-domain-reliability", "--disable-client-side-phishing-detection"),
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE localhost",
)
_PRINT: Final = ("--headless", "--disable-gpu", "--no-pdf-header-footer", "--generate-pdf-document-outline")
#: Chromium dates a file by its clock, and heeds no SOURCE_DATE_EPOCH. Within strings PDF escapes parentheses, so no
#: text of a report looks like this.
_DATED: Final = re.compile(rb"(/(?:CreationDate|ModDate) \(D:)\d{14}[+-]\d\d'\d\d'\)")
#: So much of what a browser said last is told when it fails.
_TOLD: Final = 300


@dataclass(frozen=True, slots=True)
class Printed:
    """A report on paper."""

    file: Path
    size: int
    holds_texts: bool

    @property
    def line(self) -> str:
        """Return it as one line."""
        holds = "the texts of the run: keep it as you keep the data" if self.holds_texts else "no texts"
        return f"{self.file}: {self.size / 1e6:.1f} MB. It holds {holds}."


def page_of(run: Path) -> Path:
    """Return where the report of a run lies, or raise ``BadInput``."""
    if not (run / PAGE).is_file():
        raise BadInput(f"{run}: is not the folder of a finished run (it has no {PAGE}).")
    return run / PAGE


def print_report(
    run: Path, output: Path | None = None, *, browser: Path | None = None, timeout_s: float = DEFAULT_TIMEOUT_S
) -> Printed:
    """Print the report of a run, dated by the end of the run: the same browser gives the same bytes.

    Args:
        run: Folder of the run.
        output: The file, which is replaced if it is there; by default ``report.pdf`` in the run's folder. It may be
            read by those who may read the report.
        browser: A Chromium, or one of its kin; by default the first of ``BROWSERS`` that is installed.
        timeout_s: So long may the browser take.

    Raises:
        BadInput: The folder holds no finished run, no browser was found, it failed, or the file cannot be written.
    """
    page, file = page_of(run), output or run / DEFAULT_NAME
    if file.suffix.lower() != ".pdf" or file.is_dir():
        raise BadInput(f"--output: {file} must be a file whose name ends in .pdf.")
    manifest = _manifest(run / "manifest.json")
    moment, program = _finished(run / "manifest.json", manifest), _browser(browser)
    try:
        # Beside the file and not in /tmp: patient data stays where it may lie, and packaged browsers see no /tmp.
        with tempfile.TemporaryDirectory(prefix=".printing-", dir=file.parent, ignore_cleanup_errors=True) as scratch:
            draft = Path(scratch) / DEFAULT_NAME
            _run_browser(_command(program, page, draft), draft, timeout_s)
            draft.write_bytes(dated(draft.read_bytes(), moment))
            shutil.copymode(page, draft)
            draft.replace(file)
    except OSError as error:
        raise BadInput(f"{file}: cannot be written: {error.strerror or error}.") from None
    return Printed(file, file.stat().st_size, holds_texts(manifest))


def dated(pdf: bytes, moment: datetime) -> bytes:
    """Return the file with another date in the place of its own; nothing in it moves, since a date has one length."""
    stamp = moment.astimezone(UTC).strftime("%Y%m%d%H%M%S").encode()
    return _DATED.sub(lambda found: found.group(1) + stamp + b"+00'00')", pdf)


def _manifest(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_bytes())
    except (OSError, ValueError):
        found = None
    return found if isinstance(found, dict) else {}


def _finished(file: Path, manifest: Mapping[str, Any]) -> datetime:
    try:
        moment = datetime.fromisoformat(manifest["finished"])
    except (ValueError, KeyError, TypeError):
        raise BadInput(f"{file}: does not say when the run finished, which dates the PDF file.") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _browser(wanted: Path | None) -> str:
    if wanted is not None:
        found = shutil.which(wanted)
        if found is None:
            raise BadInput(f"--browser: {wanted} is no program.")
        return found
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        raise BadInput(f"no browser to print with was found (sought: {', '.join(BROWSERS)}). Name one: --browser PATH.")
    return found


def _command(program: str, page: Path, draft: Path) -> list[str]:
    # Root, in a container, cannot build the sandbox.
    contained = ["--no-sandbox", "--disable-dev-shm-usage"] if os.geteuid() == 0 else []
    profile = f"--user-data-dir={draft.parent / 'profile'}"
    return [program, *_PRINT, *QUIET, *contained, profile, f"--print-to-pdf={draft}", page.resolve().as_uri()]


def _run_browser(command: list[str], draft: Path, timeout_s: float) -> None:
    """Run the browser, with all it starts, and leave none of it."""
    log = draft.parent / "said"
    # Chromium keeps a socket in TMPDIR, and ends itself where the path of that is longer than a socket's may be.
    with log.open("wb") as stderr, tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as sockets:
        started = _start(command, stderr, {**_environment(draft.parent), "TMPDIR": sockets})
        try:
            status = started.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise BadInput(f"{command[0]}: has not printed the report after {timeout_s:g} s (--timeout).") from None
        finally:
            _end(started)
    if status or not draft.is_file() or not draft.stat().st_size:
        raise BadInput(f"{command[0]}: did not print the report (status {status}): {_end_of(log) or 'it said nothing'}")


def _start(command: list[str], stderr: IO[bytes], environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    try:
        return subprocess.Popen(  # noqa: S603 - the browser of the user's choice
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
            env=environment,
            start_new_session=True,
        )
    except OSError as error:
        raise BadInput(f"{command[0]}: cannot be started: {error.strerror or error}.") from None


def _environment(scratch: Path) -> Mapping[str, str]:
    """Return an environment in which a browser leaves no settings, caches and crash reports behind."""
    places = {name: str(scratch / name.lower()) for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME")}
    for place in places.values():
        Path(place).mkdir()
    return {**os.environ, **places}


def _end(started: "subprocess.Popen[bytes]") -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(started.pid, signal.SIGKILL)
    started.wait()


def _end_of(log: Path) -> str:
    """Return what was said last, in one line."""
    said = " ".join(log.read_text("utf-8", errors="replace").split())
    return said if len(said) <= _TOLD else f"...{said[-_TOLD:]}"
