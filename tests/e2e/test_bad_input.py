"""Bad input: one line on stderr that says what, where and what is valid, exit status 4, and nothing left behind."""

import json
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from gate_run import GATES, Outcome, Rig, gated, normalised
from replay import GoldReplay
from syrupy.assertion import SnapshotAssertion

from clinhallu_gate.testing import Fault, ScriptedServer

FEW = ("--limit", "8")
PACKAGED = Path(__file__).parents[2] / "clinhallu_gate" / "protocol" / "standard.yaml"


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    """A model that would pass."""
    with ScriptedServer(reply=GoldReplay(), model="gold") as server:
        yield server


@pytest.fixture(scope="module")
def earlier(rig: Rig, server: ScriptedServer) -> Outcome:
    """A run that is there already."""
    return rig.gate(server, *GATES)


def one_line(outcome: Outcome, **places: Path) -> str:
    """Return the error, after checking that it is all there is."""
    assert outcome.status == 4, outcome.out + outcome.err
    assert outcome.err.startswith("ERROR: ")
    (line,) = outcome.err.strip().splitlines()
    assert "Traceback" not in outcome.out
    assert "INTERNALERROR" not in outcome.out
    assert outcome.left == ()
    return normalised(line, **places)


# --- the command line ------------------------------------------------------------------------------------------------

#: What stands in the place of, or beside, the options of a sound command.
OPTIONS = {
    "unknown data": ("--data", "phantoms"),
    "unknown judge": ("--judge", "orakle"),
    "unknown protocol": ("--protocol", "standart"),
    "limit 0": ("--limit", "0"),
    "concurrency 0": ("--concurrency", "0"),
    "call timeout 0": ("--call-timeout", "0"),
    "unknown detail": ("--report-detail", "nonsense"),
    "thresholds missing": ("--thresholds", "thresholds/icu.yaml"),
    "baseline missing": ("--baseline", "runs/none"),
    "empty selection": ("-k", "nothing_of_that_name"),
}


@pytest.mark.parametrize("case", OPTIONS)
def test_option(rig: Rig, server: ScriptedServer, case: str, snapshot: SnapshotAssertion) -> None:
    """An option with a value that cannot be used."""
    outcome = rig.run(
        "suites/", *gated(server), *(("--data", "phantom") if case == "unknown data" else ()), *OPTIONS[case]
    )
    assert one_line(outcome) == snapshot
    assert not outcome.folder.exists()


@pytest.mark.parametrize("option", ["--baseline", "--run-dir", "--store", "--thresholds"])
def test_name_of_a_file_that_is_empty(rig: Rig, server: ScriptedServer, option: str) -> None:
    """What an unset variable in a script comes to is not the current folder."""
    says = one_line(rig.run("suites/", *gated(server), option, ""))
    assert says == f"ERROR: {option}: is empty. Name a file or folder, or leave the option out."
    assert not (rig.root / "report.html").exists()


MODELS = {
    "no model": (),
    "misspelt": ("--model", "phantom-vml"),
    "unknown": ("--model", "no-such-model-at-all"),
    "revision of a hosted one": ("--model", "phantom-vlm", "--model-revision", "2"),
    "endpoint unasked": ("--endpoint", "http://127.0.0.1:9", "--collect-only"),
}


@pytest.mark.parametrize("args", MODELS.values(), ids=MODELS)
@pytest.mark.parametrize("rest", [(), ("-n", "2")], ids=["plain", "xdist"])
def test_model(rig: Rig, args: tuple[str, ...], rest: tuple[str, ...], snapshot: SnapshotAssertion) -> None:
    """No model, or one that nobody knows."""
    assert one_line(rig.run("suites/", *args, *rest), root=rig.root) == snapshot


# --- thresholds ------------------------------------------------------------------------------------------------------

THRESHOLDS = {
    "not YAML": "gates: [unclosed\n",
    "a date that is none": "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    min: 2020-99-99\n",
    "brackets": "[" * 3000,
    "no metric of that name": "schema_version: 1\ngates:\n  - metric: visual_rate\n    max: 0.3\n",
    "no scope of that name": (
        "schema_version: 1\ngates:\n  - metric: visual_hallucination_rate\n    scope: [mammography]\n    max: 0.3\n"
    ),
    "no severity of that name": (
        "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    min: 0.7\n    severity: fatal\n"
    ),
    "not a rate": "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    min: 70\n",
    "no unit of that name": "schema_version: 1\nunit: person\ngates:\n  - metric: answer_accuracy\n    min: 0.7\n",
    "events of no tag": "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    max_events: 0\n",
    "events below 0": "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    tag: side\n    max_events: -1\n",
    "events by halves": "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    tag: side\n    max_events: 0.5\n",
    "a tag without a number": "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    tag: side\n    min: 0.7\n",
    "a tag that nothing has": (
        "schema_version: 1\ngates:\n  - metric: answer_accuracy\n    tag: family:siede\n    max_events: 0\n"
    ),
    "unknown key": "schema_version: 1\nalhpa: 0.05\ngates:\n  - metric: answer_accuracy\n    min: 0.7\n",
}


@pytest.mark.parametrize("case", THRESHOLDS)
def test_thresholds(rig: Rig, server: ScriptedServer, tmp_path: Path, case: str, snapshot: SnapshotAssertion) -> None:
    """A thresholds file with a fault in it: the file, the line, the key, the value and the valid ones."""
    file = tmp_path / "icu.yaml"
    file.write_text(THRESHOLDS[case])
    outcome = rig.run("suites/", *gated(server), "--thresholds", str(file))
    assert one_line(outcome, tmp=tmp_path) == snapshot


