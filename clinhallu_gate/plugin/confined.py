"""A process that holds data of patients: it asks no hub, and quotes no error."""

import os
import signal
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from clinhallu_gate.egress import OFFLINE
from clinhallu_gate.errors import GateError
from clinhallu_gate.private import open_for_owner
from clinhallu_gate.unquoted import NOT_SHOWN, place_of

_PASSED_ON: Final = (GateError, pytest.UsageError, pytest.exit.Exception, KeyboardInterrupt, SystemExit)


@contextmanager
def confined() -> Iterator[None]:
    """Let this process, and whatever it starts, ask no hub and report to nobody."""
    before = {name: os.environ.get(name) for name in OFFLINE}
    os.environ.update(OFFLINE)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def ended_like_ctrl_c() -> Iterator[None]:
    """Take SIGTERM, as CI and batch systems send it, for Ctrl-C: what is half made for patients is removed."""
    if threading.current_thread() is not threading.main_thread():  # signals are the main thread's alone
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def quoting_nobody(*, wanted: bool, kept_in: Path | None = None) -> Iterator[None]:
    """End the session with pytest's status of an internal error (3), without what the error says or what it saw.

    Args:
        wanted: Whether what the block works on may be of patients; else errors are shown as ever.
        kept_in: A folder for its owner alone, where the error is written in full.
    """
    try:
        yield
    except _PASSED_ON:
        raise
    except Exception as error:
        if not wanted:
            raise
        said = f"internal error: {place_of(error)}"
        where = _kept(error, kept_in)
        raise pytest.exit.Exception(f"{said} ({where})", returncode=pytest.ExitCode.INTERNAL_ERROR) from None


def _kept(error: BaseException, folder: Path | None) -> str:
    """Keep an error in full if there is a private place for it; say where."""
    if folder is None or not folder.is_dir():
        return NOT_SHOWN
    file = folder / "internal-error.txt"
    try:
        with open(file, "w", encoding="utf-8", errors="backslashreplace", opener=open_for_owner) as opened:
            opened.writelines(traceback.format_exception(error))
    except OSError as full:
        return f"{NOT_SHOWN}, and {file} cannot be written: {full.strerror}"
    return f"what it says is in {file}"
