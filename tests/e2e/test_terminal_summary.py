"""What the terminal says at the end of a run, and how it says it in a process of its own from the very start."""

import subprocess
import sys

from gate_run import Rig, normalised
from replay import GoldReplay, errors_at
from syrupy.assertion import SnapshotAssertion

from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

VR, KR, RI = Stage
ERRORS = errors_at({VR: 0.5, KR: 0.1, RI: 0.05, ANSWER: 0.2})


def test_a_blocked_model(rig: Rig, snapshot: SnapshotAssertion) -> None:
    """``python -m pytest suites/`` on a model that sees badly: the whole summary, and nothing on stderr."""
    with ScriptedServer(reply=GoldReplay(ERRORS), model="blind") as server:
        args = ("--endpoint", server.base_url, "--data", "phantom", "--judge", "oracle", "-p", "no:cacheprovider")
        command = [sys.executable, "-m", "pytest", "suites/", *args, "--thresholds", "thresholds/phantom.yaml"]
        found = subprocess.run(command, cwd=rig.root, env=rig.env, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stderr) == (1, "")
    assert summary(found.stdout, rig) == snapshot


def test_a_model_that_says_nothing_of_use(rig: Rig, snapshot: SnapshotAssertion) -> None:
    """Nonsense in the place of every trace: each part has failed, and the model is blocked, not undecided."""
    with ScriptedServer(reply="Colourless green ideas sleep furiously.", model="noise") as server:
        args = ("--endpoint", server.base_url, "--data", "phantom", "--judge", "oracle", "--limit", "100")
        outcome = rig.run("suites/", *args, "--thresholds", "thresholds/phantom.yaml")
    assert outcome.status == 1
    assert set(outcome.estimates.values()) == {0.0, 1.0}
    assert summary(outcome.out, rig).partition("next  ")[0] == snapshot


def summary(out: str, rig: Rig) -> str:
    """Return what stands below the gate's own line."""
    _, _, said = out.partition("= clinhallu-gate =")
    return normalised(said.partition("\n")[2], root=rig.root)
