"""Owns one server process: when its own owner ends, however it ends, the server and all it started end too.

A script of the standard library alone, so that it starts in milliseconds:
``python supervisor.py --owner PID --state FILE --grace SECONDS -- COMMAND...``. Linux only.

The server runs in a session of its own, so Ctrl-C in the owner's terminal does not reach it. The sign of life of the
owner is a pipe at the supervisor's standard input, and its process id. Whatever the server starts and abandons becomes
the supervisor's child (child subreaper) and is found by walking ``/proc``. Should the supervisor itself be killed, the
kernel sends the server SIGTERM, and ``sweep`` ends what the state file lists.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_TICK_S = 0.2


@dataclass(frozen=True, slots=True)
class Process:
    """A process that no other can be mistaken for: its number, and its start in clock ticks since boot."""

    pid: int
    start: int


@dataclass(frozen=True, slots=True)
class _Row:
    process: Process
    parent: int


def running(pid: int) -> Process | None:
    """Return the process with this number, or None if there is none (a zombie is none)."""
    row = _row(pid)
    return row.process if row else None


def descendants(root: int) -> list[Process]:
    """Return the living processes below ``root``, in any session or process group."""
    rows = [row for entry in Path("/proc").iterdir() if entry.name.isdigit() and (row := _row(int(entry.name)))]
    found = {root}
    below: list[Process] = []
    while new := [row.process for row in rows if row.parent in found and row.process.pid not in found]:
        found.update(process.pid for process in new)
        below += new
    return below


def end(processes: Iterable[Process], number: signal.Signals) -> None:
    """Send a signal to those that still live."""
    for process in processes:
        if running(process.pid) == process:
            with suppress(ProcessLookupError, PermissionError):
                os.kill(process.pid, number)


def sweep(state: Path, *, grace_s: float = 5.0) -> None:
    """End what a killed supervisor left behind: SIGTERM, and SIGKILL after ``grace_s``. Leaves a living one alone."""
    try:
        content = json.loads(state.read_text(encoding="utf-8"))
        listed = [Process(**fields) for fields in content["processes"]]
        supervisor = Process(**content["supervisor"])
    except (OSError, ValueError, TypeError, KeyError):
        return
    if content["boot"] == _boot_id():
        if running(supervisor.pid) == supervisor:
            return
        _sweep(listed, time.monotonic() + grace_s)
    state.unlink(missing_ok=True)


def _sweep(listed: Sequence[Process], deadline: float) -> None:
    """Abandoned processes have new parents, so what is below a process is looked up before it ends."""
    number = signal.SIGTERM
    known = set(listed)
    while alive := [process for process in known if running(process.pid) == process]:
        for process in alive:
            known.update(descendants(process.pid))
        end(known, number)
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        time.sleep(0.1)


def _row(pid: int) -> _Row | None:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    # The second field is the program's name in parentheses and may hold anything, spaces and parentheses included.
    fields = stat.rpartition(")")[2].split()
    if fields[0] in "ZX":
        return None
    return _Row(Process(pid, int(fields[19])), int(fields[1]))


def _boot_id() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


class _Supervisor:
    """Starts the command and stays until it and everything below it has ended."""

    def __init__(self, command: Sequence[str], *, owner: int, state: Path, grace_s: float) -> None:
        self._owner = owner
        self._state = state
        self._grace_s = grace_s
        self._recorded: list[Process] = []
        self._ending = False
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end_soon)
        self._server = _spawn(command)

    def run(self) -> int:
        """Return the server's exit status, 128 + n where signal n ended it."""
        while self._server.poll() is None and not self._ending:
            self._record()
            self._wait_for_owner()
        if self._server.poll() is None:
            self._terminate()
        self._kill_all()
        self._state.unlink(missing_ok=True)
        status = self._server.returncode
        return status if status >= 0 else 128 - status

    def _end_soon(self, *_: object) -> None:
        self._ending = True

    def _wait_for_owner(self) -> None:
        """Wait a moment; notice that the owner closed the pipe or is gone (a forked child may hold the pipe open)."""
        readable, _, _ = select.select([0], [], [], _TICK_S)
        if (readable and not os.read(0, 1)) or os.getppid() != self._owner:
            self._ending = True

    def _record(self) -> None:
        """Write down who would have to be ended if this process were killed."""
        now = descendants(os.getpid())
        if now == self._recorded:
            return
        content = {
            "boot": _boot_id(),
            "supervisor": asdict(running(os.getpid()) or Process(os.getpid(), 0)),
            "processes": [asdict(process) for process in now],
        }
        draft = self._state.with_suffix(".draft")
        draft.write_text(json.dumps(content), encoding="utf-8")
        draft.replace(self._state)
        self._recorded = now

    def _terminate(self) -> None:
        """Ask the server to end (its group too: a server that is still starting has not told its children yet)."""
        with suppress(ProcessLookupError):
            os.killpg(self._server.pid, signal.SIGTERM)
        deadline = time.monotonic() + self._grace_s
        while time.monotonic() < deadline and descendants(os.getpid()):
            self._reap()
            time.sleep(_TICK_S / 4)

    def _kill_all(self) -> None:
        """Kill until nothing is left: a process may have started another one in between."""
        while left := descendants(os.getpid()):
            end(left, signal.SIGKILL)
            self._reap()
            time.sleep(_TICK_S / 20)
        self._server.wait()

    def _reap(self) -> None:
        self._server.poll()
        with suppress(ChildProcessError):
            # Zombies that the server abandoned; the server's own status is taken by poll() above.
            while self._server.returncode is not None and os.waitpid(-1, os.WNOHANG)[0]:
                pass


def _spawn(command: Sequence[str]) -> "subprocess.Popen[bytes]":
    supervisor = os.getpid()

    def in_child() -> None:
        _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != supervisor:
            os._exit(1)

    return subprocess.Popen(  # noqa: S603 - starting the given command is this script's purpose
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=in_child,  # noqa: PLW1509 - this process has one thread
    )


def main(arguments: Sequence[str]) -> int:
    """Run the command that stands after ``--``; return the exit status."""
    parser = argparse.ArgumentParser(prog="supervisor", description="Own a server process.")
    parser.add_argument("--owner", type=int, required=True)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("command", nargs="+")
    options = parser.parse_args(arguments)
    supervisor = _Supervisor(options.command, owner=options.owner, state=options.state, grace_s=options.grace)
    return supervisor.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
