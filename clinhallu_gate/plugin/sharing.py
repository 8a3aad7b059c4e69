"""What pytest itself wrote of a session: the terminal's text, and the files that people and CI systems pass on."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from _pytest.junitxml import xml_key

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
    """Remember what is written to the terminal from now on; None if there is none."""
    reporter = config.pluginmanager.getplugin("terminalreporter")
    if reporter is None:
        return None
    writer = reporter._tw  # noqa: SLF001 - there is no public way to see what is written
    writer._file = heard = Heard(writer._file)  # noqa: SLF001 - as above
    return heard


def written_beside(config: pytest.Config) -> Iterator[Path]:
    """Yield files that this session writes beside the run folder: test report, log, pytest's cache."""
    if (junit := config.stash.get(xml_key, None)) is not None:
        yield Path(junit.logfile)  # where it is: of --junitxml, variables and ~ are expanded
    if log_file := config.getoption("log_file", None) or _ini(config, "log_file"):
        yield Path(log_file)
    cache = getattr(config, "cache", None)
    if cache is not None:
        yield from sorted(Path(cache._cachedir).rglob("*"))  # noqa: SLF001 - there is no public name of the folder


def _ini(config: pytest.Config, name: str) -> str | None:
    try:
        return config.getini(name) or None
    except ValueError:  # the plugin that knows it is blocked
        return None
