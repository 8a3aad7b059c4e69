"""The state of a gated session: in the process that evaluates, or in an xdist worker."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.release import EXIT_FAIL, EXIT_NOT_COMPLETED
from clinhallu_gate.pipeline.folder import begin_folder, write_folder
from clinhallu_gate.pipeline.plan import make_plan
from clinhallu_gate.pipeline.prepare import Prepared, prepare
from clinhallu_gate.pipeline.run import Run
from clinhallu_gate.plugin.exchange import Exchange, Selection, ServerAddress
from clinhallu_gate.plugin.options import run_options
from clinhallu_gate.plugin.progress import Progress
from clinhallu_gate.plugin.view import RunView
from clinhallu_gate.records import Instance

NO_MODEL: Final = (
    "--model: none given, and these tests gate a model. Name a model of the registry, a hub id or a checkpoint folder, "
    "or a running server with --endpoint. Try: pytest suites/ --model phantom-vlm"
)
#: pytest's own: interrupted, internal error, usage error.
_PYTESTS_OWN: Final = frozenset({2, 3, 4})


@contextmanager
def usage_errors() -> Iterator[None]:
    """Turn bad input into pytest's usage error: one line and exit status 4."""
    try:
        yield
    except BadInput as error:
        raise pytest.UsageError(str(error)) from None


class ControllerState:
    """The state where a run is prepared, evaluated and decided: without xdist, or in its controller."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._selection = Selection()
        self._gated = False
        self.prepared: Prepared | None = None
        self.run: Run | None = None
        self.others_failed = False

    @property
    def has_workers(self) -> bool:
        """Whether xdist's workers collect and run the tests."""
        return bool(self._config.pluginmanager.hasplugin("dsession"))

    # --- collect ---------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Look at everything a run needs. Raises ``BadInput``."""
        if self.prepared is None:
            self.prepared = prepare(run_options(self._config), look_only=self._config.option.collectonly)

    @property
    def uids(self) -> Sequence[str]:
        """Ids of the instances, in order of the data."""
        return [instance.uid for instance in self.prepared.instances] if self.prepared else []

    @property
    def instances(self) -> Sequence[Instance]:
        """The instances, in order of the data."""
        return self.prepared.instances if self.prepared else ()

    @property
    def gates(self) -> Sequence[GateSpec]:
        """The gates of the thresholds file."""
        return self.prepared.gates if self.prepared else ()

    def selected(self, selection: Selection) -> None:
        """Take note of what is to run. Raises ``BadInput`` if gated tests have no model, or none is selected."""
        self._selection = selection
        if selection.unprepared:
            raise BadInput(NO_MODEL)
        if self.prepared is not None:
            demand_tests(selection)

    # --- evaluate --------------------------------------------------------------------------------------------------

    @cached_property
    def exchange(self) -> Exchange:
        """The folder shared with workers; made when the first of them is configured."""
        return Exchange()

    def exchange_folder(self) -> str:
        """Return the folder for a worker, with the data laid out in it."""
        if self.prepared is None and (self._config.option.model or self._config.option.endpoint):
            self.prepare()
        if self.prepared is not None and not self.exchange.has_data():
            self.exchange.write_data(self.prepared.instances, self.prepared.gates)
        return str(self.exchange.folder)

    def evaluate(self, progress: Progress) -> None:
        """Evaluate what the selected tests need, once; a run that cannot be completed ends the session with 11."""
        selection = self._selection
        if self.prepared is None or self.run is not None or not (selection.gates or selection.wanted):
            return
        gates = [spec for spec in self.prepared.gates if spec.id in set(selection.gates)]
        plan = make_plan(self.prepared.frame, gates, selection.wanted)
        with usage_errors():
            begin_folder(self.prepared)
            self.run = Run(self.prepared)
            with progress.of_traces(plan.traces(self.prepared.protocol)):
                self.run.evaluate(plan, gates, emit=progress.heard)
            write_folder(self.run)
        if self.run.failure:
            pytest.exit(f"the evaluation could not be completed: {self.run.failure}", returncode=EXIT_NOT_COMPLETED)
        if self.has_workers:
            self.exchange.write_results(self.view)
            self.exchange.serve_requests(self.server)

    @cached_property
    def view(self) -> RunView:
        """What was found, as tests see it."""
        if self.run is None:
            raise BadInput("nothing was evaluated in this session.")
        results = self.run.results
        verdicts = {uid: found.verdicts for uid, found in results.found.items()}
        gates = {gate.id: gate for gate in self.run.gates}
        return RunView(verdicts, gates, results.by_uid, self.run.prepared.options.no_decision)

    def server(self) -> ServerAddress:
        """Return the session's model server, starting it if evaluation did not need it."""
        if self.run is None:
            raise BadInput("no model server: this session gates no model.")
        if self.run.host is None:
            return ServerAddress(self.run.prepared.endpoints[0], self.run.prepared.identity.name)
        server = self.run.host.server()
        return ServerAddress(server.base_url, server.model)

    # --- end -------------------------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember failures that no gate speaks for: a gate test's own outcome is in the release decision."""
        if report.failed and not (report.when == "call" and "gates" in report.keywords):
            self.others_failed = True

    def exit_status(self, pytests: int) -> int:
        """Return the session's exit status: 4, then pytest's 2 and 3, then 11, 1, 10 and 0."""
        if self.run is None or pytests in _PYTESTS_OWN:
            return pytests
        status = self.run.release.exit_status
        if EXIT_NOT_COMPLETED in (status, pytests):
            return EXIT_NOT_COMPLETED
        return EXIT_FAIL if self.others_failed else status

    def close(self) -> None:
        """Stop what was hosted; remove what was shared."""
        if self.run is not None:
            self.run.stop()
        if "exchange" in self.__dict__:
            self.exchange.close()


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
        return self._exchange.read_results().view({instance.uid: instance for instance in self.instances})

    def server(self) -> ServerAddress:
        """Return the controller's model server."""
        return self._exchange.ask_for_server()

    def exit_status(self, pytests: int) -> int:
        """A worker leaves the exit status to its controller."""
        return pytests

    def close(self) -> None:
        """The folder is the controller's."""


State = ControllerState | WorkerState
KEY: Final = pytest.StashKey[State]()


def demand_tests(selection: Selection) -> None:
    """Raise ``BadInput`` if no test is selected: an empty run must not look like a good one."""
    if not selection.tests:
        raise BadInput("no test is selected: -k, -m, --lf or the paths leave none. Try: pytest suites/ --collect-only")
