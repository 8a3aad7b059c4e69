"""The camera: does the model describe what the images show?

Read from the baseline trace. A hallucinated instance counts against the budget (xfailed); the gate decides.
"""

import pytest

pytestmark = pytest.mark.visual_recognition


@pytest.mark.verdicts(arm="baseline", part="visual_recognition")
def test_description_is_grounded(verdict):
    """What the model says it sees is there."""
    verdict.check()


@pytest.mark.gates(metric="visual_hallucination_rate")
def test_visual_hallucination_rate(gate):
    """The rate of hallucinated descriptions is within its budget."""
    gate.check()
