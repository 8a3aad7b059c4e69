"""Protocols: what is asked, arm by arm, to the letter; and what a file that is none is told."""

from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from clinhallu_gate.datasets.phantom.atlas import STRATUM
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.errors import BadInput
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.protocol.render import chat_request
from clinhallu_gate.protocol.spec import Protocol
from clinhallu_gate.records import ChatRequest, Instance
from clinhallu_gate.vocabulary import ANSWER, Arm, Stage

#: Those with prompts of their own.
OWN = ("standard", "prefill")
PACKAGED = Path(__file__).parents[2] / "clinhallu_gate" / "protocol" / "standard.yaml"
GIVEN = {
    Arm.BASELINE: (),
    Arm.REPLACE_VR: (Stage.VISUAL_RECOGNITION,),
    Arm.REPLACE_KR: (Stage.VISUAL_RECOGNITION, Stage.KNOWLEDGE_RECALL),
    Arm.REPLACE_VR_KR: (Stage.VISUAL_RECOGNITION, Stage.KNOWLEDGE_RECALL),
}


@pytest.fixture(scope="module")
def instance() -> Instance:
    """A question with options on several images."""
    studies = phantom_instances(studies=6, strata=(STRATUM["ultrasound"],))
    return next(item for item in studies if item.options)


def _request(name: str, instance: Instance, arm: Arm) -> ChatRequest:
    return chat_request(load_protocol(name), instance, arm, {stage: f"<given {stage}>" for stage in GIVEN[arm]})


def _readable(request: ChatRequest) -> str:
    lines = []
    for message in request.messages:
        lines.append(f"=== {message.role}")
        lines += [part if isinstance(part, str) else "<image>" for part in message.content]
    return "\n".join([*lines, f"=== continue: {request.continue_final_message}, {request.sampling}"])


@pytest.mark.parametrize("arm", Arm)
@pytest.mark.parametrize("name", OWN)
def test_prompts(name: str, arm: Arm, instance: Instance, snapshot: SnapshotAssertion) -> None:
    """Every word that a model is sent."""
    assert _readable(_request(name, instance, arm)) == snapshot


@pytest.mark.parametrize("name", OWN)
def test_arms_share_all_that_comes_before_what_differs(name: str, instance: Instance) -> None:
    """System prompt, images and question are the same words at the same place in every arm."""
    requests = [_request(name, instance, arm) for arm in Arm]
    assert len({request.messages[0] for request in requests}) == 1
    assert len({request.messages[1].content[:-1] for request in requests}) == 1
    question = f"Question: {instance.question}\n" + "\n".join(instance.options)
    for request in requests:
        *images, text = request.messages[1].content
        assert not any(isinstance(image, str) for image in images)
        assert isinstance(text, str)
        assert text.startswith(question)


def test_a_prefilled_reply_extends_the_plain_prompt(instance: Instance) -> None:
    """In `prefill` the user's message is the baseline's in every arm; only the assistant's beginning differs."""
    requests = {arm: _request("prefill", instance, arm) for arm in Arm}
    assert len({request.messages[:2] for request in requests.values()}) == 1
    assert requests[Arm.REPLACE_VR].messages[2].content[0] == (
        "[Visual Recognition]\n<given visual_recognition>\n\n[Knowledge Recall]"
    )


def test_what_an_arm_asks_for() -> None:
    """The model writes what it is not given, and the answer."""
    protocol = load_protocol("standard")
    assert protocol.asked(Arm.BASELINE) == (*Stage, ANSWER)
    assert protocol.asked(Arm.REPLACE_VR_KR) == (Stage.REASONING_INTEGRATION, ANSWER)
    assert protocol.waits_for(Arm.REPLACE_KR) is Arm.BASELINE
    assert protocol.waits_for(Arm.REPLACE_VR_KR) is None


def test_any_change_changes_the_digest() -> None:
    """A word of a prompt is enough."""
    before = load_protocol("standard")
    assert before.sha256 != load_protocol("prefill").sha256
    changed = Protocol(**{**before.model_dump(), "user": before.user + "!"})
    assert changed.sha256 != before.sha256


