"""Servers and models that do not deliver: nothing of it may move a verdict, and nothing is asked twice."""

import re
from pathlib import Path

import pytest
from gate_run import GATES, Outcome, Rig
from replay import FIRST, ContentFault, GoldReplay, errors_at, instances, read

from clinhallu_gate.testing import Fault, Request, ScriptedServer, ShareOfFaults
from clinhallu_gate.vocabulary import ANSWER, Arm, Stage

VR, KR, RI = Stage
#: Asks for more patience than the engine has, so the call is given up at once.
GONE = Fault.http(503, retry_after=3600, message="closed for an hour")
ERRORS = errors_at({VR: 0.05, KR: 0.1, RI: 0.05, ANSWER: 0.1})
TRANSPORT = (
    Fault.http(429, retry_after=0.5),
    Fault.http(429, retry_after=1),
    Fault.http(500),
    Fault.reset(),
    Fault.hang(),
    Fault.truncated_body(),
)


def test_transport_faults_change_no_verdict(rig: Rig) -> None:
    """With a fault in every fifth call, every verdict and every gate is as without."""
    half = ("--limit", "120")
    with ScriptedServer(reply=GoldReplay(ERRORS)) as server:
        sound = rig.gate(server, *GATES, *half)
    faults = ShareOfFaults(0.2, TRANSPORT)
    with ScriptedServer(reply=GoldReplay(ERRORS), faults=faults) as server:
        shaken = rig.gate(server, *GATES, *half, "--call-timeout", "2")
        stats = server.stats()
    assert shaken.status == sound.status
    assert shaken.verdicts == sound.verdicts
    assert (shaken.folder / "decision.json").read_bytes() == (sound.folder / "decision.json").read_bytes()
    again = sum(count > 1 for count in stats.counts.values())
    assert 0.15 < again / len(stats.counts) < 0.25
    assert shaken.manifest["calls"]["retried"] >= again
    assert set(stats.finished.values()) == {1}


# --- what the model itself does not deliver --------------------------------------------------------------------------

#: What the first stage that was asked for, and the answer, come to.
READ_AS = {
    ContentFault.EMPTY: ("stage_missing", "no_answer"),
    ContentFault.NO_HEADERS: ("stage_missing", "no_answer"),
    ContentFault.NO_ANSWER: (None, "no_answer"),
    ContentFault.EMPTY_STAGE: ("stage_empty", None),
    ContentFault.CUT_OFF: ("truncated", "truncated"),
    ContentFault.REFUSAL: ("refused", "refused"),
    ContentFault.REFUSAL_IN_WORDS: ("refused", "refused"),
}


@pytest.fixture(scope="module")
def spoilt(rig: Rig) -> tuple[dict[tuple[str, Stage], ContentFault], Outcome]:
    """Every content fault in every arm, each in another instance, and a repetition that asks nothing."""
    places = [(fault, stage) for fault in READ_AS for stage in Stage]
    faults = {(i.uid, stage): fault for i, (fault, stage) in zip(instances()[::11], places, strict=False)}
    assert len(faults) == len(places)
    with ScriptedServer(reply=GoldReplay(faults=faults), model="spoilt") as server:
        outcome = rig.gate(server, *GATES)
        asked = server.stats().counts
        assert set(asked.values()) == {1}, "something was asked twice"
        again = rig.gate(server, *GATES)
        assert server.stats().counts == asked, "what failed was asked again"
    assert again.verdicts == outcome.verdicts
    return faults, outcome


def test_exactly_what_cannot_be_read_has_failed(spoilt: tuple[dict[tuple[str, Stage], ContentFault], Outcome]) -> None:
    """A stage fails only if that stage cannot be read, the answer only if the answer cannot; with the right reason."""
    faults, outcome = spoilt
    expected: dict[tuple[str, str, str], str] = {}
    for (uid, first), fault in faults.items():
        stage_reason, answer_reason = READ_AS[fault]
        for arm in (arm for arm, stage in FIRST.items() if stage == first):
            if stage_reason and arm is not Arm.REPLACE_KR:  # its stage is not judged
                expected[uid, arm, first] = stage_reason
            if answer_reason:
                expected[uid, arm, ANSWER] = answer_reason
        if first is VR and stage_reason:
            expected[uid, Arm.REPLACE_KR, ANSWER] = "upstream_failed"
    failed = {key: str(said[2]).partition(":")[0] for key, said in outcome.verdicts.items() if said[0] == "failed"}
    assert failed == expected
    others = {said[:2] for key, said in outcome.verdicts.items() if key not in expected}
    assert others == {("judged", "grounded"), ("judged", "correct")}


def test_failures_count_against_the_model(spoilt: tuple[dict[tuple[str, Stage], ContentFault], Outcome]) -> None:
    """What the model did not deliver stands in the numerator of its gate, and is counted apart."""
    faults, outcome = spoilt
    visual = outcome.decision["gates"][0]
    wanted = sum(first is VR and READ_AS[fault][0] is not None for (_, first), fault in faults.items())
    assert (visual["metric"], visual["failed"], visual["n"]) == ("visual_hallucination_rate", wanted, len(instances()))
    assert visual["unjudged"] == 0
    assert visual["estimate"] == pytest.approx(wanted / len(instances()))


