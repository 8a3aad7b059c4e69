"""A pytest plugin that writes down how long a session prepared, collected, evaluated and ran its tests, in what memory.

Use with ``-p stopwatch --stopwatch FILE``; it knows nothing of the gate, so that any session can be measured alike.
"""

import json
import time
from collections.abc import Generator
from pathlib import Path
from typing import NamedTuple

import pytest


class Mark(NamedTuple):
    """A moment, in seconds of the clock and of this process's processor time."""

    clock_s: float
    cpu_s: float

    def since(self, other: "Mark") -> "Mark":
        """Return the time between two moments."""
        return Mark(self.clock_s - other.clock_s, self.cpu_s - other.cpu_s)


_MARKS = pytest.StashKey[dict[str, Mark]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare where the times go."""
    parser.addoption("--stopwatch", type=Path, metavar="FILE", required=True, help="JSON file for the times")


def pytest_configure(config: pytest.Config) -> None:
    """Start."""
    config.stash[_MARKS] = {}


def _mark(config: pytest.Config, name: str) -> None:
    config.stash[_MARKS].setdefault(name, Mark(time.perf_counter(), time.process_time()))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection(session: pytest.Session) -> Generator[None, object, object]:
    """Take the time around everything that precedes the first test, selection included."""
    _mark(session.config, "begin")
    result = yield
    _mark(session.config, "collected")
    return result


def pytest_collectstart(collector: pytest.Collector) -> None:
    """Take the time when all plugins have prepared, and pytest begins to collect."""
    _mark(collector.config, "collecting")


@pytest.hookimpl(wrapper=True, trylast=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Take the time around the tests alone: the innermost wrapper begins when all others have done their work."""
    _mark(session.config, "running")
    result = yield
    _mark(session.config, "ran")
    return result


def _peak_mb() -> float:
    """Return the most memory that this process held, in MB."""
    status = Path("/proc/self/status").read_text("ascii", "replace")
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))) * 1024 / 1e6


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Write the times (seconds) and the number of items, if the tests ran to their end."""
    marks = session.config.stash[_MARKS]
    if "ran" not in marks:
        return  # pytest says why
    collecting = marks["collected"].since(marks["collecting"])
    running = marks["ran"].since(marks["running"])
    times = {
        "items": session.testscollected,
        "prepare_s": marks["collecting"].since(marks["begin"]).clock_s,
        "collect_s": collecting.clock_s,
        "evaluate_s": marks["running"].since(marks["collected"]).clock_s,
        "tests_s": running.clock_s,
        "cpu_s": collecting.cpu_s + running.cpu_s,
        "peak_mb": _peak_mb(),
    }
    session.config.option.stopwatch.write_text(json.dumps(times))
