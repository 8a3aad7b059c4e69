"""Patients' data: nothing of them is in what a run hands on, whatever it does and however it ends."""

import os
import shutil
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path

import canaries
import pyarrow.parquet as pq
import pytest
from canaries import PATIENTS, Search, closing, echo, refusing, write_ward
from gate_run import GATES, Rig
from installed import program
from ward import Seen, Ward, opened

from clinhallu_gate.cli import main
from clinhallu_gate.private import private_folder
from clinhallu_gate.testing import Fault, ScriptedServer

OWN = '''
"""Tests of a user's own, which fail in plain assertions: pytest shows what they were given."""

import pytest


@pytest.mark.verdicts(arm="baseline", part="visual_recognition")
def test_own_verdict(instance, verdict):
    assert verdict.value == instance


@pytest.mark.instances
def test_own_instance(instance, run):
    found = run.verdicts[instance.uid]
    assert instance is found
'''


BREAKS = {
    "engine": """
import clinhallu_gate.pipeline.evaluate as broken

def parse(protocol, arm, completion, *rest):
    raise ValueError(f"cannot read {completion}")

broken.parse = parse
""",
    "report": """
import clinhallu_gate.pipeline.folder as broken

def write_evidence(folder, results, rows, about):
    raise KeyError(str({name: list(held.values()) for name, held in rows.items()}))

broken.write_evidence = write_evidence
""",
    "data": """
import clinhallu_gate.datasets.load as broken

def protect(datasets, *rest):
    raise RuntimeError(f"what is {[list(dataset.instances) for dataset in datasets]}")

broken.protect = protect
""",
    "end": """
def pytest_sessionfinish(session):
    raise KeyError(str([each.question for each in session.config.stash[KEY].prepared.instances]))

from clinhallu_gate.plugin.state import KEY
""",
    "selection": """
import clinhallu_gate.plugin.controller as broken

def capable(prepared):
    raise KeyError(str([list(dataset.rows.values()) for dataset in prepared.datasets]))

broken.ControllerState._demand_approvable = lambda self, selection, prepared: capable(prepared)
""",
    "exchange": """
from clinhallu_gate.plugin.exchange import Exchange

def write_data(self, model, instances, gates):
    raise OSError(28, str([instance.question for instance in instances]))

Exchange.write_data = write_data
""",
    "results": """
from clinhallu_gate.plugin.exchange import Exchange

def write_results(self, view):
    raise OSError(28, str(self.read_instances()))

Exchange.write_results = write_results
""",
}
CONFINED = '''
"""What a test of a user's own finds in its process, or in its worker."""

import os
import resource

import pytest


@pytest.mark.instances
def test_confined(instance):
    assert os.environ["HF_HUB_OFFLINE"] == "1"
    assert resource.getrlimit(resource.RLIMIT_CORE)[0] == 0
'''

#: Loads no data where a core could be dumped meanwhile.
LOADING = """
import os
import resource

import clinhallu_gate.pipeline.prepare as watched

_, hard = resource.getrlimit(resource.RLIMIT_CORE)
if "PYTEST_XDIST_WORKER" not in os.environ:  # what workers inherit is looked at as well
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
load = watched.load_data

def load_data(*given, **named):
    if resource.getrlimit(resource.RLIMIT_CORE)[0] != 0:
        raise RuntimeError("a core could be dumped")
    return load(*given, **named)

watched.load_data = load_data
"""


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """Six patients of four instances each, a model and a judge that repeat all they are told."""
    with opened(rig, "ward") as ward:
        yield ward


@pytest.fixture(scope="module")
def redacted(ward: Ward) -> Seen:
    """A run with the defaults."""
    return ward.gate("-n", "0")


@pytest.fixture(scope="module")
def full(ward: Ward) -> Seen:
    """A run that shows everything in its report."""
    return ward.gate("--report-detail", "full", "-n", "0", "--strict-instances")


