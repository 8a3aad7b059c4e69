"""What pytest itself wrote of a session: the terminal's text, and the files that people and CI systems pass on."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.junitxml import xml_key

from clinhallu_gate.scan.written import Written, entry_of

#: Colours and the like, which stand beside words without a blank.
_CONTROL: Final = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\r")


class Heard:
    """A terminal's file that remembers what was written to it."""

    def __init__(self, file: Any) -> None:  # noqa: ANN401 - whatever pytest writes to
        self._file = file
        self._parts: list[str] = []

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as above
        """Be the file in all else."""
        return getattr(self._file, name)

    def write(self, text: str) -> Any:  # noqa: ANN401 - as above
        """Write, and remember."""
        self._parts.append(text)
        return self._file.write(text)

    @property
    def text(self) -> str:
        """All that was written, without colours."""
        return _CONTROL.sub(" ", "".join(self._parts))


def listen(config: pytest.Config) -> Heard | None:
    """Remember from now on what is written to the terminal (None if there is none), and what pytest's cache holds."""
    config.stash[_CACHED] = cached = Cached(config)
    config.pluginmanager.register(cached, "clinhallu-gate-cached")
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        return None
    writer = reporter._tw  # noqa: SLF001 - there is no public way to see what is written
    writer._file = heard = Heard(writer._file)  # noqa: SLF001 - as above
    return heard


class Cached:
    """What pytest's cache held before this run of pytest: tests of others, which this one does not answer for."""

    def __init__(self, config: pytest.Config) -> None:
        cache = getattr(config, "cache", None)
        self._folder = Path(cache._cachedir) if cache is not None else None  # noqa: SLF001 - it has no public name
        self._before = {path: _entries(path) for path in self._files()}
        self._tests: set[str] = set()

    def pytest_itemcollected(self, item: pytest.Item) -> None:
        """Remember a test of this run of pytest: it may have been kept by an earlier one."""
        self._tests.add(item.nodeid)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember what is collected, as pytest keeps what could not be."""
        self._tests.add(report.nodeid)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember a test that a worker ran."""
        self._tests.add(report.nodeid)

    def written(self) -> Iterator[Written]:
        """Yield the files of the cache, without what others wrote."""
        own = {json.dumps(test, ensure_ascii=False).encode("utf-8", "surrogatepass") for test in self._tests}
        for path in self._files():
            yield Written(path, self._named(path), others=self._before.get(path, frozenset()) - own)

    def _named(self, path: Path) -> str:
        return path.relative_to(self._folder.parent).as_posix() if self._folder is not None else path.name

    def _files(self) -> list[Path]:
        return [] if self._folder is None else sorted(path for path in self._folder.rglob("*") if path.is_file())


def _entries(path: Path) -> frozenset[bytes]:
    """Return what a file of the cache holds; nothing of one that cannot be read, so that it is searched whole."""
    try:
        return frozenset(map(entry_of, path.read_bytes().splitlines()))
    except OSError:
        return frozenset()


_CACHED: Final = pytest.StashKey[Cached]()


def written_beside(config: pytest.Config) -> Iterator[Written]:
    """Yield what this run of pytest writes beside the run folder: test report, log, what it adds to pytest's cache."""
    if (junit := config.stash.get(xml_key, None)) is not None:
        yield Written.whole(Path(junit.logfile))  # where it is: of --junitxml, variables and ~ are expanded
    if log_file := config.getoption("log_file", None) or _ini(config, "log_file"):
        yield Written.whole(Path(log_file))
    if (cached := config.stash.get(_CACHED, None)) is not None:
        yield from cached.written()


def _ini(config: pytest.Config, name: str) -> str | None:
    try:
        return config.getini(name) or None
    except ValueError:  # the plugin that knows it is blocked
        return None
