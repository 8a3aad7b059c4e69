"""From a seed to instances: studies, several questions on each, their pictures and gold traces."""

import random
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any, Final

from clinhallu_gate.datasets.phantom.atlas import STRATA, Attribute, Rule, Stratum
from clinhallu_gate.datasets.phantom.draw import draw, encode
from clinhallu_gate.datasets.phantom.questions import Domain, Needs, Question, random_question
from clinhallu_gate.datasets.phantom.study import Study, random_study
from clinhallu_gate.datasets.phantom.wording import gold_trace
from clinhallu_gate.records import Image, Instance
from clinhallu_gate.vocabulary import QuestionType

DATASET: Final = "phantom"
EVALUATION_SEED: Final = "evaluation-1"
"""Training draws from seeds that begin with ``training``; no study is shared."""
STUDIES: Final = 20
QUESTIONS: Final = (Needs.IMAGE, Needs.IMAGE, Needs.BOTH)
"""What the questions on one study need; every fourth study swaps one for a rule alone."""


def phantom_instances(
    *, seed: str = EVALUATION_SEED, studies: int = STUDIES, strata: tuple[Stratum, ...] = STRATA
) -> tuple[Instance, ...]:
    """Return ``studies`` x 3 instances of each stratum; the same for the same arguments."""
    return tuple(
        instance
        for stratum in strata
        for number in range(studies)
        for instance in study_instances(stratum, seed=seed, number=number)
    )


def study_instances(stratum: Stratum, *, seed: str, number: int) -> Iterator[Instance]:
    """Yield the instances of one study: one cluster."""
    rng = random.Random(f"{seed}:{stratum.name}:{number}")  # noqa: S311 - a reproducible drawing, not a secret
    study = random_study(stratum, rng)
    images = tuple(Image.from_bytes(encode(picture)) for picture in draw(study, rng))
    for place, question in enumerate(study_questions(study, number, rng)):
        yield as_instance(f"{stratum.name}-{number:03d}-{place}", study, question, images, rng)


def study_questions(study: Study, number: int, rng: random.Random) -> list[Question]:
    """Draw the questions on one study, no two the same."""
    questions: dict[str, Question] = {}
    for place, needs in enumerate(QUESTIONS):
        wanted = Needs.RULE if place == number % 4 else needs
        while (question := random_question(study, rng, needs=wanted)).text in questions:
            wanted = rng.choice(tuple(Needs))
        questions[question.text] = question
    return list(questions.values())


def as_instance(
    identity: str, study: Study, question: Question, images: tuple[Image, ...], rng: random.Random
) -> Instance:
    """Join a study and a question into an instance, facts included."""
    return Instance(
        dataset=DATASET,
        id=identity,
        stratum=study.stratum,
        cluster=f"{DATASET}/{identity.rpartition('-')[0]}",
        images=images,
        question=question.text,
        question_type=question.type,
        options=question.options,
        answer=question.answer,
        answer_letter=question.letter,
        gold=gold_trace(study, question, rng),
        tags=(f"modality:{study.stratum}", f"needs:{question.needs}", f"family:{question.family}"),
        facts=facts_of(study, question),
    )


def facts_of(study: Study, question: Question) -> dict[str, Any]:
    """Return all that the oracle needs, as plain JSON values."""
    return {"study": study.as_facts(), "question": {**asdict(question), "options": list(question.options)}}


def question_from_facts(facts: Any) -> Question:  # noqa: ANN401 - JSON
    """Read back what ``facts_of`` wrote. Raises ``KeyError``, ``TypeError`` or ``ValueError`` on other input."""
    rule = facts["rule"]
    return Question(
        **{
            **facts,
            "type": QuestionType(facts["type"]),
            "needs": Needs(facts["needs"]),
            "domain": Domain(facts["domain"]),
            "rule": Rule(rule["kind"], Attribute(rule["attribute"]), rule["size"]),
            "options": tuple(facts["options"]),
        }
    )
