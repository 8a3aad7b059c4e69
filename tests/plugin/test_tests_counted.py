"""The numbers of tests that pytest says are known, so that no patient's id is taken for found there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = """
import pytest

@pytest.fixture
def broken():
    raise KeyError

@pytest.mark.parametrize("n", range(11))
def test_good(n): pass

@pytest.mark.parametrize("n", range(13))
def test_bad(n): assert False

@pytest.mark.parametrize("n", range(17))
def test_expected(n): pytest.xfail("so")

@pytest.mark.parametrize("n", range(19))
def test_left(n): pytest.skip("so")

@pytest.mark.parametrize("n", range(23))
def test_broken(n, broken): pass

@pytest.mark.parametrize("n", range(29))
def test_other(n): pass

@pytest.mark.xfail
@pytest.mark.parametrize("n", range(31))
def test_better(n): pass
"""
TELLS = """
from pathlib import Path
from clinhallu_gate.plugin.sharing import tests_counted

def pytest_unconfigure(config):
    if not hasattr(config, "workerinput"):
        Path("counted").write_text(" ".join(map(str, tests_counted(config))))
"""


@pytest.mark.parametrize("workers", [(), ("-n", "2")])
def test_every_number_of_tests_that_is_said_is_known(tmp_path: Path, workers: tuple[str, ...]) -> None:
    """In the terminal's last line and its first, and in the test report; with workers, too."""
    (tmp_path / "test_it.py").write_text(TESTS)
    (tmp_path / "conftest.py").write_text(TELLS)
    words = ("-k", "not other", "--junitxml", "own.xml", "-p", "no:cacheprovider", "-c", os.devnull, "--rootdir", ".")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--tb=no", *words, *workers],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    said = re.findall(r"(\d+) (?:items|deselected|selected|passed|failed|skipped|xfailed|xpassed|errors)", done.stdout)
    said += re.findall(r'(?:tests|errors|failures|skipped)="(\d+)"', (tmp_path / "own.xml").read_text())
    assert {"11", "13", "17", "19", "23", "31", "36", "114"} <= set(said)
    counted = set((tmp_path / "counted").read_text().split())
    assert set(said) <= counted
