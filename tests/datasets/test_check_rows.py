"""What is wrong with a row is said field by field, with the bad value and the valid ones."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import pytest
from data_files import CHOICE, ROW

from clinhallu_gate.datasets.assemble import tags_of
from clinhallu_gate.datasets.check import Unfit, benchmark_row, manifest_row, options_of
from clinhallu_gate.datasets.problems import told

GOLD = {stage: {"text": "three words here"} for stage in ("visual_recognition", "knowledge_recall", "reasoning")}


def _lines(content: Mapping[str, Any]) -> list[str]:
    with pytest.raises(Unfit) as raised:
        manifest_row(content)
    return [told(line) for line in raised.value.lines]


@pytest.mark.parametrize(
    ("row", "changes", "says"),
    [
        (ROW, {"question": None}, "question: is missing"),
        (ROW, {"question": ""}, "question: is empty"),
        (ROW, {"question": 3}, "question: 3 is not text"),
        (ROW, {"answer": " \t"}, "answer: is empty"),
        (ROW, {"answer": "maybe"}, "answer: 'maybe' is no answer to a yes_no question. Valid: yes, no"),
        (ROW, {"answer": "none"}, "answer: 'none' is no answer to a yes_no question. Valid: yes, no"),
        (ROW, {"images": []}, "images: is empty"),
        (ROW, {"images": "a.png"}, "images: 'a.png' is not a list"),
        (ROW, {"images": [1]}, "images[0]: 1 is not text"),
        (ROW, {"images": ["a.png", ""]}, "images[1]: is empty"),
        (ROW, {"images": ["a\0.png"]}, "images[0]: 'a\\x00.png' holds a NUL"),
        (ROW, {"images": ["b\\a.png"]}, "images[0]: 'b\\\\a.png' holds a backslash; folders are set apart by /"),
        (
            ROW,
            {"question_type": "open"},
            "question_type: 'open' is not a question type. Did you mean 'open_ended'?",
        ),
        (
            ROW,
            {"question_type": 7},
            "question_type: 7 is not a question type. Valid: yes_no, multiple_choice, open_ended.",
        ),
        (ROW, {"questoin": "x"}, "questoin: 'questoin' is not a field. Did you mean 'question'?"),
        (ROW, {"source_id": None}, "source_id: is missing, and so is original_index"),
        (ROW, {"source_id": 1.5}, "source_id: 1.5 is not text"),
        (ROW, {"source_id": True}, "source_id: True is not text"),
        (ROW, {"id": "2"}, "id: is given twice, here and as source_id"),
        (ROW, {"cluster": "1", "patient_id": "2"}, "patient_id: is given twice, here and as cluster"),
        (ROW, {"phi": "yes"}, "phi: 'yes' is neither true nor false"),
        (ROW, {"tags": ["never:laterality", ""]}, "tags[1]: is empty"),
        (ROW, {"answer_letter": "A"}, "answer_letter: 'A' is no option. Valid: none"),
        (ROW, {"gold_cot": "text"}, "gold_cot: 'text' is not an object"),
        (ROW, {"gold_cot": {"reasoning": {"text": ""}}}, "gold_cot.reasoning.text: is empty"),
        (ROW, {"gold_cot": GOLD, "gold_reasoning": "x"}, "gold_reasoning: is given twice, here and in gold_cot"),
        (ROW, {"gold_visual_recognition": "  "}, "gold_visual_recognition: is empty"),
        (CHOICE, {"options": None}, "options: multiple_choice needs two or more"),
        (CHOICE, {"options": ["A. one"]}, "options: multiple_choice needs two or more"),
        (
            CHOICE,
            {"options": ["right", "left"]},
            "options[0]: 'right' has no letter. Valid: 'A. text', 'B. text' and so on",
        ),
        (CHOICE, {"options": ["A. x", "A. y"], "answer": "x"}, "options: a letter occurs twice: A, A"),
        (CHOICE, {"answer_letter": None}, "answer_letter: is missing. Valid: A, B"),
        (CHOICE, {"answer_letter": "C"}, "answer_letter: 'C' is no option. Valid: A, B"),
        (CHOICE, {"answer": "A. right"}, "answer: 'A. right' speaks of option A, answer_letter of B"),
    ],
)
def test_what_is_wrong_is_said(row: Mapping[str, Any], changes: Mapping[str, Any], says: str) -> None:
    """Each kind of mistake has its own words."""
    assert says in _lines({**row, **changes})


def test_everything_that_is_wrong_is_said_at_once() -> None:
    """A row is looked at to its end."""
    assert len(_lines({"question": "", "images": [], "question_type": "x"})) == 4


@pytest.mark.parametrize("options", [["A. x", "B. y"], ["A) x", "B) y"], ["(a) x", "(b) y"], ["A: x", " B:  y "]])
def test_letters_of_options_are_read_in_every_common_form(options: list[str]) -> None:
    """They are then written as the gate knows them."""
    row = manifest_row({**CHOICE, "options": options, "answer": "y", "answer_letter": "b"})
    assert [str(option) for option in options_of(row)] == ["A. x", "B. y"]


def test_identity_may_be_a_number() -> None:
    """It is text from then on."""
    assert manifest_row({**ROW, "source_id": 7}).identity == "7"
    assert manifest_row({**ROW, "source_id": None, "original_index": 0}).identity == "0"


def test_a_manifest_may_lack_gold_or_give_it_flat() -> None:
    """None stage by stage; nested and flat fields mean the same."""
    assert asdict(manifest_row(ROW).gold) == dict.fromkeys(
        ("visual_recognition", "knowledge_recall", "reasoning_integration")
    )
    flat = manifest_row({**ROW, "gold_visual_recognition": "seen", "gold_reasoning": "so"})
    nested = manifest_row({**ROW, "gold_cot": {"visual_recognition": {"text": "seen"}, "reasoning": {"text": "so"}}})
    assert flat.gold == nested.gold
    assert (flat.gold.visual_recognition, flat.gold.knowledge_recall, flat.gold.reasoning_integration) == (
        "seen",
        None,
        "so",
    )


def test_the_benchmarks_rows_may_hold_anything_else() -> None:
    """Unknown fields, tags of another type, and fields that only manifests have are let be."""
    row = benchmark_row({**ROW, "gold_cot": GOLD, "extra": object(), "organ": ["a"], "modality": "CT", "phi": "?"})
    assert tags_of(row) == ("modality:ct",)
    assert not row.phi


def test_the_benchmarks_images_may_be_objects_or_one() -> None:
    """As its own code reads them."""
    one = {key: value for key, value in ROW.items() if key != "images"}
    assert benchmark_row({**one, "gold_cot": GOLD, "image": "b.png"}).images == ("b.png",)
    entries = [{"image_path": "b.png"}, {"path": "c.png"}]
    assert benchmark_row({**ROW, "gold_cot": GOLD, "images": entries}).images == ("b.png", "c.png")


def test_tags_come_from_the_row_and_from_what_it_is_about() -> None:
    """Lower case, without blanks, each once."""
    row = manifest_row({**ROW, "tags": ["never:x", "modality:ct"], "modality": "CT", "body_system": "Central  Nervous"})
    assert tags_of(row) == ("never:x", "modality:ct", "body_system:central_nervous")