def test_the_search_finds_what_is_shown(full: Seen) -> None:
    """In a full report it finds every patient, in words and in table columns: without redaction the tests were red."""
    found = Search(pixels=False).folder(full.outcome.folder)
    families = {patient.family.casefold() for patient in PATIENTS}
    assert families <= found["report.html"]
    assert families <= found["results.parquet"]
    assert {name for name in found if name.endswith(".md")} == set()


def test_the_search_reads_pixels(ward: Ward, full: Seen) -> None:
    """It reads who a patient is from the pixels of each file, and from those of the images in a full report."""
    program("tesseract")  # where every program is said to be, its lack fails this test: others then search without it
    for path in (path for path in ward.folder.rglob("*.*") if path.suffix in (".png", ".jpg")):
        patient = next(one for one in PATIENTS if one.family in str(path))
        told = {spelling.casefold() for spelling in patient.spellings}
        assert len(told & canaries.read_pixels(path.read_bytes())) > 1
    report = (full.outcome.folder / "report.html").read_bytes()
    seen = [canaries.read_pixels(stream) for stream in canaries.streams(report) if canaries.is_image(stream)]
    assert {patient.family.casefold() for patient in PATIENTS} & set().union(*seen)


def test_the_search_looks_into_what_is_packed(ward: Ward) -> None:
    """Chunks of PNG files, compressed ones too, EXIF and comments of JPEG files."""
    for path in (path for path in ward.folder.rglob("*.*") if path.suffix in (".png", ".jpg")):
        patient = next(one for one in PATIENTS if one.family in str(path))
        assert {patient.family.casefold(), patient.given.casefold(), patient.mrn} <= Search(pixels=False).file(path)


def test_a_redacted_run_shows_no_patient(redacted: Seen) -> None:
    """In no file of its folder, not in the terminal, the test report, pytest's cache or the summary of a CI step."""
    assert redacted.outcome.status == 1
    assert redacted.everywhere(Search()) == {}
    assert redacted.outcome.counts["xfailed"] > 10
    assert "--report-detail redacted: no text and no image of the data is shown" in " ".join(
        redacted.outcome.out.split()
    )


def test_what_is_left_tells_what_was_decided(redacted: Seen, full: Seen) -> None:
    """Gates, scorings and verdicts are those of the run that shows everything, instance by instance."""
    assert redacted.outcome.decision["gates"] == full.outcome.decision["gates"]
    assert redacted.outcome.decision["scorings"] == full.outcome.decision["scorings"]
    said = [
        [
            {name: row[name] for name in ("id", "stratum", "arm", "part", "kind", "outcome")}
            for row in pq.read_table(seen.outcome.folder / "results.parquet").to_pylist()
        ]
        for seen in (redacted, full)
    ]
    assert said[0] == said[1]
    manifest = redacted.outcome.manifest
    assert (manifest["report_detail"], manifest["patient_data"]) == ("redacted", True)
    assert "chest" in {row["stratum"] for row in said[0]}
    assert any(row["stratum"].startswith("group-") for row in said[0])


@pytest.mark.parametrize(
    "rest",
    [
        ("-n", "2", "--strict-instances", "--repeats", "2"),
        ("--report-detail", "summary", "-p", "no:xdist", "--limit", "9"),
        ("suites/test_approved_verdicts.py", *GATES, "--snapshot-update", "-n", "0"),
        ("suites/test_answer_accuracy.py", "-k", "is_correct", "--no-decision", "-n", "2"),
    ],
    ids=["workers", "summary", "approved", "instances"],
)
def test_no_way_to_run_shows_a_patient(ward: Ward, rest: tuple[str, ...]) -> None:
    """Neither with workers, nor strictly, nor repeated, nor in part, nor while verdicts are approved."""
    seen = ward.gate(*rest)
    assert seen.outcome.status in (0, 1, 10)
    assert seen.everywhere(Search()) == {}
    assert Search().folder(ward.rig.root / "suites") == {}


