"""The phantom generator: deterministic, complete, and apart from what training saw."""

import io
import random
from collections import Counter

import pytest
from PIL import Image as PilImage

from clinhallu_gate.datasets.phantom.atlas import KIND, STRATA, Attribute, Rule
from clinhallu_gate.datasets.phantom.draw import draw
from clinhallu_gate.datasets.phantom.generate import EVALUATION_SEED, phantom_instances
from clinhallu_gate.datasets.phantom.study import Finding, Study, random_study
from clinhallu_gate.records import Instance
from clinhallu_gate.vocabulary import QuestionType


@pytest.fixture(scope="module")
def evaluation() -> tuple[Instance, ...]:
    return phantom_instances()


def test_the_default_set_has_sixty_instances_of_each_stratum(evaluation: tuple[Instance, ...]) -> None:
    """Four strata of sixty, in clusters of three questions on one study."""
    assert Counter(item.stratum for item in evaluation) == dict.fromkeys((s.name for s in STRATA), 60)
    assert set(Counter(item.cluster for item in evaluation).values()) == {3}
    assert len({item.uid for item in evaluation}) == 240


def test_every_form_of_question_and_every_need_is_there(evaluation: tuple[Instance, ...]) -> None:
    """Yes/no, multiple choice and open; image, rule and both."""
    assert {item.question_type for item in evaluation} == set(QuestionType)
    tags = Counter(tag for item in evaluation for tag in item.tags)
    assert min(tags[f"needs:{need}"] for need in ("image", "rule", "both")) >= 20


def test_one_stratum_has_two_to_four_images(evaluation: tuple[Instance, ...]) -> None:
    """Ultrasound studies hold several frames, all others one."""
    numbers = {stratum.name: {len(i.images) for i in evaluation if i.stratum == stratum.name} for stratum in STRATA}
    assert numbers.pop("ultrasound") == {2, 3, 4}
    assert all(number == {1} for number in numbers.values())


def test_the_same_seed_gives_the_same_instances() -> None:
    """Pictures, questions and gold traces are a function of the seed."""
    assert phantom_instances(studies=2) == phantom_instances(studies=2)
    assert phantom_instances(studies=2, seed="other") != phantom_instances(studies=2)


def test_training_seeds_are_never_the_evaluation_seed() -> None:
    """Training draws from seeds that begin with ``training``."""
    assert not EVALUATION_SEED.startswith("training")


def test_images_are_small_rgb_pictures(evaluation: tuple[Instance, ...]) -> None:
    """Every image decodes to 112 x 112 RGB."""
    picture = PilImage.open(io.BytesIO(evaluation[0].images[0].read()))
    assert picture.size == (112, 112)
    assert picture.mode == "RGB"


def test_multiple_choice_answers_are_among_their_options(evaluation: tuple[Instance, ...]) -> None:
    """The gold answer is one of the options, and its letter says which."""
    for item in evaluation:
        if item.question_type is QuestionType.MULTIPLE_CHOICE:
            assert item.answer in item.options
            assert item.answer.startswith(f"{item.answer_letter}. ")
            assert len({option[3:] for option in item.options}) == len(item.options)


@pytest.mark.parametrize("kind", sorted(KIND))
def test_every_kind_of_finding_changes_the_picture(kind: str) -> None:
    """A finding is drawn where the study says it is: its half of the picture differs from the same without it."""
    stratum = next(s for s in STRATA if any(k.name == kind for k in s.kinds))
    finding = Finding(kind, "left", stratum.kind(kind).zones[0], "large")
    with_it = draw(Study(stratum.name, 1, (finding,)), random.Random(1))[0]
    without = draw(Study(stratum.name, 1, ()), random.Random(1))[0]
    change = abs(with_it - without).sum(axis=(0, 2))
    left_half = slice(56, None) if stratum.mirrored else slice(0, 56)
    strong = (change[left_half].max(), change.max())
    assert strong[0] == strong[1] > 3


def test_kinds_are_distinct_within_a_study() -> None:
    """So that a claim can be held against one finding."""
    for number in range(300):
        study = random_study(STRATA[number % 4], random.Random(number))
        kinds = [finding.kind for finding in study.findings]
        assert len(kinds) == len(set(kinds))
        assert all(1 <= finding.frame <= study.frames for finding in study.findings)


def test_a_rule_of_management_needs_a_size() -> None:
    """The next step depends on the size, so a rule without one has no value."""
    with pytest.raises(ValueError, match="size"):
        _ = Rule("nodule", Attribute.MANAGEMENT).value
