"""Programs that some tests need and no Python package brings: skipped without them, or failed where all must be."""

import os
import shutil
from typing import Final, NoReturn

import pytest

#: Set where every tool is installed, as CI does: a test that would be skipped for want of one fails instead.
ALL_TOOLS: Final = "CLINHALLU_GATE_ALL_TOOLS"


def program(*names: str) -> str:
    """Return where the first of these programs lies that is installed."""
    found = next(filter(None, map(shutil.which, names)), None)
    return found or missing(f"{' or '.join(names)} is not installed")


def missing(why: str) -> NoReturn:
    """Skip the test, or fail it where ``CLINHALLU_GATE_ALL_TOOLS`` is set."""
    if os.environ.get(ALL_TOOLS, "") not in {"", "0"}:
        pytest.fail(f"{why}, and {ALL_TOOLS} is set", pytrace=False)
    pytest.skip(why)
