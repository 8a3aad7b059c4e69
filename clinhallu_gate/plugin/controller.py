"""The state where a run is prepared, evaluated and decided: without xdist, or in its controller."""

import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.deidentification.findings import Preflight
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate.release import EXIT_FAIL, EXIT_NO_DECISION, EXIT_NOT_COMPLETED
from clinhallu_gate.hosting.endpoint import root_url
from clinhallu_gate.pipeline.asked import is_public
from clinhallu_gate.pipeline.folder import append_step_summary, begin_folder, decision_of, revoke, write_folder
from clinhallu_gate.pipeline.hosts import Hosts
from clinhallu_gate.pipeline.known import keep_findings, known_of_data, scan_beside
from clinhallu_gate.pipeline.plan import make_plan
from clinhallu_gate.pipeline.prepare import forget_images, prepare
from clinhallu_gate.pipeline.prepared import Prepared
from clinhallu_gate.pipeline.run import Run, capability_of, hosts_of
from clinhallu_gate.planning.certify import Capability
from clinhallu_gate.plugin.approved import Approving, demand_approvable
from clinhallu_gate.plugin.confined import confined, ended_like_ctrl_c, quoting_nobody
from clinhallu_gate.plugin.exchange import NO_SERVER, NOTHING, Exchange, Selection, ServerAddress
from clinhallu_gate.plugin.options import is_asked, run_options
from clinhallu_gate.plugin.progress import Progress, teller
from clinhallu_gate.plugin.sharing import Heard, listen, written_beside
from clinhallu_gate.plugin.terminal import write_capability, write_preflight, write_summary
from clinhallu_gate.plugin.view import RunView
from clinhallu_gate.private import make_private, without_core
from clinhallu_gate.records import Instance
from clinhallu_gate.report.model import ReportView
from clinhallu_gate.scan import UNSEARCHED, Hit, ScanResult, Searched
from clinhallu_gate.unquoted import place_of

