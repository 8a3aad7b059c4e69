"""The textbook: does the model know the medicine that the question needs?

Read from the trace that was given the gold description of the images, so that eyes are not to blame.
"""

import pytest

pytestmark = pytest.mark.knowledge_recall


@pytest.mark.verdicts(arm="replace_vr", part="knowledge_recall")
def test_knowledge_is_grounded(verdict):
    """The facts and rules that the model recalls hold."""
    verdict.check()


@pytest.mark.gates(metric="knowledge_hallucination_rate")
def test_knowledge_hallucination_rate(gate):
    """The rate of hallucinated knowledge is within its budget."""
    gate.check()
