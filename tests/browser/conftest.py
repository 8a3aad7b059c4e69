"""A browser, axe-core within reach, and reports to look at."""

import fcntl
import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from installed import missing, program
from planted_run import PLANS, PlantedRun, not_started, run_named, with_text
from screen import Screen

HERE = Path(__file__).parent
SAMPLE = HERE.parent.parent / "reports" / "sample" / "report.html"
#: A name in one piece, longer than any screen is wide.
LONG = "site-" + "0123456789" * 30


@pytest.fixture(scope="session")
def screen() -> Iterator[Screen]:
    """One browser for all tests; pages follow each other in it."""
    screen = Screen(program("chromium", "chromium-browser", "google-chrome"), program("chromedriver"))
    yield screen
    screen.driver.quit()


@pytest.fixture(scope="session")
def axe() -> str:
    """The source of axe-core, installed with npm where it is not there yet."""
    package = HERE / "node_modules" / "axe-core"
    wanted = json.loads((HERE / "package.json").read_text("utf-8"))["dependencies"]["axe-core"]
    with (HERE / "package-lock.json").open() as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # workers of pytest-xdist would install over each other
        if _version(package) != wanted:
            command = [program("npm"), "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            if subprocess.run(command, cwd=HERE, check=False).returncode:
                missing(f"axe-core {wanted} is not installed, and npm could not do it")
    return (package / "axe.min.js").read_text("utf-8")


def _version(package: Path) -> str | None:
    try:
        return str(json.loads((package / "package.json").read_text("utf-8"))["version"])
    except OSError:
        return None


@pytest.fixture(scope="session")
def report(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Write the page of a run, once: one of ``PLANS``, ``not_started``, ``long_names``, or the committed ``sample``."""
    folder = tmp_path_factory.mktemp("reports")

    def written(name: str) -> Path:
        file = SAMPLE if name == "sample" else folder / name / "report.html"
        if not file.exists():
            file.parent.mkdir()
            _run(name).write(file.parent)
        return file

    return written


def _run(name: str) -> PlantedRun:
    if name in PLANS:
        return run_named(name)
    return not_started() if name == "not_started" else with_text(LONG)
