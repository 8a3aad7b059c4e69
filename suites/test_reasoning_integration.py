"""The logic: does the conclusion follow from what is seen and what is known?

Read from the trace that was given gold description and gold knowledge, so that only reasoning is left.
"""

import pytest

pytestmark = pytest.mark.reasoning_integration


@pytest.mark.verdicts(arm="replace_vr_kr", part="reasoning_integration")
def test_reasoning_is_grounded(verdict):
    """The model reasons from what it was given to what follows."""
    verdict.check()


@pytest.mark.gates(metric="reasoning_hallucination_rate")
def test_reasoning_hallucination_rate(gate):
    """The rate of hallucinated reasoning is within its budget."""
    gate.check()
