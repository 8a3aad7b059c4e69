"""How a release is approved with ``--snapshot-update``, and what the next runs are told of it."""

import json
import re
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_run import GATES, Outcome, Rig, gated
from replay import FIRST, ContentFault, GoldReplay, errors_at, instances, read

from clinhallu_gate.datasets.phantom.plant import Error
from clinhallu_gate.pseudonym import SITE_KEY, pseudonym
from clinhallu_gate.testing import Fault, Request, ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Part, Stage

VR, KR, RI = Stage
SUITE = "suites/test_approved_verdicts.py"
ERRORS = errors_at({VR: 0.1, ANSWER: 0.05})
ONE, OTHER = instances()[7], instances()[100]
ALL = len(instances())
UPDATE = "--snapshot-update"


def with_flips() -> dict[str, dict[Part, Error]]:
    """Return the errors with another one in each of two instances."""
    flips: dict[str, Part] = {ONE.uid: KR, OTHER.uid: ANSWER}
    planted = {KR: Error.WRONG_RULE, ANSWER: Error.WRONG_ANSWER}
    assert not set(flips) & set(ERRORS)
    return {**ERRORS, **{uid: {part: planted[part]} for uid, part in flips.items()}}


FLIPPED = (
    f"[{ONE.uid}] - flipped: knowledge_recall grounded -> hallucinated",
    f"[{OTHER.uid}] - flipped: answer correct -> incorrect",
)


def approved(rig: Rig, model: str) -> Path:
    return rig.root / "suites" / "approved" / model / "phantom.jsonl"


def lines(file: Path) -> dict[str, str]:
    """Return the lines of an approved file, by id."""
    return {json.loads(line)["id"]: line for line in file.read_text().splitlines()}


@pytest.fixture(scope="module")
def release(rig: Rig) -> Iterator[ScriptedServer]:
    """A model whose release was approved."""
    with ScriptedServer(reply=GoldReplay(ERRORS), model="approved") as server:
        outcome = rig.gate(server, SUITE, *GATES, UPDATE)
        assert (outcome.status, outcome.counts) == (0, {"passed": ALL + 4, "xfailed": 3})
        assert f"{ALL} snapshots generated." in outcome.out
        yield server


@pytest.fixture(scope="module")
def flipped(release: ScriptedServer) -> Iterator[ScriptedServer]:
    """The same model with two more errors."""
    with ScriptedServer(reply=GoldReplay(with_flips()), model=release.model) as server:
        yield server


@pytest.fixture
def kept(rig: Rig, release: ScriptedServer) -> Iterator[Path]:
    """The approved file, put back after the test."""
    file = approved(rig, release.model)
    before = file.read_bytes()
    yield file
    file.write_bytes(before)


def test_a_release_is_approved_in_one_file(rig: Rig, release: ScriptedServer) -> None:
    """A line per instance, in order of id, that says what the run found and nothing of its texts."""
    file = approved(rig, release.model)
    text = file.read_text()
    ids = [json.loads(line)["id"] for line in text.splitlines()]
    assert ids == sorted(instance.id for instance in instances())
    wrong = {uid.partition("/")[2]: errors for uid, errors in ERRORS.items()}
    for key, line in lines(file).items():
        said = {"id": key, VR: "grounded", KR: "grounded", RI: "grounded", ANSWER: "correct"}
        said |= {part: "incorrect" if part == ANSWER else "hallucinated" for part in wrong.get(key, {})}
        assert line == json.dumps(said, separators=(",", ":"))
    assert [path.name for path in file.parent.iterdir()] == [file.name]