def test_a_users_protocol_file_brings_its_own_prompts(tmp_path: Path) -> None:
    """Templates beside the file are used; those that are not there are the packaged ones."""
    file = tmp_path / "mine.yaml"
    file.write_text(PACKAGED.read_text().replace("name: standard", "name: mine"))
    (tmp_path / "system.j2").write_text("Be brief.")
    protocol = load_protocol(str(file))
    assert protocol.name == "mine"
    assert protocol.system == "Be brief."
    assert protocol.user == load_protocol("standard").user


def refused(file: Path) -> str:
    """Return what is said of a file that is no protocol: one line, which names it."""
    with pytest.raises(BadInput) as error:
        load_protocol(str(file))
    where, _, says = str(error.value).partition(": ")
    assert where == str(file)
    assert "\n" not in says
    return says


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"name: x", "not a protocol: 'system' is missing."),
        (b"- 1", "not a protocol: it holds no mapping of keys."),
        (b"", "not a protocol: it holds no mapping of keys."),
        (b"{", "not a protocol: while parsing"),
        ("name: übel".encode("latin-1"), "not a protocol: 'utf-8' codec can't decode"),
    ],
)
def test_a_file_that_is_no_protocol(content: bytes, says: str, tmp_path: Path) -> None:
    """Another YAML, no YAML at all, and another encoding."""
    file = tmp_path / "p.yaml"
    file.write_bytes(content)
    assert refused(file).startswith(says)
    with pytest.raises(BadInput, match="Did you mean 'standard'"):
        load_protocol("standart")


@pytest.mark.parametrize(
    ("before", "after", "says"),
    [
        ("temperature: 0.0", "temperature: -1", "sampling: temperature: Input should be greater than or equal to 0."),
        ("given: continuation", "given: shouted", "given: Input should be 'continuation' or 'prefill'."),
        ('    answer: "[Answer]"\n', "", "trace: headers: no header for answer."),
        ('"[Reasoning]"', '"[Answer]"', "trace: headers: two parts have one header."),
        ("  baseline: {}\n", "", "arms: baseline is missing."),
        ("temperature: 0.0", "temperature: .inf", "sampling: temperature: Input should be a finite number."),
        ("given: continuation", "nothing: 1", "given: Field required."),
        ("given: continuation", "given: continuation\nstop: x", "stop: Extra inputs are not permitted."),
    ],
)
def test_a_protocol_that_cannot_be_used(before: str, after: str, says: str, tmp_path: Path) -> None:
    """The key, and what is wrong with it."""
    file = tmp_path / "p.yaml"
    assert before in PACKAGED.read_text()
    file.write_text(PACKAGED.read_text().replace(before, after))
    assert refused(file) == says


def test_the_name_of_an_arm_says_what_it_is_given(tmp_path: Path) -> None:
    """The metrics are read from arms by name: another meaning would be another metric under the same name."""
    file = tmp_path / "p.yaml"
    file.write_text(PACKAGED.read_text().replace("    visual_recognition: baseline\n", ""))
    wanted = "visual_recognition: baseline, knowledge_recall: gold"
    assert refused(file) == f"arms: replace_kr: what its name says it is given is {wanted}."


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% if question %}", "Unexpected end of template. "),
        ("{{ questoin }}", "'questoin' is undefined."),
        ("{{ 1 // 0 }}", "integer division or modulo by zero."),
        ("{% for option in options %}{{ headers.none }}{% endfor %}", "'dict object' has no attribute 'none'."),
    ],
)
def test_a_template_that_cannot_be_rendered(template: str, says: str, tmp_path: Path) -> None:
    """Found before the first instance, also where only some instances would meet it."""
    file = tmp_path / "p.yaml"
    file.write_text(PACKAGED.read_text())
    (tmp_path / "user.j2").write_text(template)
    assert refused(file).startswith(f"a prompt's template cannot be rendered: {says}")


def test_options_that_the_question_tells_are_not_told_twice(instance: Instance) -> None:
    """MedXpertQA's questions hold their options; a question that merely names their words does not."""
    told = " ".join(f"({option[0]}) {option[3:]}" for option in instance.options)
    words = ", ".join(option[3:] for option in instance.options)
    for question, times in ((f"Which? Answer Choices: {told}", 1), (f"Which of {words}?", 2)):
        asked = replace(instance, question=question)
        text = _request("standard", asked, Arm.BASELINE).messages[1].content[-1]
        assert isinstance(text, str)
        assert text.count(instance.options[0][3:]) == times
