"""What pytest users do with a suite: select, stop, repeat what failed, collect only, write junit XML."""

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from gate_run import GATES, Rig, gated
from replay import GoldReplay, errors_at, instances

from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

VR, KR, RI = Stage
ERRORS = errors_at({VR: 0.5, KR: 0.05, ANSWER: 0.05})
ONE = instances()[7].id


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    """A model that sees badly."""
    with ScriptedServer(reply=GoldReplay(ERRORS), model="blind") as server:
        yield server


@pytest.fixture
def fresh() -> Iterator[ScriptedServer]:
    """The same model, of which nothing is known yet."""
    with ScriptedServer(reply=GoldReplay(ERRORS), model="blind") as server:
        yield server


def test_one_instance_costs_its_calls(rig: Rig, fresh: ScriptedServer) -> None:
    """``-k`` on one instance asks its arms alone, decides nothing, and says what is left out."""
    outcome = rig.gate(fresh, "-k", ONE)
    assert fresh.requests <= 4
    assert (outcome.status, outcome.decision["decision"], outcome.decision["gates"]) == (10, None, [])
    assert sum(outcome.counts[word] for word in outcome.counts if word != "deselected") == 7
    assert "NO DECISION" in outcome.out
    assert {uid for uid, _, _ in outcome.verdicts} == {f"phantom/{ONE}"}
    exploratory = rig.gate(fresh, "-k", f"{ONE} and description", "--no-decision")
    assert (exploratory.status, exploratory.decision["decision"]) == (0, None)
    assert fresh.requests <= 4


def test_one_stage_decides_its_gate_alone(rig: Rig, fresh: ScriptedServer) -> None:
    """``-m visual_recognition`` makes one call per instance; its gate fails, and there is no release decision."""
    outcome = rig.gate(fresh, "-m", "visual_recognition")
    assert fresh.requests == len(instances())
    assert [gate["decision"] for gate in outcome.decision["gates"]] == ["FAIL"]
    assert (outcome.status, outcome.decision["decision"]) == (1, None)
    assert "not selected: knowledge_hallucination_rate[mean]" in " ".join(outcome.out.split()).lower()


def test_one_stage_that_passes_is_no_release(rig: Rig, server: ScriptedServer) -> None:
    """A gate that passes alone leaves the decision open: 10."""
    outcome = rig.gate(server, "-m", "knowledge_recall")
    assert [gate["decision"] for gate in outcome.decision["gates"]] == ["PASS"]
    assert (outcome.status, outcome.decision["decision"]) == (10, None)


def test_lf_after_a_failed_gate(rig: Rig, server: ScriptedServer) -> None:
    """``--lf`` runs the failed gate over its whole scope, from the store, and fails again."""
    first = rig.gate(server, *GATES)
    assert (first.status, first.counts["failed"]) == (1, 1)
    asked = server.requests
    again = rig.gate(server, "--lf")
    assert server.requests == asked
    assert (again.status, again.counts["failed"]) == (1, 1)
    (gate,) = again.decision["gates"]
    assert gate == first.decision["gates"][0]
    assert again.decision["decision"] is None


def test_x_stops_at_the_first_failure(rig: Rig, server: ScriptedServer) -> None:
    """``-x`` stops after a failed gate; the run was evaluated and decided before."""
    outcome = rig.gate(server, *GATES, "-x")
    assert outcome.status == 1
    assert outcome.counts == {"failed": 1}
    assert outcome.decision["decision"] == "FAIL"


def test_a_limit_takes_the_first_of_a_random_order(rig: Rig, fresh: ScriptedServer) -> None:
    """``--limit`` takes instances of all strata, a smaller one a part of a larger one, and the report says so."""
    few, more = (rig.gate(fresh, "-m", "visual_recognition", "--limit", limit) for limit in ("12", "24"))
    assert fresh.requests == 24
    chosen = [{uid for uid, _, _ in outcome.verdicts} for outcome in (few, more)]
    assert (len(chosen[0]), len(chosen[1])) == (12, 24)
    assert chosen[0] < chosen[1]
    assert chosen[1] != {instance.uid for instance in instances()[:24]}
    assert few.decision["datasets"][0]["instances"] == 12
    assert "--limit 12: 12 of 240 instances" in (few.folder / "summary.md").read_text()


def test_too_few_instances_are_inconclusive(rig: Rig, fresh: ScriptedServer) -> None:
    """A run too small to decide ends with 10 and INCONCLUSIVE; an inconclusive gate fails its test."""
    outcome = rig.gate(fresh, "suites/test_knowledge_recall.py", *GATES, "--limit", "8")
    assert (outcome.status, outcome.decision["decision"]) == (10, "INCONCLUSIVE")
    assert outcome.counts["failed"] >= 3


