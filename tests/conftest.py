"""Tests over two workers (`make test`): those of a file stay together, and one server of vLLM is there at a time."""

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling


def pytest_configure(config: pytest.Config) -> None:
    """Take every warning for an error: here, and not where a checkout's user gates a model."""
    config.addinivalue_line("filterwarnings", "error")


def _needs_vllm(nodeid: str) -> bool:
    return "vllm" in nodeid.partition("::")[0]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put what needs vLLM first where workers share the tests, as it takes longest."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not _needs_vllm(item.nodeid))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> "LoadScopeScheduling":  # noqa: ANN401 - xdist's
    """Hand out whole files, and all that needs vLLM together (xdist's own groups do not hold with pytest 9)."""
    from xdist.scheduler import LoadScopeScheduling  # noqa: PLC0415 - it may not be installed

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "vllm" if _needs_vllm(nodeid) else nodeid.partition("::")[0]

    return ByFile(config, log)
