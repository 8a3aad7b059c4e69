"""Starting, waiting for and ending a server, on real processes; a stub stands in for vLLM."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clinhallu_gate.config import ModelEntry
from clinhallu_gate.errors import BadInput, EvaluationFailed
from clinhallu_gate.hosting import command as serving
from clinhallu_gate.hosting import server as hosting
from clinhallu_gate.hosting import supervisor
from clinhallu_gate.hosting.host import ModelHost
from clinhallu_gate.hosting.identity import hosted_identity
from clinhallu_gate.hosting.server import HostedServer, start_server

HERE = Path(__file__).parent
ENTRY = ModelEntry(name="stub", source="org/stub", startup_timeout_s=30)


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep state files apart from those of real servers, and never wait long for the stubborn."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    monkeypatch.setenv("STUB_PIDS", str(tmp_path / "pids"))
    monkeypatch.setattr(hosting, "_GRACE_S", 0.5)


def stub(how: str) -> list[str]:
    return [sys.executable, str(HERE / "stub_server.py"), how]


def start(tmp_path: Path, how: str, **options: float) -> HostedServer:
    return start_server(ENTRY, log_path=tmp_path / "logs" / "vllm.log", command=stub(how), **options)


def pids(tmp_path: Path, expected: int) -> list[int]:
    """Return the processes of the stub once all have written their numbers."""
    file = tmp_path / "pids"
    wait_until(lambda: file.exists() and len(file.read_text().split()) == expected)
    return [int(pid) for pid in file.read_text().split()]


def wait_until(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
    deadline = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def all_gone(numbers: list[int]) -> bool:
    return not living(numbers)


def living(numbers: list[int]) -> set[int]:
    return {number for number in numbers if supervisor.running(number)}


def recorded(tmp_path: Path) -> set[int]:
    """Return the processes that the supervisor has written down."""
    states = [json.loads(path.read_text()) for path in tmp_path.glob("clinhallu-gate-*/*.json")]
    return {process["pid"] for state in states for process in state["processes"]}


@pytest.fixture
def owner(tmp_path: Path) -> Iterator[Callable[[str], "subprocess.Popen[str]"]]:
    """Return a function that starts a process which owns a stubborn server and is ready."""
    started = []

    def begin(grace_s: str) -> "subprocess.Popen[str]":
        words = [sys.executable, str(HERE / "owner.py"), "stubborn", str(tmp_path / "log"), grace_s]
        process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True, start_new_session=True)
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def supervisor_of(process: "subprocess.Popen[str]") -> int:
    assert process.stdout is not None
    word, pid = process.stdout.readline().split()
    assert word == "ready"
    return int(pid)


def test_a_server_is_ready_then_stops_and_leaves_nothing(tmp_path: Path) -> None:
    """A server that answers under its name is ready, lives until stopped, and leaves no process and no state file."""
    with start(tmp_path, "serve").wait_ready() as server:
        assert server.model == "stub"
        assert server.dead() is None
        assert set(pids(tmp_path, 1)) < set(server.process_ids)
        numbers = list(server.process_ids)
    assert all_gone(numbers)
    assert server.process_ids == ()
    assert list(hosting._sweep_old().iterdir()) == []
    assert "the stub speaks serve" in server.log_path.read_text()
    server.stop()


def test_early_death_shows_the_end_of_the_log(tmp_path: Path) -> None:
    """A server that ends before it is ready fails the evaluation with its status and its last words."""
    server = start(tmp_path, "die")
    with pytest.raises(
        EvaluationFailed, match=r"server of stub ended with status 3\. The end of .*vllm\.log"
    ) as failure:
        server.wait_ready()
    assert str(failure.value).endswith("  RuntimeError: not enough memory")


def test_death_by_signal_is_told_by_dead(tmp_path: Path) -> None:
    """A server killed while it serves is noticed, with the signal in its status."""
    server = start(tmp_path, "serve").wait_ready()
    os.kill(pids(tmp_path, 1)[0], signal.SIGKILL)
    wait_until(lambda: server.dead() is not None)
    assert "ended with status 137" in (server.dead() or "")
    server.stop()


def test_a_mute_server_times_out_and_is_ended(tmp_path: Path) -> None:
    """A server that never answers fails the evaluation after the startup timeout and leaves nothing."""
    server = start(tmp_path, "mute", timeout_s=1.0)
    numbers = pids(tmp_path, 1)
    with pytest.raises(EvaluationFailed, match="did not answer within 1 s"):
        server.wait_ready()
    assert all_gone(numbers)


def test_another_server_on_the_port_is_not_ours(tmp_path: Path) -> None:
    """A server that does not know the nonce in its names never counts as ready: two can share a port unnoticed."""
    server = start(tmp_path, "nameless", timeout_s=1.5)
    with pytest.raises(EvaluationFailed, match=r"did not answer within 1\.5 s"):
        server.wait_ready()


def test_stop_ends_the_stubborn_and_the_abandoned(tmp_path: Path) -> None:
    """Processes that ignore SIGTERM, in sessions of their own or abandoned by their parents, are killed by stop."""
    server = start(tmp_path, "stubborn").wait_ready()
    numbers = pids(tmp_path, 4)
    server.stop()
    assert all_gone(numbers)


def test_sigkill_of_the_owner_leaves_nothing(tmp_path: Path, owner: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """When the owner is killed outright, everything below it ends within seconds."""
    process = owner("0.5")
    numbers = [supervisor_of(process), *pids(tmp_path, 4)]
    process.kill()
    wait_until(lambda: all_gone(numbers), within_s=8)


def test_sigkill_of_the_supervisor_leaves_nothing(tmp_path: Path) -> None:
    """When the supervisor is killed outright, its owner ends what was below it and reports the death."""
    server = start(tmp_path, "stubborn").wait_ready()
    numbers = pids(tmp_path, 4)
    wait_until(lambda: recorded(tmp_path) >= living(numbers))
    os.kill(server.process_ids[0], signal.SIGKILL)
    wait_until(lambda: all_gone(numbers), within_s=8)
    assert "ended with status -9" in (server.dead() or "")
    server.stop()


def test_the_next_start_sweeps_what_two_kills_left(
    tmp_path: Path, owner: Callable[[str], "subprocess.Popen[str]"]
) -> None:
    """When owner and supervisor are both killed, the next start of any server ends what they left behind."""
    process = owner("0.5")
    above = supervisor_of(process)
    numbers = pids(tmp_path, 4)
    wait_until(lambda: recorded(tmp_path) >= living(numbers))
    os.kill(process.pid, signal.SIGSTOP)
    os.kill(above, signal.SIGKILL)
    process.kill()
    wait_until(lambda: all_gone([above, process.pid]))
    assert not all_gone(numbers)
    hosting._sweep_old()
    assert all_gone(numbers)


def test_a_living_supervisor_is_not_swept(tmp_path: Path) -> None:
    """The sweep at the start of one server leaves another session's server alone."""
    with start(tmp_path, "serve").wait_ready() as server:
        wait_until(lambda: any(hosting._sweep_old().iterdir()))
        hosting._sweep_old()
        assert server.dead() is None
        assert any(hosting._sweep_old().iterdir())


