"""Words planted in every header, name and pixel of DICOM studies: no run and no command shows one, however it ends."""

import csv
import io
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Final

import pyarrow.parquet as pq
import pytest
from canaries import PATIENTS, Search, closing, echo, is_image, marked, read_pixels
from dicom_canaries import attributes, study, value, write_scans, write_uids
from gate_run import GATES, Rig
from guard import elsewhere, spoken_to
from installed import program
from orthanc import orthanc
from PIL import Image as Pillow
from pydicom.uid import ExplicitVRLittleEndian
from pypdf import PdfReader
from ward import POLICY, Seen, Ward, opened
from yarl import URL

from clinhallu_gate.cli import main
from clinhallu_gate.pipeline.printing import BROWSERS
from clinhallu_gate.private import private_folder
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import Fault, Request, ScriptedServer

Capture = pytest.CaptureFixture[str]
LEVELS: Final = 3
#: Faults of our own where a header is at hand: each says what it saw.
BREAKS: Final = {
    "header": """
import clinhallu_gate.datasets.dicom.rows as broken

def taken(*rest, **more):
    raise KeyError(f"what is {rest} and {more}")

broken.take = taken
""",
    "facts": """
import clinhallu_gate.datasets.dicom.header as broken

def facts_of(elements):
    raise RuntimeError(f"what is {elements}")

broken.facts_of = facts_of
""",
    "engine": """
import clinhallu_gate.pipeline.evaluate as broken

def parse(protocol, arm, completion, *rest):
    raise ValueError(f"cannot read {completion}")

broken.parse = parse
""",
}


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """Six patients with a DICOM study and two questions each."""
    with opened(rig, "scans", write_scans) as ward:
        yield ward


