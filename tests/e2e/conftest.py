"""The rig that all whole-command tests share."""

from collections.abc import Iterator

import pytest
from gate_run import Rig


@pytest.fixture(scope="session")
def rig(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rig]:
    """A checkout of its own, for the session."""
    with Rig(tmp_path_factory.mktemp("checkout")) as rig:
        yield rig