def test_a_comparison_shows_no_patient(ward: Ward, redacted: Seen) -> None:
    """The same patients are found in a baseline run, and named by their pseudonyms where something flipped."""
    with ScriptedServer(reply=lambda request: echo(request).text or "", model="later") as other:
        seen = ward.gate(*GATES, "--baseline", str(redacted.outcome.folder), model=other)
    assert seen.everywhere(Search()) == {}
    assert "flips" in seen.outcome.out


@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_failing_run_shows_no_patient(ward: Ward, workers: str) -> None:
    """A server that refuses a prompt and repeats it ends the run; what it said is in the private folder alone."""
    with ScriptedServer(reply=echo, faults=refusing, model="refusing") as model:
        seen = ward.gate("-n", workers, model=model)
    assert seen.outcome.status == 11
    assert seen.everywhere(Search()) == {}
    assert "was refused (what was said of it is in " in " ".join(seen.outcome.out.split())
    assert Search().file(private_folder(seen.outcome.folder) / "failure.txt")


def test_a_server_that_gives_up_shows_no_patient(ward: Ward) -> None:
    """Every call fails with a message that repeats the prompt: nothing is judged, and nothing is told of it."""
    with ScriptedServer(reply=echo, faults=closing, model="closing") as model:
        seen = ward.gate("-n", "0", model=model)
    assert seen.outcome.status == 10
    assert {row["kind"] for row in pq.read_table(seen.outcome.folder / "results.parquet").to_pylist()} == {"unjudged"}
    assert seen.everywhere(Search()) == {}


def test_mistakes_in_rows_show_no_patient(ward: Ward, tmp_path: Path) -> None:
    """Rows that cannot be used are told by file, line and field; left out, they are told so in report and manifest."""
    data = write_ward(tmp_path, broken=True)
    refused = ward.gate("-n", "0", data=data)
    assert refused.outcome.status == 4
    assert refused.everywhere(Search()) == {}
    assert f"{data}:26: question_type: (not shown) is not a question type." in refused.outcome.err
    allowed = ward.gate(*GATES, "--allow-bad-rows", "13", data=data)
    assert allowed.outcome.status == 1
    assert allowed.everywhere(Search()) == {}
    assert len(allowed.outcome.manifest["datasets"][0]["left_out"]) >= 13


def test_a_full_report_is_the_only_one_that_shows_them(ward: Ward, full: Seen) -> None:
    """Summary, terminal, test report and cache hold nobody's data, and the report says that it does."""
    assert full.beside(Search()) == {}
    assert Search().file(full.outcome.folder / "summary.md") == set()
    assert b"This page holds patient data" in (full.outcome.folder / "report.html").read_bytes()
    own = ward.rig.root / "suites" / "test_own.py"
    own.write_text(OWN)
    try:
        failing = ward.gate("suites/test_own.py", "--report-detail", "full", "--no-decision", "-n", "0")
    finally:
        own.unlink()
    assert failing.outcome.counts["failed"] == 48
    assert failing.beside(Search()) == {}


def test_what_is_kept_is_for_its_owner_alone(redacted: Seen, full: Seen) -> None:
    """Texts and pixels lie beside the run folder, with what the pseudonyms stand for; nobody else may read either."""
    apart = private_folder(redacted.outcome.folder)
    names = {
        "store.sqlite",
        "traces.parquet",
        "instances.jsonl",
        "identifiers.csv",
        "ids.csv",
        "results.parquet",
        "images",
        "checked.jsonl",
    }
    assert {path.name for path in apart.iterdir()} == names
    originals = (apart / "ids.csv").read_text()
    ids = {row["id"] for row in pq.read_table(redacted.outcome.folder / "results.parquet").to_pylist()}
    assert len(ids) == 24
    assert all(f"{name},instance," in originals for name in ids)
    for folder in (apart, redacted.outcome.folder, private_folder(full.outcome.folder), full.outcome.folder):
        for path in (folder, *folder.rglob("*")):
            wanted = 0o700 if path.is_dir() else 0o600
            assert (path, stat.S_IMODE(path.stat().st_mode)) == (path, wanted)