def test_ctrl_c_reaches_the_owner_only(tmp_path: Path, owner: Callable[[str], "subprocess.Popen[str]"]) -> None:
    """SIGINT to the owner's process group leaves the server alive for the owner to stop in its own time."""
    process = owner("0.5")
    numbers = [supervisor_of(process), *pids(tmp_path, 4)]
    os.killpg(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=60)
    assert output.split() == ["interrupted", "alive", "stopped"]
    assert all_gone(numbers)


def test_a_folder_that_vanished_meanwhile_ends_the_evaluation(tmp_path: Path) -> None:
    """What was there when the run was prepared and is gone when the server is needed is no slip of the user's."""
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    entry = ModelEntry(name="gone", source=str(folder))
    host = ModelHost(entry, hosted_identity(entry), log_path=tmp_path / "server.log")
    (folder / "config.json").unlink()
    folder.rmdir()
    with pytest.raises(EvaluationFailed, match="cannot be started: --model: gone: there is no folder"):
        host.server()


def test_a_missing_folder_is_bad_input(tmp_path: Path) -> None:
    """An entry whose checkpoint folder does not exist is refused before anything starts."""
    entry = ModelEntry(name="gone", source=str(tmp_path / "gone"))
    with pytest.raises(BadInput, match="--model: gone: there is no folder"):
        start_server(entry, log_path=tmp_path / "log")


def test_without_vllm_hosting_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any build of vLLM, hosting is refused with the two extras that bring one."""

    def missing(name: str) -> str:
        raise serving.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(serving.importlib.metadata, "version", missing)
    with pytest.raises(BadInput, match=r"clinhallu-gate\[gpu\].*--endpoint URL"):
        start_server(ENTRY, log_path=tmp_path / "log")
