"""What an approved verdict is held against, and syrupy's extension for it."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from syrupy.data import Snapshot, SnapshotCollection

from clinhallu_gate.errors import BadInput
from clinhallu_gate.plugin.approved import (
    ApprovedHandle,
    ApprovedVerdicts,
    Approving,
    NothingApproved,
    Now,
    demand_approvable,
    flips,
)
from clinhallu_gate.plugin.approved_file import line_of, read_approved, write_approved
from clinhallu_gate.plugin.view import RunView
from clinhallu_gate.records import Failed, Judged, NotAsked, Unjudged, Verdict
from clinhallu_gate.results import HEADLINE_READINGS
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import FailReason, NotAskedReason, Outcome, UnjudgedReason

SEEN: Verdict = Judged(Outcome.GROUNDED, "as it is")
KNOWN: Verdict = Judged(Outcome.HALLUCINATED, "no such rule")
CUT_OFF: Verdict = Failed(FailReason.TRUNCATED, "4096 tokens")
RIGHT: Verdict = Judged(Outcome.CORRECT, "as it is")
NOT_ASKED: Verdict = NotAsked(NotAskedReason.NOT_SELECTED)
NO_GOLD: Verdict = NotAsked(NotAskedReason.NO_GOLD)
DEAD: Verdict = Unjudged(UnjudgedReason.JUDGE_FAILED, "503")
WORDS = {
    "visual_recognition": "grounded",
    "knowledge_recall": "hallucinated",
    "reasoning_integration": "failed: truncated",
    "answer": "correct",
}


def test_verdicts_become_words() -> None:
    """No text of model or judge is in them, as those change without a flip; what has no gold has no word."""
    assert Now.of([SEEN, KNOWN, CUT_OFF, RIGHT]) == Now(WORDS, ())
    assert Now.of([NO_GOLD, NO_GOLD, NO_GOLD, RIGHT]) == Now({"answer": "correct"}, ())
    missing = ("visual_recognition not asked: not_selected", "answer unjudged: judge_failed")
    assert Now.of([NOT_ASKED, NO_GOLD, CUT_OFF, DEAD]) == Now({"reasoning_integration": "failed: truncated"}, missing)


def test_flips_are_told_part_by_part() -> None:
    """Only what is known both now and as approved can flip."""
    now = {"visual_recognition": "hallucinated", "reasoning_integration": "grounded", "answer": "correct"}
    said = "flipped: visual_recognition grounded -> hallucinated, reasoning_integration failed: truncated -> grounded"
    assert flips(now, WORDS) == said
    assert not flips(now, {"answer": "correct", "knowledge_recall": "grounded"})


# --- one instance ----------------------------------------------------------------------------------------------------


class FakeSnapshot:
    """Stands for syrupy's fixture: compares with what it is given, and takes note of what it is asked."""

    def __init__(self, approved: str | None = None, *, writes: bool = False) -> None:
        self.asked: list[str] = []
        self.markers: list[pytest.MarkDecorator] = []
        self._approved, self._writes = approved, writes
        self.test_location = SimpleNamespace(item=SimpleNamespace(add_marker=self.markers.append))

    def __call__(self, *, extension_class: type) -> "FakeSnapshot":
        """Compare through our extension."""
        assert extension_class is ApprovedVerdicts
        return self

    def __eq__(self, other: object) -> bool:
        self.asked.append(str(other))
        return self._writes or other == self._approved

    __hash__ = None  # type: ignore[assignment]


