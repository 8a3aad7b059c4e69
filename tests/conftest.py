"""Tests over two workers (`make test`): those of a file stay together, and one server of vLLM is there at a time."""

import pytest


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Name the group of each test for ``--dist loadgroup``; what needs vLLM takes longest, so it stands first."""
    if config.getoption("dist", default="no") != "loadgroup":
        return
    items.sort(key=lambda item: item.get_closest_marker("vllm") is None)
    for item in items:
        group = "vllm" if item.get_closest_marker("vllm") else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
