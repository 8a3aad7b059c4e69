"""The README's command, whole, on real vLLM: released, blocked, repeated, killed, with workers."""

import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
import pytest
from vllm_run import ROOT, Ended, command, run_gate

pytestmark = pytest.mark.vllm
TRACES = 960
"""240 instances in four arms."""


def _stored(store: Path) -> int:
    if not store.exists():
        return 0
    with sqlite3.connect(f"file:{store}?mode=ro", uri=True) as connection:
        try:
            return int(connection.execute("SELECT count(*) FROM replies").fetchone()[0])
        except sqlite3.OperationalError:
            return 0


def _kill_in_mid_evaluation(run_dir: Path, store: Path, *, after: int) -> int:
    """Start the gate, SIGKILL pytest once ``after`` replies are stored; return how many were stored then."""
    with (run_dir.parent / f"{run_dir.name}.log").open("wb") as log:
        gate = subprocess.Popen(command("phantom-vlm", run_dir, store), cwd=ROOT, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + 300
            while _stored(store) < after:
                assert gate.poll() is None, f"ended too soon: {Path(log.name).read_text()[-2000:]}"
                assert time.monotonic() < deadline
                time.sleep(0.1)
            family = psutil.Process(gate.pid).children(recursive=True)
            assert any("vllm" in " ".join(child.cmdline()) for child in family)
        finally:
            gate.send_signal(signal.SIGKILL)
            gate.wait()
    _, alive = psutil.wait_procs(family, timeout=15)
    assert not alive, f"survived the SIGKILL of pytest by 15 s: {alive}"
    return _stored(store)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("vllm")


@pytest.fixture(scope="module")
def killed_twice(folder: Path) -> list[int]:
    """How many replies the store held after each of two SIGKILLs in mid-evaluation."""
    store = folder / "store.sqlite"
    first = _kill_in_mid_evaluation(folder / "killed-1", store, after=100)
    second = _kill_in_mid_evaluation(folder / "killed-2", store, after=first + 200)
    return [first, second]


@pytest.fixture(scope="module")
def released(folder: Path, killed_twice: list[int]) -> Ended:
    """The run that completes what was killed twice."""
    assert killed_twice[1] < TRACES, "the second kill came after the last call"
    return run_gate("phantom-vlm", folder / "released", folder / "store.sqlite")


def test_phantom_vlm_is_released(released: Ended) -> None:
    """Exit status 0, PASS, and the path of a report that is there."""
    assert released.status == 0, released.output[-3000:]
    assert released.decision["decision"] == "PASS"
    assert str(released.run_dir / "report.html") in released.output.replace("\n", "")
    assert (released.run_dir / "report.html").stat().st_size > 10_000


def test_the_oracle_reads_what_phantom_vlm_writes(released: Ended) -> None:
    """At most one verdict in a hundred is missing."""
    assert all(gate["unjudged"] <= 0.01 * gate["n"] for gate in released.decision["gates"])


def test_phantom_vlm_is_good_and_not_perfect(released: Ended) -> None:
    """Answers correct in three of four instances at least, images misread in 5 to 35 of 100."""
    gates = {gate["id"]: gate for gate in released.decision["gates"]}
    assert gates["answer_accuracy[mean]"]["estimate"] >= 0.75
    assert 0.05 <= gates["visual_hallucination_rate[mean]"]["estimate"] <= 0.35


def test_a_killed_run_repeats_no_finished_call(released: Ended, killed_twice: list[int]) -> None:
    """All that was in the store after the second kill was taken from there."""
    calls = released.manifest["calls"]
    assert calls["from_store"] >= killed_twice[1]
    assert calls["made"] + calls["from_store"] == TRACES
    assert calls["failed"] == 0


def test_the_same_command_again_asks_nothing(released: Ended, folder: Path) -> None:
    """No model call, no vLLM start, the same bytes of decision.json, within 20 s."""
    again = run_gate("phantom-vlm", folder / "again", folder / "store.sqlite")
    assert again.status == 0
    assert again.manifest["calls"]["made"] == 0
    assert not (again.run_dir / "server.log").exists()
    assert (again.run_dir / "decision.json").read_bytes() == (released.run_dir / "decision.json").read_bytes()
    assert again.seconds < 20


@pytest.mark.parametrize("how", [("-n", "2"), ("-p", "no:xdist")], ids=["n2", "no-xdist"])
def test_workers_decide_the_same_from_one_store(released: Ended, folder: Path, how: tuple[str, str]) -> None:
    """With and without xdist: the same decision.json."""
    ended = run_gate("phantom-vlm", folder / f"same-store{how[1]}", folder / "store.sqlite", *how)
    assert ended.status == 0, ended.output[-3000:]
    assert (ended.run_dir / "decision.json").read_bytes() == (released.run_dir / "decision.json").read_bytes()


def test_workers_decide_the_same_from_an_empty_store(released: Ended, folder: Path) -> None:
    """One server, one evaluation, the same decisions; estimates within 0.02."""
    ended = run_gate("phantom-vlm", folder / "empty-n2", folder / "empty.sqlite", "-n", "2")
    assert ended.status == 0, ended.output[-3000:]
    calls = ended.manifest["calls"]
    assert calls["made"] + calls["from_store"] == TRACES
    assert calls["made"] == _stored(folder / "empty.sqlite"), "one call for one request, equal ones shared"
    for ours, theirs in zip(ended.decision["gates"], released.decision["gates"], strict=True):
        assert ours["decision"] == theirs["decision"]
        assert ours["estimate"] == pytest.approx(theirs["estimate"], abs=0.02)


def test_prefilled_stages_are_continued(released: Ended, folder: Path) -> None:
    """The other protocol: vLLM continues stages as the assistant's own words; the baseline's traces are the same."""
    ended = run_gate("phantom-vlm", folder / "prefill", folder / "store.sqlite", "--protocol", "prefill")
    assert ended.decision["protocol"]["name"] == "prefill"
    assert ended.decision["protocol"]["sha256"] != released.decision["protocol"]["sha256"]
    ours, theirs = ({gate["id"]: gate for gate in run.decision["gates"]} for run in (ended, released))
    assert all(gate["unjudged"] <= 0.01 * gate["n"] for gate in ours.values())
    for metric in ("visual_hallucination_rate[mean]", "answer_accuracy[mean]"):
        assert ours[metric]["estimate"] == pytest.approx(theirs[metric]["estimate"], abs=0.02)
    assert ours["knowledge_hallucination_rate[mean]"]["decision"] == "PASS"


USER_SUITE = """
import json, urllib.request

def test_the_server_serves_the_model(model_server):
    with urllib.request.urlopen(model_server.base_url + "/v1/models") as reply:
        assert model_server.model in [model["id"] for model in json.load(reply)["data"]]
"""


def test_the_session_fixture_hosts_the_model_for_workers(folder: Path) -> None:
    """A user's own test gets a hosted server even where nothing is evaluated; one for both workers, gone at the end."""
    suite = folder / "own"
    suite.mkdir()
    (suite / "conftest.py").write_text('pytest_plugins = ["clinhallu_gate.plugin"]\n')
    for name in ("test_one.py", "test_two.py"):
        (suite / name).write_text(USER_SUITE)
    options = ["--model", "phantom-vlm", "--thresholds", str(ROOT / "thresholds" / "phantom.yaml"), "-n", "2", "-q"]
    command = [sys.executable, "-m", "pytest", ".", "--rootdir", ".", *options]
    done = subprocess.run(command, cwd=suite, capture_output=True, text=True, check=False, timeout=400)
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert len(list(suite.rglob("server.log"))) == 1


@pytest.fixture(scope="module")
def judged(released: Ended, folder: Path) -> Ended:
    """The same replies, judged by phantom-judge."""
    assert released.status == 0
    return run_gate("phantom-vlm", folder / "judged", folder / "store.sqlite", "--judge", "phantom-judge")


def test_a_judge_model_runs_the_suites_on_phantoms(judged: Ended) -> None:
    """It is examined, may judge, and judges; the model itself is asked nothing, as its replies are there."""
    assert judged.status in (0, 1, 10), judged.output[-3000:]
    assert judged.decision["judge_examination"]["fit"]
    assert judged.manifest["calls"]["made"] == 0
    assert judged.manifest["judge_calls"]["made"] > 0
    assert (judged.run_dir / "judge-server.log").exists()
    assert not (judged.run_dir / "server.log").exists()
    assert all(gate["unjudged"] <= 0.02 * gate["n"] for gate in judged.decision["gates"])


def test_the_judge_model_mostly_agrees_with_the_oracle(judged: Ended, released: Ended) -> None:
    """Of every reading at least 85 verdicts in 100 are the oracle's; reports/README.md has the figures."""
    same: dict[tuple[str, str], list[bool]] = {}
    for (uid, arm, part), outcome in released.outcomes.items():
        same.setdefault((arm, part), []).append(judged.outcomes[uid, arm, part] == outcome)
    shares = {reading: sum(found) / len(found) for reading, found in same.items()}
    assert min(shares.values()) >= 0.85, shares


def test_the_judge_is_asked_once(judged: Ended, folder: Path) -> None:
    """A repetition starts no server, and the examination costs nothing."""
    again = run_gate("phantom-vlm", folder / "judged-2", folder / "store.sqlite", "--judge", "phantom-judge")
    assert again.manifest["judge_calls"]["made"] == 0
    assert not (again.run_dir / "judge-server.log").exists()
    assert (again.run_dir / "decision.json").read_bytes() == (judged.run_dir / "decision.json").read_bytes()


@pytest.fixture(scope="module")
def blocked(folder: Path) -> Ended:
    """A run of the early checkpoint."""
    more = ("--thresholds", "thresholds/phantom.yaml")
    return run_gate("phantom-vlm-early", folder / "blocked", folder / "store.sqlite", *more)


def test_the_early_checkpoint_is_blocked_by_its_eyes(blocked: Ended) -> None:
    """Exit status 1; the visual gate FAILs and is named as what eats the failure budget."""
    assert blocked.status == 1, blocked.output[-3000:]
    assert blocked.decision["decision"] == "FAIL"
    gates = {gate["id"]: gate["decision"] for gate in blocked.decision["gates"]}
    assert gates["visual_hallucination_rate[mean]"] == "FAIL"
    budget = blocked.decision["failure_budget"]
    assert max(budget, key=budget.get) == "visual_recognition"
    assert "camera" in blocked.output


RISE = "visual_hallucination_rate-drop[mean]"


def _gates(ended: Ended) -> dict[str, dict[str, Any]]:
    return {gate["id"]: gate for gate in ended.decision["gates"]}


def test_the_early_checkpoint_is_no_successor(released: Ended, blocked: Ended, folder: Path) -> None:
    """Against the released model its rise of misread images is too large; the other way round nothing is."""
    policy = ("--thresholds", "thresholds/phantom.yaml", "--baseline")
    store = folder / "store.sqlite"
    worse = run_gate("phantom-vlm-early", folder / "worse", store, *policy, str(released.run_dir))
    better = run_gate("phantom-vlm", folder / "better", store, *policy, str(blocked.run_dir))
    assert (worse.status, better.status) == (1, 0)
    assert (_gates(worse)[RISE]["decision"], _gates(better)[RISE]["decision"]) == ("FAIL", "PASS")
    assert _gates(worse)[RISE]["flips"]["worse"] > 100 > _gates(worse)[RISE]["flips"]["better"]
    assert worse.decision["failure_budget"] == blocked.decision["failure_budget"]
    assert worse.manifest["calls"]["made"] == better.manifest["calls"]["made"] == 0


def test_stopped_early_the_decision_is_the_same(released: Ended, folder: Path) -> None:
    """On this list of instances every blocking gate decides as in the full run, for about half of the calls."""
    text = (ROOT / "thresholds" / "phantom.yaml").read_text()
    for before, after in (("early_stop: false", "early_stop: true"), ("target: population", "target: benchmark")):
        assert before in text
        text = text.replace(before, after)
    (folder / "early.yaml").write_text(text)
    ended = run_gate(
        "phantom-vlm", folder / "early", folder / "store.sqlite", "--thresholds", str(folder / "early.yaml")
    )
    assert (ended.status, ended.decision["decision"]) == (0, "PASS")
    decided = [{key: gate["decision"] for key, gate in _gates(each).items()} for each in (ended, released)]
    blocking = [key for key, gate in _gates(released).items() if gate["severity"] == "blocking"]
    assert [decided[0][key] for key in blocking] == [decided[1][key] for key in blocking]
    calls = ended.manifest["calls"]
    assert (calls["made"], calls["failed"]) == (0, 0)
    assert calls["from_store"] <= 0.7 * TRACES


def test_nothing_is_left_running(released: Ended, blocked: Ended) -> None:
    """No server outlives its session."""
    assert released.status == 0
    assert blocked.status == 1
    servers = [p for p in psutil.process_iter(["cmdline"]) if "phantom-vlm" in " ".join(p.info["cmdline"] or ())]
    assert not [p for p in servers if "vllm" in " ".join(p.info["cmdline"])]