def test_a_run_folder_that_others_may_enter_is_refused(ward: Ward, tmp_path: Path) -> None:
    """Before anything is asked, with the command that helps, and its mode is left; one of our own is taken."""
    run, asked = tmp_path / "run", ward.model.stats().counts
    run.mkdir(mode=0o755)
    seen = ward.gate("--run-dir", str(run), "-n", "0")
    assert seen.outcome.status == 4
    assert f"--run-dir: {run}: others may enter it" in seen.outcome.err
    assert f"Try: chmod 700 {run}" in seen.outcome.err
    assert ward.model.stats().counts == asked
    assert stat.S_IMODE(run.stat().st_mode) == 0o755
    assert list(run.iterdir()) == []
    run.chmod(0o700)
    assert ward.gate("--run-dir", str(run), "-n", "0").outcome.status in (0, 1, 10)


def test_the_run_folder_can_be_handed_on(redacted: Seen, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Commands that need the texts find them in the private folder, and say where they are if it is not there."""
    run, handed_on = redacted.outcome.folder, tmp_path / "handed-on"
    sheet = private_folder(run) / "review-5.csv"
    assert main(["sample-for-review", str(run), "--n", "5"]) == 0
    assert Search().file(sheet)
    assert stat.S_IMODE(sheet.stat().st_mode) == 0o600
    sheet.unlink()
    assert main(["export", str(run), "--out", str(tmp_path / "tree")]) == 0
    shutil.copytree(run, handed_on)
    capsys.readouterr()
    for command in (["export", "--out", str(tmp_path / "none")], ["sample-for-review", "--n", "5"]):
        assert main([command[0], str(handed_on), *command[1:]]) == 4
        assert f"it lies in {handed_on}.private where the run was made" in capsys.readouterr().err
    assert main(["evidence", str(handed_on)]) == 0
    assert main(["verify", str(handed_on / "evidence.zip")]) == 0
    assert "It holds no texts." in capsys.readouterr().out
    assert Search().folder(handed_on) == {}


@pytest.mark.parametrize(
    ("where", "status", "says"),
    [
        ("engine", 11, "internal error: ValueError in pipeline/evaluate.py:"),
        ("report", 3, "internal error: KeyError in pipeline/folder.py:"),
        ("data", 3, "internal error: RuntimeError in datasets/load.py:"),
        ("end", 3, "internal error: KeyError in "),
    ],
)
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_fault_of_ours_shows_no_patient(ward: Ward, where: str, status: int, says: str, workers: str) -> None:
    """Its kind and its line are told; what it says and saw is not, with full traces and local variables neither."""
    plugin = ward.rig.root / "suites" / "conftest.py"
    plugin.write_text(BREAKS[where])
    try:
        seen = ward.gate(*GATES, "--full-trace", "--showlocals", "-n", workers)
    finally:
        plugin.unlink()
    assert seen.everywhere(Search()) == {}
    assert seen.outcome.status == status
    assert says in seen.outcome.out + seen.outcome.err
    told = {"engine": "failure.txt", "report": "internal-error.txt"}.get(where)
    if told is not None:
        kept = private_folder(seen.outcome.folder) / told
        assert Search().file(kept)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("selection", "internal error: KeyError in plugin/controller.py:"),
        ("exchange", "internal error: OSError (No space left on device) in plugin/controller.py:"),
        ("results", "internal error: OSError (No space left on device) in plugin/controller.py:"),
    ],
)
def test_a_fault_between_controller_and_workers_shows_no_patient(ward: Ward, where: str, says: str) -> None:
    """A disk that is full when data or findings are laid out for workers is no traceback."""
    plugin = ward.rig.root / "suites" / "conftest.py"
    plugin.write_text(BREAKS[where])
    try:
        seen = ward.gate(*GATES, "--full-trace", "-n", "2")
    finally:
        plugin.unlink()
    assert seen.everywhere(Search()) == {}
    assert seen.outcome.status == 3
    assert says in seen.outcome.out + seen.outcome.err
    assert "Traceback" not in seen.outcome.out + seen.outcome.err
    assert "INTERNALERROR" not in seen.outcome.out + seen.outcome.err


@pytest.mark.parametrize("fault", [Fault.reset(), Fault.truncated_body(), Fault.empty()], ids=["reset", "cut", "empty"])
def test_a_server_that_dies_shows_no_patient(ward: Ward, fault: Fault) -> None:
    """It answers no call to its end: connections are reset, replies cut off or empty."""
    with ScriptedServer(reply=echo, faults=lambda _, __: fault, model="dying") as model:
        seen = ward.gate(*GATES, "-n", "0", model=model)
    assert seen.outcome.status in (1, 10, 11)
    assert seen.everywhere(Search()) == {}


@pytest.mark.parametrize("workers", ["0", "2"])
def test_after_ctrl_c_it_is_said_where_patients_lie(ward: Ward, workers: str) -> None:
    """Nobody else would know: there is no report. The status is pytest's, and no patient is told."""
    junit = ward.rig.folder().with_suffix(".xml")
    with ScriptedServer(reply=echo, latency=lambda _: 0.2, model="slow") as model:
        started = ward.rig.start(
            *ward.words(*GATES, "-n", workers, "--concurrency", "2", junit=junit, model=model), env=ward.env
        )
        while not started.over() and model.requests < 6:
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGINT)
        outcome = started.end()
    assert outcome.status == 2
    said = " ".join((outcome.out + outcome.err).split())
    assert "runs/" + private_folder(outcome.folder).name + " holds images of patients" in said
    assert f"clinhallu-gate purge runs/{outcome.folder.name}" in said
    assert Search().packed((outcome.out + outcome.err).encode()) == set()


