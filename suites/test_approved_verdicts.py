"""The release in use: are these the verdicts that were approved?

Approved verdicts lie in `approved/<model>/<data>.jsonl` beside this file, under version control; `--snapshot-update`
writes them. A flip is shown (xfailed); whether there are too many, a gate with `--baseline` decides.
"""

import pytest

pytestmark = pytest.mark.approved_verdicts


@pytest.mark.approved
def test_verdicts_are_approved(approved, snapshot):
    """Camera, textbook, logic and answer are judged as when the release was approved."""
    approved.check(snapshot)