@pytest.fixture(autouse=True)
def _own_key(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(SITE_KEY, ward.env[SITE_KEY])


@pytest.fixture(scope="module")
def whole(ward: Ward) -> Seen:
    """A run with workers, all headers looked at, and all that pytest can say."""
    return ward.gate("-n", "2", "--full-trace", "--preflight", "full")


def said(capsys: Capture, *command: str) -> str:
    """Run a command to its good end; return what it printed, after checking that it tells nobody."""
    status = main(command)
    told = capsys.readouterr()
    assert status == 0, told.err
    assert Search().packed((told.out + told.err).encode()) == set()
    return told.out


# --- control ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", range(len(PATIENTS)))
def test_the_search_finds_every_header(place: int) -> None:
    """Of each patient every attribute of the dictionary at three levels, around them, and private ones."""
    header = next(study(place))
    if header.file_meta.TransferSyntaxUID.is_deflated:
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    header.save_as(file := io.BytesIO(), enforce_file_format=True)
    found = "\n".join(Search(pixels=False).packed(file.getvalue()))
    numbers = count(place, len(PATIENTS))
    overwritten = {"SOPInstanceUID", "PatientBirthDate", "OverlayType", "OverlayData"}
    for level in range(LEVELS):
        for each in attributes():
            planted = value(each.vr, next(numbers))
            told = Search.text(planted if isinstance(planted, bytes) else planted.encode())
            assert told, (each, planted)
            assert all(word in found for word in told) or (level == 0 and each.keyword in overwritten), each
    around = (*range(260_000 + place, 265_000, 1_000), 250_000 + place, *(250_000 + place + 36 * n for n in (1, 2, 3)))
    assert all(marked(number).casefold() in found for number in around)


def test_the_search_reads_what_is_burned_in() -> None:
    """Pixels and overlays tell who a patient is."""
    program("tesseract")
    header = next(study(0))
    for bits in (header.pixel_array, 255 * (1 - header.overlay_array(0x6000))):
        Pillow.fromarray(bits.astype("uint8")).save(picture := io.BytesIO(), "PNG")
        assert PATIENTS[0].family.casefold() in read_pixels(picture.getvalue())


def test_what_may_not_be_shared_holds_them(whole: Seen) -> None:
    """Names, ids, paths, questions, gold and pixels are all in the private folder, and are found there."""
    private = private_folder(whole.outcome.folder)
    for name in ("identifiers.csv", "ids.csv", "drawn.csv", "instances.jsonl", "results.parquet", "store.sqlite"):
        assert Search(pixels=False).file(private / name), name
    pictures = [path for path in (private / "images").rglob("*") if path.is_file() and is_image(path.read_bytes())]
    assert len(pictures) == 9
    program("tesseract")
    assert all(len(read_pixels(path.read_bytes())) > 1 for path in pictures)


# --- runs -------------------------------------------------------------------------------------------------------------


def test_a_whole_run_shows_no_header(ward: Ward, whole: Seen) -> None:
    """Neither run folder, terminal, test report, log, caches nor a CI summary; what headers say is other or a group."""
    assert whole.outcome.status == 1, whole.outcome.out[-3_000:]
    assert all(path.exists() for path in (whole.junit, whole.cache, whole.step_summary, whole.log))
    assert whole.everywhere(Search()) == {}
    assert Search().folder(ward.cache) == {}
    found = whole.outcome.manifest["preflight"]
    assert (found["depth"], found["dicom_files"]) == ("full", 9)
    assert whole.outcome.manifest["known_values"]["hits"] == []
    rows = pq.read_table(whole.outcome.folder / "results.parquet").to_pylist()
    assert len({row["id"] for row in rows}) == 2 * len(PATIENTS)
    assert len({row["cluster"] for row in rows}) == len(PATIENTS)
    page = (whole.outcome.folder / "report.html").read_text("utf-8")
    assert all(tag in page for tag in ("modality", "body_part", "manufacturer", "other"))


def test_flips_on_a_frozen_list_show_no_header(ward: Ward, whole: Seen, tmp_path: Path, capsys: Capture) -> None:
    """The list holds nobody; what flipped is named by pseudonyms, and by the site's own names for the site alone."""
    frozen = tmp_path / "frozen.json"
    said(capsys, "freeze", "--data", str(ward.folder / "ward.jsonl"), "--out", str(frozen), "--since", "1800-01-01")
    assert Search().file(frozen) == set()
    with ScriptedServer(reply=lambda request: echo(request).text or "", model="later") as other:
        seen = ward.gate(
            *GATES, "-n", "0", "--baseline", str(whole.outcome.folder), "--frozen", str(frozen), model=other
        )
    assert seen.outcome.status in (0, 1)
    assert seen.everywhere(Search()) == {}
    assert seen.log.stat().st_size > 0  # workers would have emptied it
    assert "flips" in seen.outcome.out
    assert Search(pixels=False).file(private_folder(seen.outcome.folder) / "flips.csv")
    said(capsys, "compare", str(whole.outcome.folder), str(seen.outcome.folder))


@pytest.fixture
def strict(tmp_path: Path) -> Path:
    """A policy under which a run with many open verdicts is not completed."""
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY.replace("max_unjudged: 1.0", "max_unjudged: 0.1"))
    return policy


def test_a_server_that_gives_up_in_the_middle_shows_no_header(ward: Ward, strict: Path) -> None:
    """From its tenth call on it fails with messages that repeat the prompt: nothing is decided, nothing told."""
    calls = count(1)

    def failing(request: Request, attempt: int) -> Fault | None:
        return closing(request, attempt) if next(calls) >= 10 else None

    with ScriptedServer(reply=echo, faults=failing, model="failing") as model:
        seen = ward.gate("-n", "2", "--full-trace", model=model, policy=strict)
    not_completed(seen)


def test_a_server_that_dies_in_the_middle_shows_no_header(ward: Ward, strict: Path) -> None:
    """After some replies nobody listens any more at its address."""
    with ScriptedServer(reply=echo, latency=lambda _: 0.05, model="dying") as model:

        def end() -> None:
            while model.requests < 10:
                time.sleep(0.01)
            model.close()

        (killer := threading.Thread(target=end, daemon=True)).start()
        seen = ward.gate(*GATES, "-n", "0", "--concurrency", "4", "--full-trace", model=model, policy=strict)
        killer.join()
    not_completed(seen)


