"""A user's own suite, in a folder of its own, beside or instead of ours."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_run import GATES, Rig, gated
from replay import GoldReplay, errors_at

from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

WAYS = [pytest.param((), id="plain"), pytest.param(("-n", "2"), id="xdist")]

OWN = """
from urllib.request import urlopen

import pytest


@pytest.mark.verdicts(arm="baseline", part="visual_recognition")
def test_verdict(instance, verdict):
    assert verdict.uid == instance.uid
    assert verdict.value.kind == "judged"
    assert verdict.value.bad == (instance.id in WRONG)


@pytest.mark.gates(metric="visual_hallucination_rate")
def test_gate(gate, run):
    assert gate.result is run.gate(gate.spec.id)
    assert gate.result.n == len(run.verdicts) == 240
    assert gate.result.decision == "PASS"


@pytest.mark.instances
def test_instances(instance):
    assert instance.images[0].read().startswith(b"\\x89PNG")


def test_server(model_server):
    with urlopen(model_server.base_url + "/v1/models") as reply:
        assert model_server.model.encode() in reply.read()
"""


@pytest.fixture
def own(rig: Rig, tmp_path: Path) -> Path:
    """A folder with the plugin enabled, and our thresholds."""
    (tmp_path / "conftest.py").write_text('pytest_plugins = ["clinhallu_gate.plugin"]\n')
    (tmp_path / "pytest.ini").write_text((rig.root / "pytest.ini").read_text() + "filterwarnings = error\n")
    (tmp_path / "thresholds").symlink_to(rig.root / "thresholds")
    return tmp_path


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    """A model that may be released."""
    with ScriptedServer(reply=GoldReplay(ERRORS), model="own") as server:
        yield server


ERRORS = errors_at({Stage.VISUAL_RECOGNITION: 0.1, ANSWER: 0.1})


@pytest.mark.parametrize("rest", WAYS)
def test_every_fixture_works(rig: Rig, server: ScriptedServer, own: Path, rest: tuple[str, ...]) -> None:
    """``instance``, ``verdict``, ``gate``, ``run`` and ``model_server`` give what they promise, with workers too."""
    wrong = {uid.partition("/")[2] for uid, errors in ERRORS.items() if Stage.VISUAL_RECOGNITION in errors}
    (own / "test_own.py").write_text(f"WRONG = {wrong!r}\n{OWN}")
    outcome = rig.run("test_own.py", *gated(server), "--store", str(rig.root / "own.sqlite"), *rest, cwd=own)
    assert outcome.counts == {"passed": 240 + 1 + 240 + 1}
    assert (outcome.status, outcome.err, outcome.left) == (10, "", ())  # other blocking gates were not selected


@pytest.mark.parametrize("rest", WAYS)
def test_a_server_alone_can_be_asked_for(rig: Rig, server: ScriptedServer, own: Path, rest: tuple[str, ...]) -> None:
    """A selection without a gate has the model server, asks nothing, leaves no run folder, and releases nothing."""
    (own / "test_own.py").write_text(OWN)
    before = server.requests
    for status, meant in ((10, ()), (0, ("--no-decision",))):
        outcome = rig.run("test_own.py", "-k", "test_server", *gated(server), *rest, *meant, cwd=own)
        assert (outcome.status, outcome.counts) == (status, {"passed": 1} if rest else {"passed": 1, "deselected": 481})
        assert ("nothing was evaluated. If that is meant: --no-decision" in outcome.out) == (status == 10)
        assert not outcome.folder.exists()
    assert server.requests == before


@pytest.mark.parametrize("rest", WAYS)
def test_without_a_model_nothing_is_touched(rig: Rig, own: Path, rest: tuple[str, ...]) -> None:
    """Plain tests in a folder with the plugin run as ever; fixtures of the gate say what is missing."""
    plain = "def test_sum():\n    assert 1 + 1 == 2\n"
    if not rest:
        (own / "test_own.py").write_text(plain)
        outcome = rig.run("-p", "no:cacheprovider", cwd=own)
        assert (outcome.status, outcome.counts, outcome.err) == (0, {"passed": 1}, "")
    (own / "test_own.py").write_text(
        f"{plain}\ndef test_run(run):\n    pass\n\ndef test_server(model_server):\n    pass\n"
    )
    outcome = rig.run("-p", "no:cacheprovider", *rest, cwd=own)
    assert (outcome.status, outcome.counts) == (1, {"passed": 1, "errors": 2})
    assert "nothing was evaluated: no selected test asks" in outcome.out
    assert "no model server: no model was named" in outcome.out
    assert not list((rig.root / "tmp").glob("clinhallu-gate-*"))


FAILS = "def test_other():\n    assert False\n"
PASSES = "def test_other():\n    pass\n"
SETUP_FAILS = "import pytest\n\n@pytest.fixture\ndef broken():\n    assert False\n\ndef test_other(broken):\n    pass\n"
STRICTER = """
import pytest

