"""The state of an xdist worker: it collects and asserts what its controller laid out."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.errors import BadInput
from clinhallu_gate.plugin.exchange import NO_SERVER, Exchange, Selection, ServerAddress
from clinhallu_gate.plugin.view import RunView
from clinhallu_gate.records import Instance
from clinhallu_gate.results import ByUid


class WorkerState:
    """The state of an xdist worker: it collects and asserts what its controller laid out."""

    def __init__(self, config: pytest.Config) -> None:
        workerinput: dict[str, str] = getattr(config, "workerinput")  # noqa: B009 - set by xdist, unknown to pytest's types
        self._worker = workerinput["workerid"]
        self._exchange = Exchange(Path(workerinput["clinhallu_gate"]))

    def prepare(self) -> None:
        """Nothing to look at: the controller has done it."""

    @property
    def prepared(self) -> bool:
        """Whether the controller prepared a run."""
        return self._exchange.has_data()

    @cached_property
    def model(self) -> str:
        """Name of the examined model."""
        return self._exchange.read_model() if self.prepared else ""

    @cached_property
    def uids(self) -> Sequence[str]:
        """Ids of the instances, in order of the data."""
        return self._exchange.read_uids() if self.prepared else []

    @cached_property
    def instances(self) -> Sequence[Instance]:
        """The instances, in order of the data."""
        return self._exchange.read_instances() if self.prepared else ()

    @cached_property
    def gates(self) -> Sequence[GateSpec]:
        """The gates of the thresholds file."""
        return self._exchange.read_gates() if self.prepared else ()

    def selected(self, selection: Selection) -> None:
        """Tell the controller what is to run."""
        self._exchange.write_selection(self._worker, selection)

    @cached_property
    def view(self) -> RunView:
        """What the controller found."""
        return self._exchange.read_results().view(ByUid(self.instances))

    def server(self) -> ServerAddress:
        """Return the controller's model server. Raises ``BadInput`` if there is to be none."""
        if not self.prepared:
            raise BadInput(NO_SERVER)
        return self._exchange.ask_for_server()

    def exit_status(self, pytests: int) -> int:
        """A worker leaves the exit status to its controller."""
        return pytests

    def close(self) -> None:
        """The folder is the controller's."""
