"""The server of a session: hosted when the first call needs it, or when a test asks for it, and stopped at the end."""

import threading
from pathlib import Path

from clinhallu_gate.config.registry import ModelEntry
from clinhallu_gate.errors import BadInput, EvaluationFailed
from clinhallu_gate.hosting.identity import ModelIdentity, pinned
from clinhallu_gate.hosting.server import HostedServer, start_server


class ModelHost:
    """Owns the hosted server of one model; thread-safe, starts it when it is needed."""

    def __init__(self, entry: ModelEntry, identity: ModelIdentity, *, log_path: Path, offline: bool = False) -> None:
        self._entry = pinned(entry, identity)
        self._log_path = log_path
        self._offline = offline
        self._lock = threading.Lock()
        self._server: HostedServer | None = None

    def server(self) -> HostedServer:
        """Return the ready server, starting it if need be.

        Raises:
            EvaluationFailed: It cannot be started, died, or did not become ready in time; says how its log ends.
        """
        with self._lock:
            if self._server is None:
                try:
                    self._server = start_server(self._entry, log_path=self._log_path, offline=self._offline)
                except (BadInput, OSError) as error:
                    raise EvaluationFailed(f"the model server cannot be started: {error}") from error
            self._server.wait_ready()
            return self._server

    def dead(self) -> str | None:
        """Say why the server is dead; None while it lives, or if none was started."""
        return self._server.dead() if self._server is not None else None

    def release(self) -> None:
        """End the server and give its memory back; the next one who asks for it starts another."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.stop()

    def stop(self) -> None:
        """End the server if there is one; a thread that waits for it is told that it is dead."""
        if self._server is not None:
            self._server.stop()