@pytest.mark.gates(metric="visual_hallucination_rate")
def test_stricter(gate):
    gate.check()
    assert gate.result.estimate < 0.05
"""


@pytest.mark.parametrize(
    ("test", "rest", "status"),
    [
        pytest.param(PASSES, (), 0, id="passes"),
        pytest.param(FAILS, (), 1, id="fails"),
        pytest.param(SETUP_FAILS, (), 1, id="setup-fails"),
        pytest.param(STRICTER, (), 1, id="own-demand-on-a-gate"),
        pytest.param(STRICTER, ("-n", "2"), 1, id="own-demand-on-a-gate-xdist"),
    ],
)
def test_another_failure_blocks_too(  # noqa: PLR0917 - fixtures, and a table
    rig: Rig, server: ScriptedServer, own: Path, test: str, rest: tuple[str, ...], status: int
) -> None:
    """Whatever else fails in the session makes it 1 although every gate passes."""
    (own / "test_other.py").write_text(test)
    suites = [f"{rig.root}/{gate}" for gate in GATES]
    outcome = rig.run("test_other.py", *suites, *gated(server), "--store", str(rig.root / "own.sqlite"), *rest, cwd=own)
    assert outcome.decision["decision"] == "PASS"
    assert outcome.status == status


def test_what_cannot_be_collected_costs_no_call(rig: Rig, server: ScriptedServer, own: Path) -> None:
    """A test module that does not import stops pytest (2) before anything is evaluated, or fails the run (1)."""
    (own / "test_broken.py").write_text("import no_such_module\n")
    suites = [f"{rig.root}/{gate}" for gate in GATES]
    args = ("test_broken.py", *suites, *gated(server))
    fresh = ("--store", str(own / "fresh.sqlite"))
    before = server.requests
    outcome = rig.run(*args, *fresh, cwd=own)
    assert (outcome.status, server.requests) == (2, before)
    assert not outcome.folder.exists()
    known = ("--store", str(rig.root / "own.sqlite"))
    outcome = rig.run(*args, *known, "--continue-on-collection-errors", cwd=own)
    assert (outcome.status, outcome.decision["decision"]) == (1, "PASS")


@pytest.mark.parametrize(
    ("marker", "says"),
    [
        ("gates(metric='visual_rate')", "marker metric: 'visual_rate' is not a valid metric"),
        ("verdicts(arm='replace_rv', part='answer')", "marker arm: 'replace_rv' is not a valid arm"),
        ("verdicts(part='vision')", "marker part: 'vision' is not a valid part"),
    ],
)
def test_a_marker_that_means_nothing(rig: Rig, server: ScriptedServer, own: Path, marker: str, says: str) -> None:
    """A misspelt marker is bad input, not an empty set of tests."""
    argument = "gate" if marker.startswith("gates") else "verdict"
    (own / "test_own.py").write_text(f"import pytest\n\n@pytest.mark.{marker}\ndef test_it({argument}):\n    pass\n")
    outcome = rig.run("test_own.py", *gated(server), cwd=own)
    assert outcome.status in (2, 4)
    assert says in outcome.out + outcome.err
    assert "INTERNALERROR" not in outcome.out


def test_importing_the_plugin_is_cheap() -> None:
    """Importing the plugin imports no model library and no HTTP client."""
    heavy = {"torch", "vllm", "transformers", "aiohttp"}
    code = f"import sys, clinhallu_gate.plugin; print(*sorted({heavy} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
