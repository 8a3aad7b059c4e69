"""Phantoms as DICOM in a real Orthanc, gated from there on real vLLM, against the same phantoms from PNG files."""

import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from judge_replay import JudgeReplay
from orthanc import Orthanc, orthanc
from pydicom import dcmread
from vllm_run import Ended, run_gate

from clinhallu_gate._scripted.phantom_dicom import (
    SYNTAXES,
    phantom_studies,
    png_rows,
    uid_rows,
    write_manifest,
    write_pngs,
)
from clinhallu_gate.private import private_folder
from clinhallu_gate.pseudonym import SITE_KEY
from clinhallu_gate.testing import ScriptedServer

pytestmark = pytest.mark.vllm
STUDIES = phantom_studies()
INSTANCES = 72
TRACES = 3 * INSTANCES
"""In the arms that the gates need."""
POLICY = """
schema_version: 1
target: population
max_unjudged: 0.1
judge: {probes: 48, min_sensitivity: 0.5, min_specificity: 0.5}
gates:
  - {metric: visual_hallucination_rate, max: 0.3}
  - {metric: knowledge_hallucination_rate, max: 0.4}
  - {metric: reasoning_hallucination_rate, max: 0.4}
  - {metric: answer_accuracy, min: 0.5}
  - {metric: answer_accuracy, max_drop: 0.05, baseline: if_given}
  - {metric: visual_hallucination_rate, max_drop: 0.05, baseline: if_given}
  - {metric: visual_hallucination_rate, scope: each, max: 0.6, severity: advisory}
  - {metric: recovery, arm: replace_vr, min: 0.0, severity: advisory}
"""