# --- what the instrument does not deliver ----------------------------------------------------------------------------


def test_what_could_not_be_had_is_unjudged_and_asked_again_later(rig: Rig, tmp_path: Path) -> None:
    """A few dead calls leave their verdicts open with the reason, decide nothing, and are all that a rerun asks."""
    dead = {instance.uid for instance in instances()[::60]}
    store = ("--store", str(tmp_path / "store.sqlite"))

    def faults(request: Request, attempt: int) -> Fault | None:
        asked = read(request)
        return GONE if attempt == 1 and asked.first is VR and asked.instance.uid in dead else None

    unreadable = {(instances()[1].uid, KR): ContentFault.UNREADABLE}
    with ScriptedServer(reply=GoldReplay(faults=unreadable), faults=faults, model="absent") as server:
        first = rig.gate(server, *GATES, *store)
        asked = server.requests
        second = rig.gate(server, *GATES, *store)
        assert server.requests == asked + len(dead)
    assert (first.status, second.status) == (0, 0)
    opened = {key: said for key, said in first.verdicts.items() if said[0] == "unjudged"}
    by_endpoint = {key for key in opened if key[0] in dead}
    assert {key[1:] for key in by_endpoint} == {("baseline", VR), ("baseline", ANSWER), ("replace_kr", ANSWER)}
    assert all(str(opened[key][2]).startswith("endpoint_failed: 1 attempts failed") for key in by_endpoint)
    assert "closed for an hour" in str(opened[min(by_endpoint)][2])
    (by_judge,) = set(opened) - by_endpoint
    assert by_judge == (instances()[1].uid, "replace_vr", KR)
    assert str(opened[by_judge][2]).startswith("judge_failed: the oracle cannot read")
    visual = first.decision["gates"][0]
    assert (visual["unjudged"], visual["failed"], visual["estimate"]) == (len(dead), 0, 0.0)
    assert visual["interval"][1] > second.decision["gates"][0]["interval"][1]
    assert {key for key, said in second.verdicts.items() if said[0] == "unjudged"} == {by_judge}


def test_a_dead_server_gives_no_result(rig: Rig, tmp_path: Path) -> None:
    """With every call failing the exit status is 11, and no rate stands anywhere."""
    with ScriptedServer(reply="", faults=lambda _request, _attempt: GONE) as server:
        outcome = rig.gate(server, "suites/test_visual_recognition.py", f"--junitxml={tmp_path}/junit.xml")
        assert server.requests < 100, "an endpoint that is dead is given up"
    assert outcome.status == 11
    assert outcome.left == ()
    assert (outcome.decision["decision"], outcome.decision["failure_budget"]) == (None, None)
    assert set(outcome.estimates.values()) == {None}
    assert {gate["interval"] is None for gate in outcome.decision["gates"]} == {True}
    summary = (outcome.folder / "summary.md").read_text()
    report = (outcome.folder / "report.html").read_text()
    for text in (outcome.out.partition("clinhallu-gate ==")[2], summary, report.partition("<body>")[2]):
        assert "NOT COMPLETED" in text
        assert not rates(text)
    assert not rates(outcome.out)
    assert not rates(re.sub(r'time="[^"]*"', "", (tmp_path / "junit.xml").read_text()))
    assert {said[0] for said in outcome.verdicts.values()} == {"unjudged"}


def test_the_same_command_completes_a_run_that_was_not(rig: Rig, tmp_path: Path) -> None:
    """Once the server is back, the same command, with the same folder, completes the run there."""
    down = [True]
    args = (GATES[0], "--run-dir", str(tmp_path / "run"), "--limit", "60")
    plan = lambda _request, _attempt: GONE if down[0] else None  # noqa: E731 - shorter than a function
    with ScriptedServer(reply=GoldReplay(), faults=plan) as server:
        assert rig.gate(server, *args).status == 11
        down[0] = False
        outcome = rig.gate(server, *args)
        assert (outcome.status, outcome.estimates) == (10, {"visual_hallucination_rate[mean]": 0.0})
        assert rig.gate(server, *args).status == 4


def rates(text: str) -> list[str]:
    """Return all that looks like a measured rate: 12.3 %, or 0.123 in a reason; thresholds have fewer digits."""
    return re.findall(r"\d\.\d ?%|\b[01]\.\d{3}\b", text)


def test_a_request_that_is_refused_ends_the_run(rig: Rig) -> None:
    """A 400 is a fault of ours: 11 at once, with the server's words, and nothing is asked on."""
    refusal = Fault.http(400, message="max_tokens is too large")
    with ScriptedServer(reply="", faults=lambda _request, _attempt: refusal) as server:
        outcome = rig.gate(server, *GATES)
        assert server.requests < 300
    assert outcome.status == 11
    assert "NOT COMPLETED" in outcome.out
    assert "HTTP 400: max_tokens is too large" in outcome.out
    assert outcome.manifest["failure"].endswith("HTTP 400: max_tokens is too large")
    assert outcome.decision["decision"] is None
