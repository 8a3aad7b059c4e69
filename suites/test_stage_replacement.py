"""Repair: how much better does the model answer when a stage is replaced by its gold text?

What mending a stage would be worth, at most: an estimate under gold text, not a promise.
"""

import pytest

pytestmark = pytest.mark.stage_replacement


@pytest.mark.verdicts(arm=["replace_vr", "replace_kr", "replace_vr_kr"], part="answer")
def test_answer_with_repaired_stages_is_correct(verdict):
    """With gold text in place of a stage, the answer is correct."""
    verdict.check()


@pytest.mark.gates(metric="recovery")
def test_recovery(gate):
    """Accuracy with the stage repaired, minus accuracy without, is as the policy wants it."""
    gate.check()
