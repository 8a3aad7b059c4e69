"""The answers: does the model, left to itself, answer correctly?"""

import pytest

pytestmark = pytest.mark.answer_accuracy


@pytest.mark.verdicts(arm="baseline", part="answer")
def test_answer_is_correct(verdict):
    """The answer at the end of the model's own trace is correct."""
    verdict.check()


@pytest.mark.gates(metric="answer_accuracy")
def test_answer_accuracy(gate):
    """The share of correct answers is high enough."""
    gate.check()