@pytest.mark.parametrize("rest", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_a_repeated_run_passes(rig: Rig, release: ScriptedServer, rest: tuple[str, ...]) -> None:
    """All instances are as approved, nothing is asked anew, and nothing warns; beside the gates or alone."""
    asked = release.requests
    outcome = rig.gate(release, SUITE, *GATES, "-W", "error", *rest)
    assert (outcome.status, outcome.counts) == (0, {"passed": ALL + 4, "xfailed": 3})
    assert f"{ALL} snapshots passed." in outcome.out
    assert "unused" not in outcome.out
    alone = rig.gate(release, SUITE, "--no-decision", *rest)
    assert (alone.status, alone.counts) == (0, {"passed": ALL})
    assert release.requests == asked


@pytest.mark.parametrize("rest", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_flips_are_shown_and_the_gate_decides(rig: Rig, flipped: ScriptedServer, rest: tuple[str, ...]) -> None:
    """Each flip is an expected failure with what flipped; the release is decided by the gates, and the file stays."""
    before = approved(rig, flipped.model).read_bytes()
    outcome = rig.gate(flipped, SUITE, *GATES, "-rx", *rest)
    assert (outcome.status, outcome.decision["decision"]) == (0, "PASS")
    assert outcome.counts == {"passed": ALL - 2 + 4, "xfailed": 2 + 3}
    assert all(f"XFAIL {SUITE}::test_verdicts_are_approved{line}" in outcome.out for line in FLIPPED)
    assert f"{ALL - 2} snapshots passed." in outcome.out
    assert not re.search("snapshots? (failed|unused)", outcome.out)
    assert approved(rig, flipped.model).read_bytes() == before


def test_strict_instances_fail_on_a_flip(rig: Rig, flipped: ScriptedServer) -> None:
    """With ``--strict-instances`` a flip fails its test and the session, though every gate passes."""
    outcome = rig.gate(flipped, SUITE, *GATES, "--strict-instances")
    assert (outcome.status, outcome.decision["decision"]) == (1, "PASS")
    assert outcome.counts == {"failed": 2, "passed": ALL - 2 + 4, "xfailed": 3}


def test_a_part_leaves_the_rest_alone(rig: Rig, flipped: ScriptedServer, kept: Path) -> None:
    """``-k`` and ``--limit`` compare or approve what they select: no other line is unused, changed or removed."""
    before = lines(kept)
    some = rig.gate(flipped, SUITE, "-k", ONE.id, "--no-decision", "-rx")
    assert (some.status, some.counts) == (0, {"deselected": ALL - 1, "xfailed": 1})
    few = rig.gate(flipped, SUITE, "--limit", "12", "--no-decision")
    assert (few.status, sum(few.counts.values())) == (0, 12)
    assert "unused" not in some.out + few.out
    assert lines(kept) == before
    update = rig.gate(flipped, SUITE, "-k", ONE.id, "--no-decision", UPDATE)
    assert (update.status, update.counts) == (0, {"deselected": ALL - 1, "passed": 1})
    after = lines(kept)
    assert {key for key in before if after[key] != before[key]} == {ONE.id}
    assert list(after) == list(before)


def test_only_new_instances_are_approved_on_request(rig: Rig, flipped: ScriptedServer, kept: Path) -> None:
    """What is not approved yet is skipped; ``--snapshot-update-new-only`` adds it and shows flips as ever."""
    full = lines(kept)
    kept.write_text("".join(f"{line}\n" for key, line in full.items() if key != instances()[0].id))
    skipped = rig.gate(flipped, SUITE, "--no-decision", "-rs")
    assert skipped.counts == {"passed": ALL - 3, "skipped": 1, "xfailed": 2}
    assert "not approved yet: to approve what the model does now, add --snapshot-update" in skipped.out
    outcome = rig.gate(flipped, SUITE, "--no-decision", "--snapshot-update-new-only")
    assert outcome.counts == {"passed": ALL - 2, "xfailed": 2}
    assert lines(kept) == full


@pytest.mark.parametrize("rest", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_nothing_approved_is_one_skip(rig: Rig, rest: tuple[str, ...]) -> None:
    """Without an approved file there is one skip per data set, it says how to approve, and nothing is asked for it."""
    with ScriptedServer(reply=GoldReplay(), model="new") as server:
        outcome = rig.gate(server, SUITE, "-rs", "--no-decision", *rest)
        assert server.requests == 0
    assert (outcome.status, outcome.counts) == (0, {"skipped": 1})
    said = " ".join(outcome.out.split())
    assert "nothing is approved yet, there is no suites/approved/new/phantom.jsonl: to approve" in said


def test_other_models_and_suites_leave_approved_files_alone(rig: Rig, release: ScriptedServer, kept: Path) -> None:
    """Approving another model removes nothing of this one, and no run without these tests finds anything unused."""
    with ScriptedServer(reply=GoldReplay(), model="other/approved") as server:
        outcome = rig.run("suites/", *gated(server), "-k", f"approved and {ONE.id}", "--no-decision", UPDATE)
    assert outcome.status == 0
    assert list(lines(approved(rig, "other%2Fapproved"))) == [ONE.id]
    assert len(lines(kept)) == ALL
    cwd = rig.root / "suites"
    args = [arg.replace("thresholds/", f"{rig.root}/thresholds/") for arg in gated(release)]
    store = ("--store", str(rig.root / "elsewhere.sqlite"))
    outcome = rig.run("-k", "rate and knowledge", *args, *store, "--no-decision", UPDATE, cwd=cwd)
    assert outcome.status == 0
    assert "unused" not in outcome.out
    assert len(lines(kept)) == ALL


def test_workers_approve_nothing(rig: Rig, flipped: ScriptedServer) -> None:
    """``--snapshot-update`` with workers is refused in one line, before anything is asked."""
    before = approved(rig, flipped.model).read_bytes()
    outcome = rig.gate(flipped, SUITE, UPDATE, "-n", "2")
    assert outcome.status == 4
    assert outcome.err.strip().splitlines() == [
        "ERROR: --snapshot-update: not possible with workers, as what one that dies has approved is lost. Leave out -n."
    ]
    assert not outcome.folder.exists()
    assert approved(rig, flipped.model).read_bytes() == before


@pytest.mark.parametrize("rest", [(), ("-n", "2"), (UPDATE,)], ids=["plain", "xdist", "update"])
def test_a_corrupt_file_is_told_in_one_line(
    rig: Rig, release: ScriptedServer, kept: Path, rest: tuple[str, ...]
) -> None:
    """The file and its line, before anything is asked; nothing is overwritten."""
    text = kept.read_text().splitlines()
    kept.write_text("\n".join([*text[:2], "<<<<<<< HEAD", *text[2:]]))
    outcome = rig.gate(release, SUITE, *rest)
    assert outcome.status == 4
    (said,) = outcome.err.strip().splitlines()
    assert said.startswith(f"ERROR: suites/approved/{release.model}/phantom.jsonl: line 3: is no JSON")
    assert "<<<<<<< HEAD" in kept.read_text()


def test_what_is_not_judged_keeps_what_was_approved(rig: Rig, release: ScriptedServer, kept: Path) -> None:
    """An instance without a verdict is not approved: its line stays; compared, the rest of it still passes."""
    unreadable = {(ONE.uid, KR): ContentFault.UNREADABLE, (OTHER.uid, FIRST["baseline"]): ContentFault.CUT_OFF}
    with ScriptedServer(reply=GoldReplay(ERRORS, unreadable), model=release.model) as server:
        compared = rig.gate(server, SUITE, *GATES, "-rx")
        before = lines(kept)
        updated = rig.gate(server, SUITE, *GATES, UPDATE, "-rs")
    assert compared.counts == {"passed": ALL - 1 + 4, "xfailed": 1 + 3}
    assert "visual_recognition grounded -> failed: truncated, answer correct -> failed: truncated" in compared.out
    assert updated.counts == {"passed": ALL - 1 + 4, "skipped": 1, "xfailed": 3}
    assert "cannot be approved: knowledge_recall unjudged: judge_failed" in updated.out
    after = lines(kept)
    assert {key for key in before if after[key] != before[key]} == {OTHER.id}


def test_gates_decide_what_is_asked(rig: Rig, flipped: ScriptedServer, kept: Path) -> None:
    """Beside one gate these tests ask nothing more: they compare what it asked, and approve nothing of it."""
    before = kept.read_bytes()
    with ScriptedServer(reply=GoldReplay(ERRORS), model=flipped.model) as server:
        outcome = rig.gate(server, SUITE, GATES[0])
        assert server.requests == ALL
        assert outcome.counts == {"passed": ALL + 1}
        update = rig.gate(server, SUITE, GATES[0], UPDATE, "-rs")
        assert (server.requests, update.counts) == (ALL, {"passed": 1, "skipped": ALL})
    assert "cannot be approved: knowledge_recall not asked: not_selected" in " ".join(update.out.split())
    assert kept.read_bytes() == before


def test_a_run_that_was_not_completed_approves_nothing(rig: Rig, release: ScriptedServer, kept: Path) -> None:
    """Exit 11, with some verdicts there: the approved file is as before."""
    before = kept.read_bytes()

    def faults(request: Request, _attempt: int) -> Fault | None:
        return Fault.http(503, retry_after=3600) if read(request).instance.stratum == "ct" else None

    with ScriptedServer(reply=GoldReplay(with_flips()), faults=faults, model=release.model) as server:
        outcome = rig.gate(server, SUITE, *GATES, UPDATE)
    assert outcome.status == 11
    assert kept.read_bytes() == before


OWN = """
from dataclasses import replace

import pytest

from clinhallu_gate.datasets import load
from clinhallu_gate.datasets.phantom.generate import phantom_instances

pytest_plugins = ["clinhallu_gate.plugin"]
load.SOURCES = {"phantom": lambda: tuple(replace(i, phi=True) for i in phantom_instances()[:4])}
"""


def gate_patients(rig: Rig, server: ScriptedServer, own: Path, *rest: str) -> Outcome:
    """Gate a model on patients, with the site's key in a file of the test's own."""
    args = [arg.replace("thresholds/", f"{rig.root}/thresholds/") for arg in gated(server)]
    env = {SITE_KEY: str(own / "site.key")}
    return rig.run("test_approved_verdicts.py", *args, "--no-decision", *rest, cwd=own, env=env)


def test_patients_are_not_named(rig: Rig, tmp_path: Path) -> None:
    """Ids of patients' instances are keyed hashes in the approved file; the key is made once, for its owner alone."""
    (tmp_path / "conftest.py").write_text(OWN)
    (tmp_path / "pytest.ini").write_text((rig.root / "pytest.ini").read_text())
    (tmp_path / "test_approved_verdicts.py").write_text((rig.root / SUITE).read_text())
    key = tmp_path / "site.key"
    with ScriptedServer(reply=GoldReplay(), model="ward") as server:
        none = gate_patients(rig, server, tmp_path)
        assert (none.status, none.counts) == (0, {"skipped": 1})
        assert gate_patients(rig, server, tmp_path, UPDATE).counts == {"passed": 4}
        assert stat.S_IMODE(key.stat().st_mode) == 0o600
        file = tmp_path / "approved" / "ward" / "phantom.jsonl"
        secret = key.read_bytes().strip()
        assert list(lines(file)) == sorted(pseudonym(instance.uid, secret) for instance in instances()[:4])
        assert gate_patients(rig, server, tmp_path).counts == {"passed": 4}
        assert gate_patients(rig, server, tmp_path, "-n", "2").counts == {"passed": 4}
        key.unlink()
        missing = gate_patients(rig, server, tmp_path)
    assert missing.status == 4
    assert missing.err.strip().startswith("ERROR: approved/ward/phantom.jsonl: holds none of these patients.")