@pytest.mark.parametrize("workers", ["0", "2"])
def test_its_process_asks_no_hub_and_dumps_no_core(ward: Ward, workers: str) -> None:
    """Nor do its workers; the limit is there before data are loaded, whatever it was."""
    own, plugin = ward.rig.root / "suites" / "test_confined.py", ward.rig.root / "suites" / "conftest.py"
    own.write_text(CONFINED)
    plugin.write_text(LOADING)
    try:
        seen = ward.gate("suites/test_confined.py", "--no-decision", "-n", workers)
    finally:
        own.unlink()
        plugin.unlink()
    assert (seen.outcome.status, seen.outcome.counts) == (0, {"passed": 24})


@pytest.mark.parametrize("workers", ["0", "2"])
def test_what_a_killed_run_leaves_is_for_its_owner_alone(ward: Ward, workers: str, tmp_path: Path) -> None:
    """In the middle: store and its log, exchange, images; the system's folder for temporary files holds nobody."""
    junit = tmp_path / "junit.xml"
    with ScriptedServer(reply=echo, latency=lambda _: 0.3, model="slow") as model:
        words = ward.words("suites/", "-n", workers, "--concurrency", "1", junit=junit, model=model)
        started = ward.rig.start(*words, env=ward.env)
        apart = private_folder(started.folder)
        while not started.over() and not (apart / "store.sqlite-wal").exists():
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGKILL)
        outcome = started.end()
    assert outcome.status == -signal.SIGKILL
    left = [apart, *apart.rglob("*"), started.folder, *started.folder.rglob("*")]
    assert any(path.name.startswith("exchange-") for path in left) == (workers == "2")
    modes = {str(path.relative_to(apart.parent)): stat.S_IMODE(path.stat().st_mode) for path in left}
    assert {name: oct(mode) for name, mode in modes.items() if mode not in (0o700, 0o600)} == {}
    assert Search().folder(ward.rig.root / "tmp") == {}
    assert Search().folder(started.folder) == {}
    assert main(["purge", str(started.folder), "--yes"]) == 0
    assert not apart.exists()