def handle(file: Path, *verdicts: Verdict, approving: Approving = Approving.NOTHING, **more: Any) -> ApprovedHandle:  # noqa: ANN401
    instance = an_instance(dataset="ward", id="7")
    found = {instance.uid: dict(zip(HEADLINE_READINGS, verdicts, strict=True))}
    view = RunView(found, {}, {instance.uid: instance}, exploratory=False, examination=None)
    return ApprovedHandle(instance.uid, file, lambda: view, more.pop("strict", False), approving)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file in which all four verdicts of the instance are approved."""
    file = tmp_path / "ward.jsonl"
    write_approved(file, {"7": line_of("7", WORDS)})
    return file


def check(handled: ApprovedHandle, *, writes: bool = False) -> FakeSnapshot:
    words = read_approved(handled.file).get("7")
    snapshot = FakeSnapshot(line_of("7", words) if words else None, writes=writes)
    handled.check(snapshot)  # type: ignore[arg-type]
    return snapshot


def test_what_is_approved_passes(file: Path) -> None:
    """All four are compared; where some are not asked, the rest."""
    whole = line_of("7", WORDS)
    assert check(handle(file, SEEN, KNOWN, CUT_OFF, RIGHT)).asked == [whole]
    assert check(handle(file, SEEN, NOT_ASKED, DEAD, RIGHT)).asked == [whole]


@pytest.mark.parametrize("strict", [False, True])
def test_a_flip_is_expected_to_fail_unless_strict(file: Path, *, strict: bool) -> None:
    """The test fails with the flip as its reason, and bears a mark that makes that an expected failure."""
    snapshot = FakeSnapshot(line_of("7", WORDS))
    flipped = "flipped: answer correct -> failed: truncated"
    with pytest.raises(pytest.fail.Exception, match=flipped):
        handle(file, SEEN, KNOWN, DEAD, CUT_OFF, strict=strict).check(snapshot)  # type: ignore[arg-type]
    assert [mark.kwargs["reason"] for mark in snapshot.markers] == ([] if strict else [flipped])


@pytest.mark.parametrize(
    ("verdicts", "says"),
    [
        ((NOT_ASKED, NOT_ASKED, NOT_ASKED, DEAD), "not compared: visual_recognition not asked: not_selected"),
        ((NO_GOLD, NO_GOLD, NO_GOLD, NO_GOLD), "not compared: no verdict that is approved"),
    ],
)
def test_nothing_to_compare_is_skipped(file: Path, verdicts: tuple[Verdict, ...], says: str) -> None:
    """With the reason."""
    with pytest.raises(pytest.skip.Exception, match=says):
        check(handle(file, *verdicts))


def test_what_is_not_approved_yet_is_skipped(tmp_path: Path) -> None:
    """An instance that is new in the data, and a data set that is: each says how to approve."""
    with pytest.raises(pytest.skip.Exception, match=r"not approved yet: .*--snapshot-update"):
        check(handle(tmp_path / "none.jsonl", SEEN, KNOWN, CUT_OFF, RIGHT))
    with pytest.raises(pytest.skip.Exception, match=r"no .*none\.jsonl: .*--snapshot-update"):
        NothingApproved(tmp_path / "none.jsonl").check(FakeSnapshot())  # type: ignore[arg-type]


@pytest.mark.parametrize("approving", [Approving.ALL, Approving.NEW])
def test_what_is_not_known_cannot_be_approved(tmp_path: Path, approving: Approving) -> None:
    """A verdict is missing: the test is skipped and syrupy is not asked, so that what was approved stays."""
    with pytest.raises(pytest.skip.Exception, match="cannot be approved: answer unjudged: judge_failed"):
        check(handle(tmp_path / "none.jsonl", SEEN, KNOWN, CUT_OFF, DEAD, approving=approving))


def test_approving_writes_what_is_now(file: Path) -> None:
    """All that is known is handed to syrupy, flips too; with only new ones to be approved, a flip stays one."""
    flipped = (KNOWN, KNOWN, CUT_OFF, RIGHT)
    written = check(handle(file, *flipped, approving=Approving.ALL), writes=True)
    assert written.asked == [line_of("7", {**WORDS, "visual_recognition": "hallucinated"})]
    assert not written.markers
    with pytest.raises(pytest.fail.Exception, match="flipped: visual_recognition"):
        check(handle(file, *flipped, approving=Approving.NEW))


# --- before anything is asked ----------------------------------------------------------------------------------------


def test_what_would_spoil_a_comparison_costs_no_call(file: Path) -> None:
    """A corrupt file, workers that are to approve, and patients who were approved under another key."""
    demand_approvable([file], Approving.NOTHING, has_workers=True)
    demand_approvable([file], Approving.ALL, has_workers=False, patients=frozenset({"7", "8"}))
    with pytest.raises(BadInput, match=r"ward\.jsonl: holds none of these patients\. .* another site key\?"):
        demand_approvable([file], Approving.NOTHING, has_workers=True, patients=frozenset({"8"}))
    with pytest.raises(BadInput, match="--snapshot-update: not possible with workers"):
        demand_approvable([file], Approving.NEW, has_workers=True)
    file.write_text("{")
    with pytest.raises(BadInput, match=r"ward\.jsonl: line 1: is no JSON"):
        demand_approvable([file], Approving.ALL, has_workers=False)


# --- the extension ---------------------------------------------------------------------------------------------------


def located(handled: ApprovedHandle) -> Any:  # noqa: ANN401 - stands for syrupy's location of a test
    return SimpleNamespace(
        item=SimpleNamespace(callspec=SimpleNamespace(params={"approved": handled})), methodname="test_it"
    )


def test_the_extension_keeps_a_line_per_instance(file: Path) -> None:
    """Location, name, reading and writing go together."""
    extension = ApprovedVerdicts()
    place = located(handle(file, SEEN, KNOWN, CUT_OFF, RIGHT))
    name = extension.get_snapshot_name(test_location=place)
    assert (extension.get_location(test_location=place, index=0), name) == (str(file), "test_it[7]")
    assert extension.matches_test_location(test_location=place, snapshot_location=str(file))
    assert not extension.matches_test_location(test_location=place, snapshot_location="elsewhere")
    collection = SnapshotCollection(location=str(file))
    for key in ("a]b[c", "\n"):
        collection.add(Snapshot(name=f"test_it[{key}]", data=extension.serialize(line_of(key, WORDS))))
    extension.write_snapshot_collection(snapshot_collection=collection)
    for key in ("7", "a]b[c", "\n"):
        read = extension.read_snapshot_data_from_location(
            snapshot_location=str(file), snapshot_name=f"test_it[{key}]", session_id=""
        )
        assert read == line_of(key, WORDS)
    absent = extension.read_snapshot_data_from_location(
        snapshot_location=str(file), snapshot_name="test_it[8]", session_id=""
    )
    assert absent is None


def test_nothing_is_ever_unused(file: Path) -> None:
    """What a run does not ask is not found by syrupy's search for unused snapshots, and is not removed by it."""
    extension = ApprovedVerdicts()
    place = located(handle(file, SEEN, KNOWN, CUT_OFF, RIGHT))
    assert list(extension.discover_snapshots(test_location=place)) == []
    assert not extension.read_snapshot_collection(snapshot_location=str(file)).has_snapshots
    before = file.read_bytes()
    extension.delete_snapshots(snapshot_location=str(file), snapshot_names={"test_it[7]"})
    assert file.read_bytes() == before
