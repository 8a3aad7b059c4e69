"""The hooks, each handing on to the session's state; pytest's own errors stay pytest's."""

import sys
import traceback
from collections.abc import Generator
from typing import Any, Final

import pytest

from clinhallu_gate.gate.release import EXIT_NO_DECISION
from clinhallu_gate.plugin.collect import parametrize, selection_of
from clinhallu_gate.plugin.controller import SPOKEN_FOR, ControllerState, usage_errors
from clinhallu_gate.plugin.handles import GateNotPassed
from clinhallu_gate.plugin.options import add_options, is_asked
from clinhallu_gate.plugin.progress import Progress
from clinhallu_gate.plugin.state import KEY, State
from clinhallu_gate.plugin.terminal import write_no_decision, write_summary
from clinhallu_gate.plugin.worker import WorkerState
from clinhallu_gate.unquoted import place_of

#: Syrupy's, of every session with workers that ends before they are given a test.
_WORKERS_WITHOUT_TESTS: Final = "ignore:syrupy. received 0 of:UserWarning"

MARKERS = (
    "verdicts(arm, part): one test per instance on the verdict on `part` of the trace of `arm` (a name or a list)",
    "gates(metric): one test per matching gate of the thresholds file",
    "judge_health: one test per stage on what the examination of the judge found, as `judge_check`",
    "approved: one test per instance on its verdicts and the approved ones, as `approved`",
    "instances: one test per instance, which it is given as `instance`",
    "visual_recognition: the camera",
    "knowledge_recall: the textbook",
    "reasoning_integration: the logic",
    "answer_accuracy: the answers",
    "stage_replacement: what mending a stage would be worth",
    "judge: the instrument",
    "approved_verdicts: the release in use",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers and lay out the state; nothing is touched yet."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    config.addinivalue_line("filterwarnings", _WORKERS_WITHOUT_TESTS)
    state: State = WorkerState(config) if hasattr(config, "workerinput") else ControllerState(config)
    config.stash[KEY] = state
    config.pluginmanager.register(state, "clinhallu-gate-state")  # it listens to test reports


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Remember what is written to the terminal, before its first line."""
    state = _state(session.config)
    if isinstance(state, ControllerState):
        state.listen()


def pytest_collection(session: pytest.Session) -> None:
    """Look at model, data and thresholds before the first test is collected, if a gated run is asked for."""
    if is_asked(session.config):
        with usage_errors():
            _state(session.config).prepare()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a gated test its instances or gates."""
    parametrize(metafunc, _state(metafunc.config))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_finish(session: pytest.Session) -> None:
    """Note what was selected; a worker writes it down before its controller is told that it has collected."""
    state = _state(session.config)
    if isinstance(state, ControllerState) and state.has_workers:
        return  # its workers collect
    with usage_errors():
        state.selected(selection_of(session.items, state))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> Generator[None, object, object]:
    """Evaluate before the first test; with workers, that waits for their collection."""
    state = _state(session.config)
    if isinstance(state, ControllerState) and not state.has_workers and not session.config.option.collectonly:
        state.evaluate(Progress.of(session.config))
    return (yield)


@pytest.hookimpl(optionalhook=True, tryfirst=True)
def pytest_xdist_setupnodes(config: pytest.Config) -> None:
    """Look at everything before a worker is started: bad input needs none."""
    if is_asked(config):
        with usage_errors():
            _state(config).prepare()


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - xdist's node has no public type
    """Tell a worker where to read and write."""
    node.workerinput["clinhallu_gate"] = node.config.stash[KEY].exchange_folder()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_node_collection_finished(node: Any, ids: list[str]) -> None:  # noqa: ANN401 - as above
    """Evaluate once the first worker has collected, before any test is dispatched."""
    state = node.config.stash[KEY]
    if not ids and state.prepared is None:
        return  # no gated run, and nothing to run: pytest says so itself
    with usage_errors():
        selection = state.exchange.read_selection(node.gateway.id)
        state.selected(selection)
    state.evaluate(Progress.of(node.config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Mark the failures that the release decision speaks for; the mark travels with the report from a worker."""
    report = yield
    setattr(report, SPOKEN_FOR, call.excinfo is not None and call.excinfo.errisinstance(GateNotPassed))
    return report


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> Generator[None, object, object]:
    """Search what was written, and set the exit status that the run came to, after other plugins had their say.

    Syrupy's is a bitwise or. The test report is written by now, and the terminal's summary. A plugin that fails here is
    an internal error (3): its traceback would end the process with the status of a model that is blocked.
    """
    result: object = None
    failed: Exception | None = None
    try:
        result = yield
    except pytest.exit.Exception:
        raise
    except Exception as error:  # noqa: BLE001 - whatever it is, what was written has to be searched
        failed = error
    state = _state(session.config)
    if isinstance(state, ControllerState):
        state.finish()
    session.exitstatus = state.exit_status(int(session.exitstatus))
    if failed is not None:
        sys.stderr.write(f"internal error: {place_of(failed)}, at the end of the session\n")
        if not is_asked(session.config):  # no run of ours, so nobody's data
            traceback.print_exception(failed)
        session.exitstatus = pytest.ExitCode.INTERNAL_ERROR
    return result


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, exitstatus: int, config: pytest.Config) -> None:
    """Say what was decided, why, where the report is and what to run next."""
    state = _state(config)
    if not isinstance(state, ControllerState):
        return
    if state.run is not None and state.shown is not None:
        write_summary(terminalreporter, state.shown, run_dir=str(state.run.prepared.run_dir))
    elif state.exit_status(exitstatus) == EXIT_NO_DECISION:
        write_no_decision(terminalreporter)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop what was hosted and leave nothing behind."""
    state = config.stash.get(KEY, None)
    if state is not None:
        state.close()


def _state(config: pytest.Config) -> State:
    state: State = config.stash[KEY]
    return state
