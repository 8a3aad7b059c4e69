"""Reading traces: each part by itself, and every way in which a model fails to write one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.records import Failed
from clinhallu_gate.testing import a_completion
from clinhallu_gate.trace import parse
from clinhallu_gate.vocabulary import ANSWER, Arm, FailReason, Part, Stage

STANDARD = load_protocol("standard")
GOOD = (
    "[Visual Recognition]\nA round shadow.\n\n[Knowledge Recall]\nIt may grow.\n\n[Reasoning]\nSo it is.\n[Answer] yes"
)
VR, KR, R = Stage


def _parts(text: str, *, arm: Arm = Arm.BASELINE, **fields: object) -> dict[Part, object]:
    trace = parse(STANDARD, arm, a_completion(text, **fields))
    return {part: found.reason if isinstance(found, Failed) else found for part, found in trace.parts.items()}


def test_a_trace_as_asked_for() -> None:
    """Every part by its header."""
    assert _parts(GOOD) == {VR: "A round shadow.", KR: "It may grow.", R: "So it is.", ANSWER: "yes"}


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("[", "**[").replace("]", "]**"),
        GOOD.lower(),
        GOOD.replace("[Visual Recognition]", "### Visual Recognition:").replace("[Reasoning]", "Reasoning:"),
        "<think>[Answer] no, or yes?</think>" + GOOD,
        GOOD + "\n\nI hope this helps!",
        GOOD + "\n[Answer] no",
    ],
)
def test_harmless_deviations_are_read(text: str) -> None:
    """Case, Markdown, thoughts, chatter behind the answer, a second answer."""
    assert {str(found).lower() for found in _parts(text).values()} == {
        "a round shadow.",
        "it may grow.",
        "so it is.",
        "yes",
    }


def test_a_stage_may_mention_another_by_its_header() -> None:
    """A header in mid-sentence ends nothing; only the answer's may stand behind a sentence."""
    text = GOOD.replace("So it is.\n", "From [Visual Recognition] and [Knowledge Recall] it follows. ")
    assert _parts(text)[R] == "From [Visual Recognition] and [Knowledge Recall] it follows."
    assert _parts(text)[ANSWER] == "yes"


def test_a_header_that_is_repeated_empties_nothing() -> None:
    """The first occurrence with a text counts."""
    assert _parts(GOOD.replace("[Reasoning]\n", "[Reasoning]\n[Reasoning]\n"))[R] == "So it is."


def test_an_answer_without_brackets_is_none_beside_one_with_them() -> None:
    """A thought on the way is no answer."""
    assert _parts(GOOD.replace("So it is.", "So it is.\nAnswer: no, wait."))[ANSWER] == "yes"


def test_a_missing_answer_does_not_make_the_camera_fail() -> None:
    """A part fails only if it cannot be read itself."""
    assert _parts(GOOD.partition("[Answer]")[0]) == {
        VR: "A round shadow.",
        KR: "It may grow.",
        R: "So it is.",
        ANSWER: FailReason.NO_ANSWER,
    }


def test_stages_that_are_missing_or_too_short() -> None:
    """A header that is not there, and fewer than three words."""
    text = "[Visual Recognition]\nShadow seen.\n[Reasoning]\nSo it is.\n[Answer]\n\nyes"
    assert _parts(text) == {VR: FailReason.STAGE_EMPTY, KR: FailReason.STAGE_MISSING, R: "So it is.", ANSWER: "yes"}


@pytest.mark.parametrize("text", ["", "   \n", "The image shows a round shadow, which may grow."])
def test_text_without_headers(text: str) -> None:
    """Nothing in it can be told apart."""
    assert _parts(text) == {**dict.fromkeys(Stage, FailReason.STAGE_MISSING), ANSWER: FailReason.NO_ANSWER}


@pytest.mark.parametrize(
    "fields",
    [{"text": "I'm sorry, but I cannot interpret medical images."}, {"text": GOOD, "refused": True}],
)
def test_a_refusal_is_refused_as_a_whole(fields: dict[str, object]) -> None:
    """Declined in words, or by the server's own mark."""
    text = str(fields.pop("text"))
    assert set(_parts(text, **fields).values()) == {FailReason.REFUSED}


def test_words_of_regret_within_a_trace_are_no_refusal() -> None:
    """A stage may say what cannot be seen."""
    assert _parts(GOOD.replace("A round shadow.", "I cannot see the apex."))[VR] == "I cannot see the apex."


def test_what_the_token_limit_cut_off_is_truncated() -> None:
    """The part in which the text ends, and those that never came."""
    cut = _parts("[Visual Recognition]\nA round shadow.\n[Knowledge Recall]\nIt may gr", finish_reason="length")
    assert cut == {
        VR: "A round shadow.",
        KR: FailReason.TRUNCATED,
        R: FailReason.TRUNCATED,
        ANSWER: FailReason.TRUNCATED,
    }


def test_an_answer_whose_line_is_whole_is_not_truncated() -> None:
    """Chatter behind the answer may be cut off; the answer itself may not."""
    assert _parts(GOOD + "\nand furthermore", finish_reason="length")[ANSWER] == "yes"
    assert _parts(GOOD, finish_reason="length")[ANSWER] == FailReason.TRUNCATED


def test_a_replaced_arm_reads_only_what_it_asks_for() -> None:
    """Given stages are not the model's words, even if it repeats them."""
    assert _parts(GOOD, arm=Arm.REPLACE_VR_KR) == {R: "So it is.", ANSWER: "yes"}


def test_a_prefilled_reply_continues_behind_its_header() -> None:
    """The header of the first asked part was the prefix's last word."""
    trace = parse(
        load_protocol("prefill"), Arm.REPLACE_VR, a_completion("\nIt may grow.\n\n[Reasoning]\nSo it is.\n[Answer] no")
    )
    assert trace.parts == {KR: "It may grow.", R: "So it is.", ANSWER: "no"}


@pytest.mark.parametrize("text", [" I'm sorry, I cannot help with that.", "\nI can't interpret medical images."])
def test_a_refusal_behind_a_prefix_is_a_refusal(text: str) -> None:
    """It does not become the text of the stage that it stands behind."""
    trace = parse(load_protocol("prefill"), Arm.REPLACE_VR, a_completion(text))
    assert {found.reason for found in trace.parts.values() if isinstance(found, Failed)} == {FailReason.REFUSED}
    assert len(trace.parts) == 3


def test_a_prefilled_reply_may_repeat_its_header() -> None:
    """The header that was given does not empty the one that is written."""
    reply = "\n[Knowledge Recall]\nIt may grow.\n[Reasoning]\nSo it is.\n[Answer] no"
    trace = parse(load_protocol("prefill"), Arm.REPLACE_VR, a_completion(reply))
    assert trace.parts == {KR: "It may grow.", R: "So it is.", ANSWER: "no"}


@given(st.text(max_size=400), st.sampled_from(Arm), st.sampled_from(["stop", "length"]))
def test_any_text_is_read_without_a_traceback(text: str, arm: Arm, finish: str) -> None:
    """Every asked part comes back, as text or as a reason."""
    trace = parse(STANDARD, arm, a_completion(text, finish_reason=finish))
    assert set(trace.parts) == set(STANDARD.asked(arm))
    assert all(isinstance(found, Failed) or found for found in trace.parts.values())
