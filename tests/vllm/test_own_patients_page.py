"""docs/own-patients.md is followed as it is written, on real vLLM; only its places are a test's own."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from clinhallu_gate.pseudonym import SITE_KEY

pytestmark = pytest.mark.vllm
ROOT: Final = Path(__file__).parents[2]
PAGE: Final = ROOT / "docs" / "own-patients.md"
BLOCK: Final = re.compile(r"```sh\n(.*?)```", re.DOTALL)
#: A step that needs a reader of reports, and hands: tests/gold and tests/browser follow it.
DRAFTING: Final = "draft-gold"


@dataclass(frozen=True)
class Step:
    """A block of the page, and what its commands came to."""

    status: int
    said: str


def _follow(folder: Path) -> Mapping[str, Step]:
    """Run each block; return it by its first command's words up to an option."""
    environment = {**os.environ, SITE_KEY: str(folder / "site.key"), "CLINHALLU_GATE_CACHE": str(folder / "shared")}
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    found: dict[str, Step] = {}
    for block in BLOCK.findall(PAGE.read_text("utf-8")):
        if DRAFTING in block:
            continue
        here = block.replace(". .venv/bin/activate\n", "").replace("/tmp/", f"{folder}/")  # noqa: S108 - the page's own
        here = here.replace("reports/", f"{folder}/reports/")
        done = subprocess.run(
            ["bash", "-c", f"set -e\n{here}"],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=540,
        )
        found[block.partition("\n")[0]] = Step(done.returncode, f"{done.stdout}\n{done.stderr}")
    return found


def test_the_page_can_be_followed(tmp_path: Path) -> None:
    """From a look at the files to a candidate that is blocked, what is packed, and what is removed."""
    steps = list(_follow(tmp_path).values())
    assert [step.status for step in steps] == [0, 0, 0, 0, 0, 1, 0], "\n".join(step.said[-2000:] for step in steps)
    _, preflight, showing, freezing, in_use, candidate, last = (" ".join(step.said.split()) for step in steps)
    assert "5 DICOM files, 0 of them marked as de-identified" in preflight
    shown = re.search(r"```text\n(.*?)\n\.\.\.\n```", PAGE.read_text("utf-8"), re.DOTALL)
    assert shown is not None
    assert " ".join(shown[1].split()) in showing
    assert "12 instances of 4 patients" in freezing
    assert "RELEASED" in in_use
    assert "BLOCKED" in candidate
    assert "flips visual recognition: 8 worse, 0 better" in candidate
    assert "It holds no texts" in last
    assert not (tmp_path / "reports" / "candidate.private").exists()
    assert (tmp_path / "reports" / "in-use.private" / "ids.csv").exists()
    assert not (tmp_path / "ward-cache" / "images").exists()