def not_completed(seen: Seen) -> None:
    """Check that there is no decision, and that only the private folder tells of anybody."""
    assert seen.outcome.status == 11
    assert seen.outcome.decision["decision"] is None
    assert seen.everywhere(Search()) == {}
    assert Search(pixels=False).folder(private_folder(seen.outcome.folder))


@pytest.mark.parametrize(
    ("where", "workers", "status", "says"),
    [
        ("header", "0", 3, "internal error: KeyError in datasets/dicom/rows.py:"),
        ("facts", "2", 4, "12 of 12 rows cannot be used"),
        ("engine", "2", 11, "internal error: ValueError in pipeline/evaluate.py:"),
    ],
)
def test_a_fault_of_ours_shows_no_header(ward: Ward, where: str, workers: str, status: int, says: str) -> None:
    """Its kind and its line are told, whatever it saw."""
    plugin = ward.rig.root / "suites" / "conftest.py"
    plugin.write_text(BREAKS[where])
    try:
        seen = ward.gate(*GATES, "--full-trace", "-n", workers)
    finally:
        plugin.unlink()
    assert seen.everywhere(Search()) == {}
    assert seen.outcome.status == status
    assert says in seen.outcome.out + seen.outcome.err


def test_a_killed_run_that_goes_on_shows_no_header(ward: Ward, tmp_path: Path, capsys: Capture) -> None:
    """What it leaves is in the private folder; resumed it completes, and after a purge nothing is left of anybody."""
    junit, run = tmp_path / "junit.xml", tmp_path / "run"
    with ScriptedServer(reply=echo, latency=lambda _: 0.2, model="slow") as model:
        words = ward.words(
            *(*GATES, "-n", "2", "--concurrency", "2", "--run-dir", str(run), "--model-revision", "1"),
            junit=junit,
            model=model,
        )
        started = ward.rig.start(*words, env=ward.env)
        while not started.over() and model.requests < 6:
            time.sleep(0.02)
        os.killpg(started.pid, signal.SIGKILL)
        killed = started.end()
        left = Search(pixels=False).folder(private_folder(run))
        assert killed.status == -signal.SIGKILL
        assert any(name.startswith("store.sqlite") for name in left)
        for outside in (run, ward.rig.root / "tmp"):
            assert Search().folder(outside) == {}
        seen = Seen(
            ward.rig.run(*words, env=ward.env), junit, tmp_path / "none", tmp_path / "none.md", tmp_path / "junit.log"
        )
    assert seen.outcome.status == 1
    assert seen.everywhere(Search()) == {}
    assert f"removed: {private_folder(run)}" in said(capsys, "purge", str(run), "--yes")
    assert Search().folder(tmp_path) == {}