@dataclass(frozen=True)
class Site:
    """A clinic: its archive, its files, and a judge that knows every phantom."""

    folder: Path
    clinic: Orthanc
    judge: ScriptedServer

    def gate(self, model: str, name: str, data: str, *more: str) -> Ended:
        """Gate a model on data of this site."""
        judge = ("--judge", self.judge.model, "--judge-endpoint", self.judge.base_url, "--judge-revision", "1")
        cache = ("--private-cache", str(self.folder / "cache"))
        policy = ("--thresholds", str(self.folder / "policy.yaml"))
        return run_gate(
            model, self.folder / name, self.folder / "unused.sqlite", "--data", data, *judge, *cache, *policy, *more
        )

    @property
    def archived(self) -> str:
        """Return the data as the archive has them."""
        return self.clinic.spec(self.folder / "pacs" / "phantoms.jsonl")

    @property
    def exported(self) -> str:
        """Return the data as PNG files."""
        return str(self.folder / "png" / "phantoms.jsonl")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Orthanc with the phantoms in it, PNG files of the same, and no row that says it is of no patient."""
    folder = tmp_path_factory.mktemp("site")
    (folder / "policy.yaml").write_text(POLICY)
    write_manifest(folder / "pacs" / "phantoms.jsonl", uid_rows(STUDIES))
    write_pngs(folder / "png", STUDIES)
    write_manifest(folder / "png" / "phantoms.jsonl", png_rows(STUDIES))
    with (
        orthanc(folder / "orthanc") as clinic,
        ScriptedServer(reply=JudgeReplay(), model="judge") as judge,
        pytest.MonkeyPatch.context() as environment,
    ):
        clinic.store(file for study in STUDIES for file in study.files)
        for name, value in {**clinic.credentials, SITE_KEY: str(folder / "site.key")}.items():
            environment.setenv(name, value)
        yield Site(folder, clinic, judge)


@dataclass(frozen=True)
class Pair:
    """The release in use, and its successor held against it."""

    used: Ended
    successor: Ended


@dataclass(frozen=True)
class Archived(Pair):
    """Both, and how often the archive was asked for them."""

    by_used: int
    by_successor: int


@pytest.fixture(scope="module")
def archived(site: Site) -> Archived:
    """Both, from the archive."""
    before = site.clinic.asked
    used = site.gate("phantom-vlm-early", "used", site.archived)
    between = site.clinic.asked
    successor = site.gate("phantom-vlm", "successor", site.archived, "--baseline", str(used.run_dir))
    return Archived(used, successor, between - before, site.clinic.asked - between)


@pytest.fixture(scope="module")
def exported(site: Site, archived: Pair) -> Pair:
    """Both, from PNG files, with the replies of the other runs at hand: what was asked before need not be asked."""
    for run in (archived.used, archived.successor):
        _lend_replies(run.run_dir, site.folder / f"png-{run.run_dir.name}")
    used = site.gate("phantom-vlm-early", "png-used", site.exported)
    return Pair(used, site.gate("phantom-vlm", "png-successor", site.exported, "--baseline", str(used.run_dir)))


def _lend_replies(ran: Path, to_run: Path) -> None:
    private_folder(to_run).mkdir(mode=0o700)
    shutil.copy(private_folder(ran) / "store.sqlite", private_folder(to_run))


def _calls(ended: Ended) -> Mapping[str, int]:
    found: Mapping[str, int] = ended.manifest["calls"]
    return found


def _gates(ended: Ended) -> dict[str, Any]:
    return {gate["id"]: gate for gate in ended.decision["gates"]}


def test_phantoms_are_gated_from_the_archive(site: Site, archived: Pair) -> None:
    """Every instance is asked and judged, and the successor is better than the release in use."""
    for ended in (archived.used, archived.successor):
        assert ended.status in (0, 1, 10), ended.output[-3000:]
        assert _calls(ended)["made"] + _calls(ended)["from_store"] == TRACES
        assert ended.decision["datasets"][0]["instances"] == INSTANCES
        gates = [gate for gate in ended.decision["gates"] if gate["decision"] != "not_applicable"]
        assert all(gate["estimate"] is not None for gate in gates)
    assert len(archived.successor.decision["gates"]) == len(gates)
    files = sorted((site.folder / "cache" / "dicomweb" / "files").rglob("*.dcm"))
    assert len(files) == sum(len(study.files) for study in STUDIES)
    assert {dcmread(file).file_meta.TransferSyntaxUID for file in files} == set(SYNTAXES)
    assert archived.used.decision["decision"] == "FAIL"
    drop = _gates(archived.successor)["visual_hallucination_rate-drop[mean]"]
    assert drop["decision"] == "PASS"
    assert drop["flips"]["better"] > drop["flips"]["worse"]


def test_the_archive_is_asked_once(archived: Archived) -> None:
    """The second run took every study from the private cache: Orthanc counts no request of it, not even for a list."""
    assert archived.by_used >= len(STUDIES)
    assert archived.by_successor == 0


def test_png_files_of_the_same_phantoms_ask_the_same(exported: Pair) -> None:
    """Byte by byte, images included: every reply was there, so no server was started."""
    for ended in (exported.used, exported.successor):
        assert _calls(ended)["made"] == 0, ended.output[-3000:]
        assert _calls(ended)["from_store"] == TRACES


def test_the_decision_is_that_of_the_png_files(archived: Pair, exported: Pair) -> None:
    """Gate by gate: estimate, interval, flips against the baseline, decision; and every single verdict."""
    for ours, theirs in ((archived.used, exported.used), (archived.successor, exported.successor)):
        assert ours.status == theirs.status
        assert ours.decision["decision"] == theirs.decision["decision"]
        assert ours.decision["gates"] == theirs.decision["gates"]
        assert ours.decision["failure_budget"] == theirs.decision["failure_budget"]
        assert ours.outcomes == theirs.outcomes


def test_no_patient_of_a_header_is_in_what_may_be_shared(archived: Pair) -> None:
    """Names, record and accession numbers, dates of birth: neither in a file of the run nor on the terminal."""
    secrets = {secret for study in STUDIES for secret in study.patient.secrets}
    for ended in (archived.used, archived.successor):
        shared = [path.read_bytes().decode("latin-1") for path in ended.run_dir.rglob("*") if path.is_file()]
        assert not [secret for secret in secrets for text in (*shared, ended.output) if secret in text]
