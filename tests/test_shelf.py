"""What is put away lies on disk and reads as before."""

import gc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.errors import EvaluationFailed
from clinhallu_gate.records import Reading
from clinhallu_gate.results import Results
from clinhallu_gate.shelf import Shelf, Shelved
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import ANSWER, Arm


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


def test_a_folder_that_cannot_be_written_ends_the_evaluation(tmp_path: Path) -> None:
    """With the folder in the message."""
    with pytest.raises(EvaluationFailed, match="gone: cannot be written"):
        Shelf(tmp_path / "gone").put({})


def test_results_put_away_all_but_verdicts(tmp_path: Path) -> None:
    """Texts, replies and costs lie on disk, and are found where they were."""
    results = Results([an_instance()], Shelf(tmp_path))
    found, reading = results.found["sample/1"], Reading(Arm.BASELINE, ANSWER)
    found.texts[reading] = "yes"
    results.put_away("sample/1")
    assert all(isinstance(kept, Shelved) for kept in (found.texts, found.traces, found.costs))
    assert results.text("sample/1", Arm.BASELINE, ANSWER) == "yes"