def test_gold_from_reports_shows_no_header(ward: Ward, capsys: Capture) -> None:
    """Drafted, refused unsigned, signed in part by a reviewer with a name: no report, draft or name is told."""
    drafts, reviewer = ward.folder / "drafts.jsonl", f"Dr. {marked(279_000)}"

    def drafted(request: Request) -> str:
        seen = " ".join(request.text.replace("[", "(").replace("]", ")").split())[-400:]
        stages = ("[Visual Recognition]", "[Knowledge Recall]", "[Reasoning]", "[Answer]")
        return "\n".join(f"{stage}\nIt is told of {seen}" for stage in stages)

    with ScriptedServer(reply=drafted, model="drafter") as model:
        asked = ("--endpoint", model.base_url, "--model", "drafter", "--model-revision", "1")
        said(capsys, "draft-gold", str(drafts), *asked)
    sheet = drafts.with_suffix(".gold")
    assert {"review.html", "review.csv"} <= Search(pixels=False).folder(sheet).keys()
    refused = ward.gate("-n", "0", data=drafts)
    assert refused.outcome.status == 4
    assert "gold that nobody signed" in refused.outcome.err
    assert refused.everywhere(Search()) == {}
    with (sheet / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = [
            {**line, "decision": "approved" if number < 4 else ""} for number, line in enumerate(csv.DictReader(file))
        ]
    filled = sheet / "filled.csv"
    with filled.open("w", encoding="utf-8", newline="") as file:
        (writer := csv.DictWriter(file, lines[0])).writeheader()
        writer.writerows(lines)
    said(capsys, "sign-gold", str(drafts), str(filled), "--reviewer", reviewer)
    seen = ward.gate(*GATES, "-n", "2", "--allow-unsigned-gold", data=drafts)
    assert seen.outcome.status in (0, 1)
    assert seen.outcome.decision["gold"]["signed"] == 4
    assert seen.everywhere(Search()) == {}
    assert marked(279_000).casefold() in Search.text(
        (private_folder(seen.outcome.folder) / "signatures.csv").read_bytes()
    )


# --- commands ---------------------------------------------------------------------------------------------------------


def test_a_preflight_shows_no_header(ward: Ward, tmp_path: Path, capsys: Capture) -> None:
    """Names of attributes and numbers of files, printed and written; burned-in text is counted."""
    found = tmp_path / "found.json"
    kept = ("--kept", str(tmp_path / "kept"))
    program("tesseract")
    said(capsys, "preflight", str(ward.folder / "ward.jsonl"), "--ocr", "--out", str(found), *kept)
    assert Search().file(found) == set()
    assert '"PatientName": 9' in said(capsys, "preflight", str(ward.folder), "--full", "--json", *kept)
    assert Search().folder(tmp_path / "kept") == {}


def test_evidence_and_report_show_no_header(whole: Seen, tmp_path: Path, capsys: Capture) -> None:
    """The archive and what is said of it, the report's place and its print."""
    run, archive, printed = str(whole.outcome.folder), tmp_path / "evidence.zip", tmp_path / "report.pdf"
    said(capsys, "evidence", run, "--out", str(archive))
    assert Search().file(archive) == set()
    said(capsys, "verify", str(archive))
    said(capsys, "report", run)
    browser = program(*BROWSERS)
    said(capsys, "report", run, "--pdf", "--output", str(printed), "--browser", browser)
    text = "\n".join(page.extract_text() for page in PdfReader(printed).pages)
    assert "other" in text
    assert Search.text(text.encode()) | Search().file(printed) == set()


# --- whom a run speaks to ---------------------------------------------------------------------------------------------


def test_a_run_from_an_archive_and_a_look_at_it_speak_to_this_machine_alone(
    ward: Ward, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Studies are fetched, drawn in children, gated: every address is loopback, in any process, and no UID is told."""
    run, root, studies = tmp_path / "run", ward.rig.root, [list(study(place)) for place in range(len(PATIENTS))]
    data = write_uids(ward.folder, studies)
    (looks := tmp_path / "looks").mkdir()
    words = ward.words(*GATES, "-n", "0", "--run-dir", str(run), "--rootdir", str(root), junit=tmp_path / "junit.xml")
    proxy = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY"), "http://192.0.2.2:3128")
    with orthanc(tmp_path_factory.mktemp("archive")) as archive:
        archive.store(file for files in studies for file in files)
        look = ("-m", "clinhallu_gate.cli", "preflight", archive.spec(data), "--full")
        seen = spoken_to(looks, sys.executable, *look, env={**archive.credentials, **proxy})
        replaced = {str(ward.folder / "ward.jsonl"): archive.spec(data)}
        paths = [str(root / word) if word.startswith("suites/") else replaced.get(word, word) for word in words]
        env = {**ward.env, **archive.credentials, "HF_ENDPOINT": "http://192.0.2.1", **proxy}
        spoken = spoken_to(tmp_path, sys.executable, "-m", "pytest", *paths, env=env)
    assert "preflight (full): " in (looks / "said").read_text()
    assert {archive.port} <= {one.port for one in seen}
    assert elsewhere(seen) == []
    assert (run / "decision.json").exists(), (tmp_path / "said").read_text()[-3_000:]
    ports = {URL(server.base_url).port for server in (ward.model, ward.judge)}
    assert {*ports, archive.port} <= {one.port for one in spoken}
    assert elsewhere(spoken) == []
    assert (tmp_path / "junit.log").stat().st_size > 0
    assert Search(pixels=False).folder(private_folder(run) / "dicomweb")
    shutil.rmtree(private_folder(run))
    assert Search().folder(tmp_path) == {}
