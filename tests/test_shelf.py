"""What is put away lies on disk and reads as before."""

import gc
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.records import Failed, Judged, NotAsked, Reading, Unjudged, bare_verdict
from clinhallu_gate.results import Results
from clinhallu_gate.shelf import Shelf, Shelved
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import ANSWER, Arm, FailReason, NotAskedReason, Outcome, Stage, UnjudgedReason


@given(st.lists(st.dictionaries(st.text(), st.text()), max_size=12))
def test_every_mapping_reads_as_it_was(
    tmp_path_factory: pytest.TempPathFactory, contents: list[dict[str, str]]
) -> None:
    """In any order, and with more mappings than are held in memory."""
    shelf = Shelf(tmp_path_factory.getbasetemp())
    put = [shelf.put(content) for content in contents]
    for content, shelved in reversed(list(zip(contents, put, strict=True))):
        assert shelved == content
        assert list(shelved) == list(content)


def test_a_change_is_kept(tmp_path: Path) -> None:
    """Of one mapping alone; what is read again is what was written last."""
    shelf = Shelf(tmp_path)
    one, other = shelf.put({"a": 1, "b": 2}), shelf.put({"a": 1})
    one["a"] = 3
    del one["b"]
    assert (one, other) == ({"a": 3}, {"a": 1})
    with pytest.raises(KeyError):
        del other["b"]


def test_what_is_on_the_shelf_is_not_put_again(tmp_path: Path) -> None:
    """So that redacted results may share what they do not change."""
    shelf = Shelf(tmp_path)
    once = shelf.put({"a": 1})
    assert shelf.put(once) is once


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    """The file has no name while the run goes on, and nobody closes it by hand."""
    shelf = Shelf(tmp_path)
    shelf.put({"a": "patient"})
    assert list(tmp_path.iterdir()) == []
    del shelf
    gc.collect()  # a file that is left open would be a warning, and so an error


def test_a_folder_that_is_not_there_is_not_left_either(tmp_path: Path) -> None:
    """More than is written at once, so that a file is there."""
    shelf = Shelf(tmp_path / "private")
    put = [shelf.put({"a": "patient" * number}) for number in range(1_000)]
    assert [each["a"] for each in put] == ["patient" * number for number in range(1_000)]
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_others_use_stays(tmp_path: Path) -> None:
    """With what they have put into it."""
    (tmp_path / "private").mkdir()
    Shelf(tmp_path / "private").write("patient" * 10**6)
    assert list(tmp_path.iterdir()) == [tmp_path / "private"]


def test_a_folder_that_cannot_be_written_ends_the_evaluation(tmp_path: Path) -> None:
    """With the folder in the message."""
    (tmp_path / "taken").write_text("a file")
    with pytest.raises(EvaluationFailed, match="taken: cannot be written: Not a directory"):
        Shelf(tmp_path / "taken").write("patient" * 10**6)


def test_a_disk_that_fills_up_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Part of what waits was written before: all of it can still be read, and is written once there is room."""
    shelf = Shelf(tmp_path)
    texts = [f"{number} " * 20_000 for number in range(40)]
    room = [700_000]

    def scarce(handle: int, data: bytes, place: int) -> int:
        if not room[0]:
            raise OSError(28, "No space left on device")
        some = data[: room[0]]
        room[0] -= len(some)
        return written(handle, some, place)

    written = os.pwrite
    monkeypatch.setattr(os, "pwrite", scarce)
    places: list[int] = []
    with pytest.raises(EvaluationFailed, match="cannot be written: No space left on device"):
        places.extend(map(shelf.write, texts))
    assert places
    assert [shelf.read(place) for place in places] == texts[: len(places)]
    room[0] = 10**9
    more = [shelf.write(text) for text in texts]
    assert [shelf.read(place) for place in (*places, *more)] == texts[: len(places)] + texts


def test_results_put_away_all_but_verdicts(tmp_path: Path) -> None:
    """Texts, replies and costs lie on disk, and are found where they were."""
    results = Results([an_instance()], Shelf(tmp_path))
    found, reading = results.found["sample/1"], Reading(Arm.BASELINE, ANSWER)
    found.texts[reading] = "yes"
    results.put_away("sample/1")
    assert all(isinstance(kept, Shelved) for kept in (found.texts, found.traces, found.costs))
    assert results.text("sample/1", Arm.BASELINE, ANSWER) == "yes"


VERDICTS = {
    Reading(Arm.BASELINE, ANSWER): Judged(Outcome.CORRECT, "the same words"),
    Reading(Arm.REPLACE_VR, ANSWER): Failed(FailReason.TRUNCATED, "cut off"),
    Reading(Arm.REPLACE_KR, ANSWER): Unjudged(UnjudgedReason.ENDPOINT_FAILED, "503"),
    Reading(Arm.REPLACE_KR, Stage.KNOWLEDGE_RECALL): NotAsked(NotAskedReason.NO_GOLD, "no gold to give"),
}


def test_what_was_said_of_verdicts_lies_on_disk(tmp_path: Path) -> None:
    """They read as they were; without words they are at hand, one object for all instances that came to the same."""
    results = Results([an_instance(id=name) for name in "ab"], Shelf(tmp_path))
    for uid in results.found:
        results.found[uid].verdicts = dict(VERDICTS)
        results.put_away(uid)
    one, other = results.found.values()
    assert one.verdicts == other.verdicts == VERDICTS
    assert [verdict for _, _, verdict in results.rows()] == [*VERDICTS.values()] * 2
    assert one.bare_verdicts is other.bare_verdicts
    assert one.bare_verdicts == {reading: bare_verdict(verdict) for reading, verdict in VERDICTS.items()}
    reading = Reading(Arm.BASELINE, ANSWER)
    assert results.verdict("sample/a", reading) == Judged(Outcome.CORRECT, "the same words")
    assert results.bare_verdict("sample/a", reading) == Judged(Outcome.CORRECT, "")


def test_a_verdict_may_change_after_it_was_put_away(tmp_path: Path) -> None:
    """Of the one instance alone."""
    results = Results([an_instance(id=name) for name in "ab"], Shelf(tmp_path))
    for uid in results.found:
        results.found[uid].verdicts = dict(VERDICTS)
        results.put_away(uid)
    one, other = results.found.values()
    first, *_, last = VERDICTS
    one.verdicts[first] = Judged(Outcome.INCORRECT, "another")
    del one.verdicts[last]
    expected = {**VERDICTS, first: Judged(Outcome.INCORRECT, "another")}
    del expected[last]
    assert one.verdicts == expected
    assert one.bare_verdict(first) == Judged(Outcome.INCORRECT, "")
    assert one.bare_verdict(last) is None
    assert other.verdicts == VERDICTS


def test_what_stands_for_nothing_cannot_be_written(tmp_path: Path) -> None:
    """One object stands for it in every instance that was put away."""
    results = Results([an_instance()], Shelf(tmp_path))
    results.put_away("sample/1")
    found = results.found["sample/1"]
    with pytest.raises(TypeError):
        found.baseline[Reading(Arm.BASELINE, ANSWER)] = Judged(Outcome.CORRECT, "so")
    with pytest.raises(AttributeError):
        found.no_row.add(Reading(Arm.BASELINE, ANSWER))
