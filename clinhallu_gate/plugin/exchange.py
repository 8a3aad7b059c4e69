"""The private folder through which the controller and its workers talk: who collects what, and what was found."""

import json
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.errors import BadInput, EvaluationFailed, GateError
from clinhallu_gate.pipeline.plan import Wanted
from clinhallu_gate.plugin.view import INSTANCES, RunView, Snapshot
from clinhallu_gate.private import write_whole
from clinhallu_gate.records import Instance

NOTHING: Final = "nothing was evaluated: no selected test asks for a verdict or a gate."
NO_SERVER: Final = "no model server: no model was named (--model or --endpoint)."
_POLL_S: Final = 0.2
_SERVER_TIMEOUT_S: Final = 1800.0
_GATES: Final = TypeAdapter(tuple[GateSpec, ...])


@dataclass(frozen=True, slots=True)
class Selection:
    """The gated tests that are to run."""

    gates: tuple[str, ...] = ()
    wanted: tuple[Wanted, ...] = ()
    judge: bool = False
    """A test of the judge's health was selected."""
    approved: tuple[Path, ...] = ()
    """The files of approved verdicts that selected tests hold theirs against."""
    tests: int = 0
    """All selected tests, gated or not."""
    unprepared: bool = False
    """Gated tests were found although no model was named."""


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """Where the session's model server listens."""

    base_url: str
    """``http://host:port``, without ``/v1``."""
    model: str
    """The name to send with requests."""


_SELECTION: Final = TypeAdapter(Selection)
_ADDRESS: Final = TypeAdapter(ServerAddress)


class Exchange:
    """One folder, private to the user, gone at the end of the session."""

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.mkdtemp(prefix="clinhallu-gate-"))
        self._closed = threading.Event()

    def close(self) -> None:
        """Remove the folder."""
        self._closed.set()
        shutil.rmtree(self.folder, ignore_errors=True)

    # --- what there is to collect ----------------------------------------------------------------------------------

    def write_data(self, model: str, instances: Sequence[Instance], gates: Sequence[GateSpec]) -> None:
        """Lay out what workers collect; they load and validate nothing themselves."""
        self._write("model.json", json.dumps(model).encode())
        self._write("uids.json", json.dumps([instance.uid for instance in instances]).encode())
        self._write("instances.json", INSTANCES.dump_json(tuple(instances)))
        self._write("gates.json", _GATES.dump_json(tuple(gates)))

    def has_data(self) -> bool:
        """Whether the controller has prepared a run."""
        return (self.folder / "gates.json").exists()

    def read_model(self) -> str:
        """Return the name of the examined model."""
        return str(json.loads((self.folder / "model.json").read_bytes()))

    def read_uids(self) -> list[str]:
        """Return the ids of the instances."""
        uids: list[str] = json.loads((self.folder / "uids.json").read_bytes())
        return uids

    def read_instances(self) -> tuple[Instance, ...]:
        """Return the instances, images included."""
        return INSTANCES.validate_json((self.folder / "instances.json").read_bytes())

    def read_gates(self) -> tuple[GateSpec, ...]:
        """Return the gates of the thresholds file."""
        return _GATES.validate_json((self.folder / "gates.json").read_bytes())

    # --- what was selected, and what was found ---------------------------------------------------------------------

    def write_selection(self, worker: str, selection: Selection) -> None:
        """Say what a worker is to run."""
        self._write(f"selection-{worker}.json", _SELECTION.dump_json(selection))

    def read_selection(self, worker: str) -> Selection:
        """Return what a worker is to run."""
        return _SELECTION.validate_json((self.folder / f"selection-{worker}.json").read_bytes())

    def write_results(self, view: RunView) -> None:
        """Lay out what was found."""
        self._write("results.json", Snapshot.of(view).model_dump_json().encode())

    def read_results(self) -> Snapshot:
        """Return what was found. Raises ``BadInput`` if nothing was evaluated."""
        if not (self.folder / "results.json").exists():
            raise BadInput(NOTHING)
        return Snapshot.model_validate_json((self.folder / "results.json").read_bytes())

    # --- the model server ------------------------------------------------------------------------------------------

    def serve_requests(self, start: Callable[[], ServerAddress]) -> None:
        """Start the server when the first worker asks for it; watches in a thread of its own."""

        def watch() -> None:
            while not (self.folder / "server.request").exists():
                if self._closed.wait(_POLL_S):
                    return
            try:
                self._write("server.json", _ADDRESS.dump_json(start()))
            except (GateError, OSError) as error:
                self._write("server.error", str(error).encode())

        threading.Thread(target=watch, name="clinhallu-gate-server", daemon=True).start()

    def ask_for_server(self) -> ServerAddress:
        """Ask the controller for the server and wait for it. Raises ``EvaluationFailed`` if it cannot be had."""
        self._write("server.request", b"")
        deadline = time.monotonic() + _SERVER_TIMEOUT_S
        while time.monotonic() < deadline:
            if (self.folder / "server.json").exists():
                return _ADDRESS.validate_json((self.folder / "server.json").read_bytes())
            if (self.folder / "server.error").exists():
                raise EvaluationFailed((self.folder / "server.error").read_text())
            time.sleep(_POLL_S)
        raise EvaluationFailed("the controller did not start the model server in time")

    def _write(self, name: str, data: bytes) -> None:
        """Write a file, of texts of patients, too, so that nobody reads it half-written."""
        write_whole(self.folder / name, data)