def test_a_part_of_the_instances_releases_nothing(rig: Rig) -> None:
    """Where every gate passes under ``--limit`` there is no decision: walking it up until it passes is no release."""
    with ScriptedServer(reply=GoldReplay(), model="gold") as server:
        outcome = rig.gate(server, *GATES, "--limit", "120")
    blocking = [gate["decision"] for gate in outcome.decision["gates"] if gate["severity"] == "blocking"]
    assert set(blocking) == {"PASS"}
    assert (outcome.status, outcome.decision["decision"]) == (10, None)
    assert "--limit evaluates a part of the instances" in outcome.out


@pytest.mark.parametrize("rest", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_collect_only_touches_nothing(rig: Rig, fresh: ScriptedServer, rest: tuple[str, ...]) -> None:
    """``--collect-only`` lists all tests, asks nothing, and makes neither folder nor store."""
    before = everything(rig.root)
    outcome = rig.gate(fresh, "--collect-only", "-q", "-p", "no:cacheprovider", *rest)
    assert outcome.status == 0
    assert outcome.out.splitlines()[-1].startswith("1694 tests collected")
    assert fresh.requests == 0
    assert everything(rig.root) - before == {Path("runs") / f"{outcome.folder.name}{end}" for end in (".out", ".err")}


def everything(folder: Path) -> set[Path]:
    return {
        path.relative_to(folder) for path in folder.rglob("*") if path.name != "__pycache__" and path.suffix != ".pyc"
    }


def test_junit_xml_counts_no_hallucination_as_a_failure(rig: Rig, server: ScriptedServer, tmp_path: Path) -> None:
    """In junit XML a hallucinated instance is skipped (xfailed), and only the gate is a failure."""
    file = tmp_path / "junit.xml"
    outcome = rig.gate(server, "suites/test_visual_recognition.py", "--junitxml", str(file))
    suite = ET.parse(file).getroot().find("testsuite")  # noqa: S314 - our own file
    assert suite is not None
    counted = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": 241, "failures": 1, "errors": 0, "skipped": 120}
    assert outcome.counts == {"failed": 1, "passed": 120, "xfailed": 120}


def test_strict_instances_fail_their_tests(rig: Rig, server: ScriptedServer) -> None:
    """With ``--strict-instances`` a hallucinated instance fails: exit 1 although its gate passes."""
    outcome = rig.gate(server, "suites/test_knowledge_recall.py", "--strict-instances")
    assert outcome.counts == {"failed": 12, "passed": 229}
    assert outcome.decision["gates"][0]["decision"] == "PASS"
    assert outcome.status == 1


def test_instances_beside_a_gate_show_what_the_gate_asked(rig: Rig, fresh: ScriptedServer) -> None:
    """With one gate selected, instance tests of other stages are skipped as not asked instead of being asked."""
    outcome = rig.gate(fresh, GATES[0], "suites/test_knowledge_recall.py", "-k", f"visual or {ONE}", "-rs")
    assert fresh.requests == len(instances())
    assert outcome.counts == {"failed": 1, "skipped": 1, "deselected": 240}
    assert "not asked: not_selected" in outcome.out


def test_the_options_are_in_the_help(rig: Rig) -> None:
    """``pytest --help`` shows the options, and makes nothing."""
    outcome = rig.run("--help")
    assert outcome.status == 0
    for option in ("--model", "--endpoint", "--thresholds", "--strict-instances", "--no-decision", "--call-timeout"):
        assert f" {option}" in outcome.out
    assert not outcome.folder.exists()


def test_warnings_as_errors_do_not_disturb_a_gate(rig: Rig, server: ScriptedServer) -> None:
    """A user may run with ``-W error``: nothing of the gate warns."""
    outcome = rig.gate(server, "suites/test_knowledge_recall.py", "-W", "error")
    assert outcome.status == 10
    assert outcome.counts == {"passed": 229, "xfailed": 12}
    assert "warning" not in outcome.out


def test_a_gate_runs_from_any_folder(rig: Rig, server: ScriptedServer, tmp_path: Path) -> None:
    """Called from elsewhere, with absolute paths, the run lies under the checkout's ``reports/``."""
    args = [arg.replace("thresholds/", f"{rig.root}/thresholds/") for arg in gated(server)]
    outcome = rig.run(f"{rig.root}/suites/test_knowledge_recall.py", *args, "--limit", "8", cwd=tmp_path)
    assert outcome.status == 10
    assert list(tmp_path.iterdir()) == []
