"""A vLLM server process of one's own, started and waited for apart, and certain to end with its owner."""

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from clinhallu_gate.config.registry import ModelEntry
from clinhallu_gate.errors import BadInput, EvaluationFailed
from clinhallu_gate.hosting import supervisor
from clinhallu_gate.hosting.command import environment, installed_build, program, server_arguments
from clinhallu_gate.hosting.endpoint import check_health, served_models
from clinhallu_gate.private import open_for_owner

_GRACE_S: Final = 5.0
_LOG_LINES: Final = 20
_POLL_S: Final = 0.25


class HostedServer:
    """A server process that belongs to this process; made by ``start_server``, ended by ``stop`` or ``with``.

    Attributes:
        base_url: ``http://127.0.0.1:port``, without ``/v1``.
        model: The name under which it serves the model.
        log_path: Where everything that it prints goes.
    """

    def __init__(
        self,
        owned: "subprocess.Popen[bytes]",
        *,
        base_url: str,
        served_names: Sequence[str],
        log_path: Path,
        state: Path,
        timeout_s: float,
    ) -> None:
        self.base_url = base_url
        self.model = served_names[0]
        self.log_path = log_path
        self._nonce = served_names[-1]
        self._owned = owned
        self._state = state
        self._timeout_s = timeout_s
        self._started = time.monotonic()
        self._guard = threading.Thread(target=self._sweep_after, name="clinhallu-gate-guard", daemon=True)
        self._guard.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def process_ids(self) -> tuple[int, ...]:
        """Return the living processes of the server: the supervisor, then all below it."""
        if self._owned.poll() is not None:
            return ()
        return (self._owned.pid, *(process.pid for process in supervisor.descendants(self._owned.pid)))

    def wait_ready(
        self, *, monotonic: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep
    ) -> Self:
        """Wait until the server answers, under the name that only it knows.

        Raises:
            EvaluationFailed: It ended, or did not answer in time (it is stopped then); with the end of its log.
        """
        while not self._answers():
            if (status := self._owned.poll()) is not None:
                self.stop()
                raise EvaluationFailed(self._ended_with(status), self._log_end())
            if monotonic() - self._started > self._timeout_s:
                self.stop()
                raise EvaluationFailed(
                    f"The server of {self.model} did not answer within {self._timeout_s:g} s.", self._log_end()
                )
            sleep(_POLL_S)
        return self

    def dead(self) -> str | None:
        """Return None while the server lives, else what became of it, with the end of its log."""
        status = self._owned.poll()
        if status is None:
            return None
        return f"{self._ended_with(status)}{self._log_end()}"

    def _ended_with(self, status: int) -> str:
        return f"The server of {self.model} ended with status {status}."

    def stop(self) -> None:
        """End the server and everything it started; returns when nothing is left. Harmless when repeated."""
        self._let_go()
        try:
            self._owned.wait(_GRACE_S * 3)
        except subprocess.TimeoutExpired:
            self._owned.kill()
        self._guard.join()

    def _let_go(self) -> None:
        """Close the pipe: the supervisor takes that as the end of its owner."""
        if self._owned.stdin is not None:
            with suppress(OSError):
                self._owned.stdin.close()

    def _answers(self) -> bool:
        try:
            check_health(self.base_url)
            return self._nonce in served_models(self.base_url, timeout_s=5.0)
        except (OSError, ValueError):
            return False

    def _sweep_after(self) -> None:
        """End what is left if the supervisor was killed; after a regular end there is no state file."""
        self._owned.wait()
        self._let_go()
        supervisor.sweep(self._state, grace_s=_GRACE_S)

    def _log_end(self) -> str:
        try:
            lines = self.log_path.read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            lines = []
        said = [line.rstrip() for line in lines if line.strip()][-_LOG_LINES:]
        return "\n".join([f" The end of {self.log_path}:", *(f"  {line}" for line in said or ["(empty)"])])


def start_server(
    entry: ModelEntry,
    *,
    log_path: Path,
    port: int | None = None,
    timeout_s: float | None = None,
    extra_args: Sequence[str] = (),
    command: Sequence[str] | None = None,
    offline: bool = False,
) -> HostedServer:
    """Start a server for ``entry`` and return at once; ``wait_ready`` waits for it.

    Args:
        entry: The model and its flags.
        log_path: Gets all output of the server; its folder is made.
        port: A free one is taken by default.
        timeout_s: Seconds from now until it must answer; by default the entry's.
        extra_args: Flags after the entry's own.
        command: The words in place of vLLM's; they are given the same flags.
        offline: It may ask no hub, and report to nobody.

    Raises:
        BadInput: No vLLM is installed, or there is no checkpoint folder of that name, or this is not Linux.
    """
    if sys.platform != "linux":
        raise BadInput("--model: hosting a model needs Linux; use --endpoint URL.")
    if entry.folder and not entry.folder.is_dir():
        raise BadInput(f"--model: {entry.name}: there is no folder {entry.folder}.")
    build = None if command else installed_build()
    words = list(command) if command else program(installed_build())
    taken = port or _free_port()
    names = (entry.name, f"gate-{secrets.token_hex(8)}")
    state = _sweep_old() / f"{secrets.token_hex(8)}.json"
    arguments = server_arguments(entry, port=taken, served_names=names)
    env = environment(entry, build, offline=offline)
    owned = _own([*words, *arguments, *extra_args], state=state, log_path=log_path, env=env)
    return HostedServer(
        owned,
        base_url=f"http://127.0.0.1:{taken}",
        served_names=names,
        log_path=log_path,
        state=state,
        timeout_s=timeout_s or entry.startup_timeout_s,
    )


def _own(command: Sequence[str], *, state: Path, log_path: Path, env: dict[str, str]) -> "subprocess.Popen[bytes]":
    """Start a supervisor with the server below it, in a session of its own: Ctrl-C here is not for them."""
    log_path.parent.mkdir(parents=True, exist_ok=True)
    script = [sys.executable, "-I", supervisor.__file__]
    options = ["--owner", str(os.getpid()), "--state", str(state), "--grace", str(_GRACE_S), "--"]
    with open(log_path, "ab", opener=open_for_owner) as log:
        return subprocess.Popen(  # noqa: S603 - our own script, and the command it is to own
            [*script, *options, *command],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            env=env,
            start_new_session=True,
        )


def _free_port() -> int:
    """Return a port that is free now; ``wait_ready`` notices if another server takes it first."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _sweep_old() -> Path:
    """Return this user's folder of state files, after ending what killed supervisors left behind."""
    folder = Path(tempfile.gettempdir()) / f"clinhallu-gate-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise BadInput(f"{folder}: belongs to another user; set TMPDIR to a folder of your own.")
    for state in folder.glob("*.json"):
        supervisor.sweep(state)
    return folder