NO_MODEL: Final = (
    "--model: none given, and these tests gate a model. Name a model of the registry, a hub id or a checkpoint folder, "
    "or a running server with --endpoint. Try: pytest suites/ --model phantom-vlm"
)
#: What a run decides about; any other status (interrupted, internal error, usage error, another plugin's) stands.
_OURS: Final = frozenset({pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED, EXIT_NOT_COMPLETED})
#: Attribute of a test report: the test failed, and the release decision says so already.
SPOKEN_FOR: Final = "clinhallu_gate_spoken_for"


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
        self.prepared: Prepared | None = None
        self.run: Run | None = None
        self.shown: ReportView | None = None
        self.others_failed = False
        self._looked = False
        self._heard: Heard | None = None
        self._withheld = False
        self._confined = ExitStack()

    @property
    def has_workers(self) -> bool:
        """Whether xdist's workers collect and run the tests."""
        return bool(self._config.pluginmanager.hasplugin("dsession"))

    def listen(self) -> None:
        """Remember what is written to the terminal, if a gated run is asked for: it is searched at the end."""
        if is_asked(self._config):
            self._heard = listen(self._config)

    # --- collect ---------------------------------------------------------------------------------------------------

    def prepare(self) -> None:
        """Look at everything a run needs. Raises ``BadInput``."""
        if self.prepared is not None:
            return
        options = run_options(self._config)
        perhaps = not is_public(options)
        self._confined.enter_context(without_core(wanted=perhaps))  # images are decoded while data are loaded
        with quoting_nobody(wanted=perhaps), ended_like_ctrl_c():
            collect_only = self._config.option.collectonly
            self.prepared = prepare(options, look_only=collect_only, tell=teller(self._config))
        if self.prepared.patient_data:
            self._confined.enter_context(confined())

    @property
    def model(self) -> str:
        """Name of the examined model."""
        return self.prepared.entry.name if self.prepared else ""

    @property
    def uids(self) -> Sequence[str]:
        """Ids of the instances, in order of the data."""
        return self.prepared.frame.uids if self.prepared else ()

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
            with self._quoting_nobody(self.prepared):
                _demand_tests(selection)
                self._demand_approvable(selection, self.prepared)
                if self._config.option.collectonly:
                    self._say_capability(capability_of(self.prepared))

    @staticmethod
    def _quoting_nobody(prepared: Prepared) -> AbstractContextManager[None]:
        return quoting_nobody(wanted=prepared.confidential, kept_in=prepared.kept_dir)

    def _demand_approvable(self, selection: Selection, prepared: Prepared) -> None:
        if selection.approved and not self._config.option.collectonly:
            demand_approvable(
                selection.approved,
                Approving.of(self._config),
                has_workers=self.has_workers,
                patients=frozenset(i.id for dataset in prepared.datasets for i in dataset.instances if i.phi),
            )

    # --- evaluate --------------------------------------------------------------------------------------------------

    @cached_property
    def exchange(self) -> Exchange:
        """The folder shared with workers; made when the first of them is configured."""
        if self.prepared is None or not self.prepared.confidential:
            return Exchange()
        folder = self.prepared.kept_dir
        make_private(folder)
        return Exchange(Path(tempfile.mkdtemp(prefix="exchange-", dir=folder)))

    def exchange_folder(self) -> str:
        """Return the folder for a worker, with the data laid out in it."""
        if self.prepared is not None:
            with self._quoting_nobody(self.prepared):
                if not self.exchange.has_data():
                    self.exchange.write_data(self.model, self.prepared.instances, self.prepared.gates)
        return str(self.exchange.folder)

    def evaluate(self, progress: Progress) -> None:
        """Evaluate what the selected tests need, once; a run that cannot be completed ends the session with 11."""
        broken = self.others_failed and not self._config.option.continue_on_collection_errors
        if self._looked or broken or self.prepared is None:
            return  # what is broken could not be collected; pytest stops for it
        self._looked = True
        selection = self._selection
        if selection.gates or selection.wanted or selection.judge:
            self._evaluate(self.prepared, selection, progress)
        if self.has_workers:
            self.exchange.serve_requests(self.server)

    def _evaluate(self, prepared: Prepared, selection: Selection, progress: Progress) -> None:
        gates = [spec for spec in prepared.gates if spec.id in set(selection.gates)]
        with usage_errors(), self._quoting_nobody(prepared):
            repeats = prepared.options.repeats
            plan = make_plan(prepared.protocol, prepared.frame, gates, selection.wanted, repeats=repeats)
            begin_folder(prepared)
            self.run = Run(prepared)
            self._say_preflight(prepared.preflight)
            self._say_capability(self.run.capability)
            with progress.shown():
                self.run.evaluate(plan, gates, examine=bool(gates) or selection.judge, emit=progress.heard)
            self.shown = write_folder(self.run)
        if self.run.failure:
            self._say_now(self.shown)
            pytest.exit(f"the evaluation could not be completed: {self.run.failure}", returncode=EXIT_NOT_COMPLETED)
        if self.has_workers:
            with self._quoting_nobody(prepared):
                self.exchange.write_results(self.view)

    def _say_preflight(self, found: Preflight | None) -> None:
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if found is not None and reporter is not None and self._config.option.verbose >= 0:
            write_preflight(reporter, found)

    def _say_capability(self, found: Capability | None) -> None:
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if found is not None and reporter is not None and self._config.option.verbose >= 0:
            write_capability(reporter, found)

    def _say_now(self, shown: ReportView) -> None:
        """Write the summary at once: pytest asks for none where it exits with a status of ours."""
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            write_summary(reporter, shown, run_dir=str(self.prepared.run_dir if self.prepared else ""))

    @cached_property
    def view(self) -> RunView:
        """What was found, as tests see it: of confidential data no word, as a failed test prints what it was given."""
        if self.run is None:
            raise BadInput(NOTHING)
        results, examination = self.run.shown, self.run.examination
        if self.run.prepared.confidential and examination is not None:
            examination = examination.unquoted
        verdicts = {uid: found.verdicts for uid, found in results.found.items()}
        gates = {gate.id: gate for gate in decision_of(self.run).gates}  # without rates if the run was not completed
        exploratory = self.run.prepared.options.no_decision
        return RunView(verdicts, gates, results.by_uid, exploratory, examination)

    def server(self) -> ServerAddress:
        """Return the session's model server, starting it if evaluation did not need it."""
        if self.prepared is None or self._hosts is None:
            raise BadInput(NO_SERVER)
        if not self.prepared.model.asks:
            raise BadInput(NO_SERVER)
        if self._hosts.model is None:
            return ServerAddress(root_url(self.prepared.endpoints[0]), self.prepared.identity.name)
        server = self._hosts.model.server()
        return ServerAddress(server.base_url, server.model)

    @cached_property
    def _hosts(self) -> Hosts | None:
        if self.run is not None:
            return self.run.hosts
        return hosts_of(self.prepared) if self.prepared is not None else None

    # --- end -------------------------------------------------------------------------------------------------------

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Remember failures that the release decision does not speak for."""
        if report.failed and not getattr(report, SPOKEN_FOR, False):
            self.others_failed = True

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Remember tests that could not even be collected (with ``--continue-on-collection-errors``)."""
        self.others_failed = self.others_failed or report.failed

    def finish(self) -> None:
        """Search what was written; then tell the CI system what was decided, which cannot be taken back."""
        self._say_what_is_left()
        self._scan()
        if self.shown is not None:
            append_step_summary(self.shown)

    def _say_what_is_left(self) -> None:
        """Say where a run of patients that was interrupted left what it had: nobody else knows."""
        if self.run is None or self.shown is not None or not self.run.prepared.patient_data:
            return
        prepared = self.run.prepared
        folder = shlex.quote(prepared.options.short(prepared.run_dir))
        self._say(
            f"not finished: {prepared.options.short(prepared.kept_dir)} holds images of patients and what was replied "
            f"so far. Go on with --run-dir {folder}, or remove it with clinhallu-gate purge {folder}."
        )

    def _scan(self) -> None:
        """Search what pytest wrote for what is known of patients; a hit takes the decision back.

        What could not be searched is a hit, too.
        """
        if self.prepared is None or not self.prepared.patient_data:
            return
        searched = self._searched(self.prepared)
        found = searched.result
        if not found.hits:
            return
        self._withheld = True
        if self.run is None:  # refused, or only looked at: there is no folder of its own to list anything in
            self._say(f"known-value scan: {found.sentence}; do not hand it on.")
            return
        self.run.findings.join(searched.findings)
        where = keep_findings(self.prepared, self.run.findings)
        self._say(f"known-value scan: {found.sentence}; do not hand it on{where}. There is no decision (11).")
        if self.run.finished:
            self.shown = None
            with quoting_nobody(wanted=True, kept_in=self.prepared.kept_dir):
                self.shown = revoke(self.run, found, where)

    def _searched(self, prepared: Prepared) -> Searched:
        try:
            known = (self.run.known if self.run is not None else None) or known_of_data(prepared)
            return scan_beside(known, written_beside(self._config), self._heard.text if self._heard else "")
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody knows what those files hold
            unread = Hit(file=f"what pytest wrote ({place_of(error)})", what=UNSEARCHED)
            return Searched(ScanResult(values=0, hits=(unread,)))

    def _say(self, line: str) -> None:
        reporter = self._config.pluginmanager.getplugin("terminalreporter")
        if reporter is not None:
            reporter.write_line(line, red=True, bold=True)
        else:
            sys.stderr.write(f"{line}\n")

    @property
    def _decides_nothing(self) -> bool:
        """Whether a model was named and no selected test gates it, although that was not said to be meant."""
        if self.run is not None or self.prepared is None or self._config.option.collectonly:
            return False
        return not self.prepared.options.no_decision

    def exit_status(self, pytests: int) -> int:
        """Return the session's exit status: 4, then pytest's 2 and 3, then 11, 1, 10 and 0."""
        if pytests not in _OURS:
            return pytests
        if self._withheld:
            return EXIT_NOT_COMPLETED
        if self.run is None:
            return EXIT_NO_DECISION if pytests == pytest.ExitCode.OK and self._decides_nothing else pytests
        status = self.run.release.exit_status
        if EXIT_NOT_COMPLETED in (status, pytests):
            return EXIT_NOT_COMPLETED
        return EXIT_FAIL if self.others_failed else status or pytests

    def close(self) -> None:
        """Stop what was hosted; remove what was shared."""
        if self.run is not None:
            self.run.stop()
        if (hosts := self.__dict__.get("_hosts")) is not None:
            hosts.stop()
        if "exchange" in self.__dict__:
            self.exchange.close()
        if self.run is None and self.prepared is not None:
            forget_images(self.prepared)
        self._confined.close()


def _demand_tests(selection: Selection) -> None:
    """Raise ``BadInput`` if no test is selected: an empty run must not look like a good one."""
    if not selection.tests:
        raise BadInput("no test is selected: -k, -m, --lf or the paths leave none. Try: pytest suites/ --collect-only")
