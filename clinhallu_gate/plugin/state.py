"""Where the hooks, the fixtures and the collection find the state of pytest's run."""

from typing import Final

import pytest

from clinhallu_gate.plugin.controller import ControllerState
from clinhallu_gate.plugin.worker import WorkerState

State = ControllerState | WorkerState
KEY: Final = pytest.StashKey[State]()