# --- endpoints -------------------------------------------------------------------------------------------------------


def test_unreachable_endpoint(rig: Rig, snapshot: SnapshotAssertion) -> None:
    """Nobody listens there."""
    with socket.socket() as taken:  # bound, but not listening
        taken.bind(("127.0.0.1", 0))
        outcome = rig.run("suites/", "--endpoint", f"http://127.0.0.1:{taken.getsockname()[1]}", "--data", "phantom")
    assert one_line(outcome) == snapshot


def test_endpoint_of_another_model(rig: Rig, server: ScriptedServer, snapshot: SnapshotAssertion) -> None:
    """The server serves another model than ``--model`` names."""
    outcome = rig.run("suites/", "--endpoint", server.base_url, "--model", "silver", "--data", "phantom")
    assert one_line(outcome) == snapshot


def test_endpoint_that_is_no_address(rig: Rig, snapshot: SnapshotAssertion) -> None:
    """The scheme is missing."""
    assert one_line(rig.run("suites/", "--endpoint", "localhost:8000", "--data", "phantom")) == snapshot


# --- run folder and store --------------------------------------------------------------------------------------------


def test_run_folder_that_cannot_be_made(
    rig: Rig, server: ScriptedServer, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """A file stands in the place of the folder."""
    (tmp_path / "taken").write_text("")
    outcome = rig.gate(server, *FEW, "--run-dir", str(tmp_path / "taken" / "run"))
    assert one_line(outcome, tmp=tmp_path) == snapshot


def test_run_folder_that_holds_a_run(
    rig: Rig, server: ScriptedServer, earlier: Outcome, snapshot: SnapshotAssertion
) -> None:
    """Another run's results would be overwritten."""
    before = (earlier.folder / "decision.json").read_bytes()
    outcome = rig.gate(server, *FEW, "--run-dir", str(earlier.folder))
    assert one_line(outcome, run=earlier.folder) == snapshot
    assert (earlier.folder / "decision.json").read_bytes() == before


def test_store_that_is_none(rig: Rig, server: ScriptedServer, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """The file is something else, and stays as it is."""
    file = tmp_path / "store.sqlite"
    file.write_text("my thesis\n" * 100)
    outcome = rig.gate(server, *FEW, "--store", str(file))
    assert one_line(outcome, tmp=tmp_path) == snapshot
    assert file.read_text() == "my thesis\n" * 100


def test_store_in_no_folder(rig: Rig, server: ScriptedServer, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """A file stands in the place of the store's folder."""
    (tmp_path / "taken").write_text("")
    outcome = rig.gate(server, *FEW, "--store", str(tmp_path / "taken" / "store.sqlite"))
    assert one_line(outcome, tmp=tmp_path) == snapshot


# --- protocol --------------------------------------------------------------------------------------------------------


def test_protocol_without_an_arm(rig: Rig, server: ScriptedServer, tmp_path: Path, snapshot: SnapshotAssertion) -> None:
    """A gate reads an arm that the user's protocol does not have."""
    text = PACKAGED.read_text().partition("  replace_vr_kr:")[0]
    (tmp_path / "mine.yaml").write_text(text.replace("name: standard", "name: mine"))
    before = server.requests
    outcome = rig.gate(server, "--protocol", str(tmp_path / "mine.yaml"))
    assert one_line(outcome, tmp=tmp_path) == snapshot
    assert server.requests == before


# --- the release in use ----------------------------------------------------------------------------------------------


def test_baseline_of_another_protocol(
    rig: Rig, server: ScriptedServer, earlier: Outcome, snapshot: SnapshotAssertion
) -> None:
    """Runs that were asked differently are not compared."""
    outcome = rig.gate(server, "--baseline", str(earlier.folder), "--protocol", "prefill")
    assert one_line(outcome, run=earlier.folder) == snapshot


def test_baseline_of_other_data(
    rig: Rig, server: ScriptedServer, earlier: Outcome, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """Runs on other instances are not compared."""
    other = tmp_path / "other"
    shutil.copytree(earlier.folder, other)
    document = json.loads((other / "decision.json").read_bytes())
    document["datasets"][0]["sha256"] = "0" * 64
    (other / "decision.json").write_text(json.dumps(document))
    assert one_line(rig.gate(server, "--baseline", str(other)), tmp=tmp_path) == snapshot


def test_baseline_that_is_unreadable(
    rig: Rig, server: ScriptedServer, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """The folder holds something else under the name."""
    (tmp_path / "decision.json").write_text('{"schema_version": 1}')
    assert one_line(rig.gate(server, "--baseline", str(tmp_path)), tmp=tmp_path) == snapshot


def test_baseline_that_was_not_completed(
    rig: Rig, server: ScriptedServer, tmp_path: Path, snapshot: SnapshotAssertion
) -> None:
    """A run that ended with 11 holds no result."""
    gone = Fault.http(503, retry_after=3600)
    with ScriptedServer(reply="", faults=lambda _request, _attempt: gone) as dead:
        assert rig.gate(dead, GATES[0], "--run-dir", str(tmp_path / "dead")).status == 11
    assert one_line(rig.gate(server, "--baseline", str(tmp_path / "dead")), tmp=tmp_path) == snapshot


def test_baseline_beside_a_limit(
    rig: Rig, server: ScriptedServer, earlier: Outcome, snapshot: SnapshotAssertion
) -> None:
    """A part of the instances is not compared with all of them."""
    assert one_line(rig.gate(server, *FEW, "--baseline", str(earlier.folder)), run=earlier.folder) == snapshot
