"""Packing: what belongs to the evidence, always in the same bytes, and what is refused."""

import hashlib
import json
import os
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from clinhallu_gate.errors import BadInput
from clinhallu_gate.evidence import pack, verify
from clinhallu_gate.evidence.statement import PREDICATE_TYPE

NAMES = [
    *("SHA256SUMS", "decision.json", "instances.jsonl", "manifest.json", "report.html", "report_assets/film 1.png"),
    *("results.parquet", "statement.json", "summary.md", "thresholds/board.yaml", "traces.parquet"),
]


def test_what_is_packed(run: Path, tmp_path: Path) -> None:
    """The run's files and its policy, sorted; neither logs nor the store. Any tool unpacks and checks it."""
    packed = pack(run)
    assert packed.file == run / "evidence.zip"
    assert packed.sha256 == hashlib.sha256(packed.file.read_bytes()).hexdigest()
    assert packed.line.startswith(f"{run}/evidence.zip: 9 files, SHA-256 {packed.sha256}. It holds the texts")
    with zipfile.ZipFile(packed.file) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == NAMES
        archive.extractall(tmp_path / "unpacked")
    for name in ("results.parquet", "report_assets/film 1.png"):
        assert (tmp_path / "unpacked" / name).read_bytes() == (run / name).read_bytes()
    checked = subprocess.run(
        ["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "unpacked", capture_output=True, text=True, check=True
    )
    assert checked.stdout.count(": OK") == len(NAMES) - 1


def test_only_its_owner_may_read_it(run: Path) -> None:
    """Whatever the data are: a run folder does not say whether they are of patients."""
    assert pack(run).file.stat().st_mode & 0o777 == 0o600


def test_the_same_run_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    """Times, modes, the order of the folder and its place leave no trace."""
    first = pack(run, tmp_path / "first.zip").file.read_bytes()
    copy = tmp_path / "elsewhere" / "copy"
    shutil.copytree(run, copy)
    for number, file in enumerate(copy.rglob("*")):
        os.utime(file, (number, number))
    (copy / "report.html").chmod(0o600)
    moved = (tmp_path / "thresholds/board.yaml").rename(tmp_path / "other.yaml")
    assert pack(copy, tmp_path / "second.zip", thresholds=moved).file.read_bytes() == first


def test_the_statement(run: Path) -> None:
    """It is an in-toto Statement v1: subjects, materials, what was decided, and by what command and versions."""
    with zipfile.ZipFile(pack(run).file) as archive:
        stated = json.loads(archive.read("statement.json"))
    assert list(stated) == ["_type", "subject", "predicateType", "predicate"]
    assert stated["_type"] == "https://in-toto.io/Statement/v1"
    assert stated["predicateType"] == PREDICATE_TYPE
    subjects = {one["name"]: one["digest"] for one in stated["subject"]}
    assert list(subjects) == [name for name in NAMES if name not in ("SHA256SUMS", "statement.json")]
    assert subjects["summary.md"] == {"sha256": hashlib.sha256((run / "summary.md").read_bytes()).hexdigest()}
    predicate = stated["predicate"]
    assert predicate["evaluation"]["decision"] == "PASS"
    assert predicate["evaluation"]["datasets"] == [
        {"name": "films", "sha256": "d" * 64, "instances": 12, "leftOut": 0},
    ]
    materials = {one["name"]: one for one in predicate["buildDefinition"]["resolvedDependencies"]}
    policy = predicate["evaluation"]["thresholds"]["sha256"]
    assert {name: one["digest"]["sha256"] for name, one in materials.items()} == {
        "model:my-model": "e" * 64,
        "judge:my-judge": "a" * 64,
        "protocol:standard": "b" * 64,
        "thresholds:thresholds/board.yaml": policy,
        "dataset:films": "d" * 64,
    }
    assert materials["judge:my-judge"]["annotations"] == {"revision": "f" * 40}
    assert predicate["buildDefinition"]["externalParameters"] == {"command": "pytest suites/ --model my-model"}
    assert predicate["runDetails"] == {
        "builder": {"version": {"clinhallu-gate": "0.1.0"}},
        "metadata": {"startedOn": "2026-11-23T02:46:35Z", "finishedOn": "2026-11-23T02:47:59Z"},
    }


def test_a_run_without_report_assets(run: Path) -> None:
    """Small runs have none."""
    shutil.rmtree(run / "report_assets")
    manifest = json.loads((run / "manifest.json").read_text())
    del manifest["files"]["report_assets"]
    (run / "manifest.json").write_text(json.dumps(manifest))
    assert pack(run).files == 8


# --- refusals ---------------------------------------------------------------------------------------------------------


def test_a_policy_that_was_changed(run: Path, tmp_path: Path) -> None:
    """Evidence holds the policy that decided, or there is none; nothing is left behind."""
    policy = tmp_path / "thresholds/board.yaml"
    policy.write_text("schema_version: 1\n")
    with pytest.raises(BadInput, match=r"^thresholds/board.yaml: is another file now, SHA-256 \w{64}; .*/run was dec"):
        pack(run)
    policy.unlink()
    with pytest.raises(BadInput, match=r"^thresholds/board.yaml: cannot be read: No such file or directory; .* --thre"):
        pack(run)
    assert not (run / "evidence.zip").exists()


@pytest.mark.parametrize("name", ["decision.json", "manifest.json", "results.parquet", "report.html", "summary.md"])
def test_a_folder_that_lacks_a_file(run: Path, name: str) -> None:
    """It says which."""
    (run / name).unlink()
    with pytest.raises(BadInput, match=rf"is not the folder of a finished run \(it has no {name}\)"):
        pack(run)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema_version": 2}', "[" * 100_000])
@pytest.mark.parametrize("name", ["decision.json", "manifest.json"])
def test_files_that_cannot_be_read(run: Path, name: str, content: str) -> None:
    """One line that names the file."""
    (run / name).write_text(content)
    with pytest.raises(BadInput, match=rf"/run(/{name}: | is not of one run|: is not of one run)") as caught:
        pack(run)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model", {"digest": "9" * 64}, "model.digest"),
        ("judge", {"name": "oracle"}, "judge.model.digest: None found"),
        ("protocol", {"sha256": "9" * 64}, "protocol.sha256"),
        ("thresholds", None, "thresholds.sha256: None found"),
        ("datasets", [], "datasets.sha256"),
    ],
)
def test_a_manifest_of_another_run(run: Path, key: str, value: object, said: str) -> None:
    """Files of two runs are no evidence of one."""
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({**manifest, key: value}))
    with pytest.raises(BadInput, match=rf"is not of one run: manifest.json: {said}"):
        pack(run)


def test_links_are_not_followed(run: Path, tmp_path: Path) -> None:
    """Neither a file nor a folder that lies elsewhere becomes evidence."""
    (tmp_path / "private").mkdir()
    (run / "report_assets/link.png").symlink_to(tmp_path / "private")
    with pytest.raises(BadInput, match=r"link.png: is a link"):
        pack(run)
    shutil.rmtree(run / "report_assets")
    (run / "report_assets").symlink_to(tmp_path / "private")
    with pytest.raises(BadInput, match=r"report_assets: is a link"):
        pack(run)


@pytest.mark.parametrize("name", ["a\nb.png", "a\\b.png", "a\u202eb.png"])
def test_names_that_cannot_be_packed(run: Path, name: str) -> None:
    """They would not be what they look like, or break the list of digests."""
    (run / "report_assets" / name).touch()
    with pytest.raises(BadInput, match="so it cannot be packed"):
        pack(run)


def test_it_is_not_overwritten(run: Path, tmp_path: Path) -> None:
    """Nor written where nothing can be; and what was there stays."""
    before = pack(run).file.read_bytes()
    with pytest.raises(BadInput, match=r"--out: .*evidence.zip is there already; name another file"):
        pack(run)
    assert (run / "evidence.zip").read_bytes() == before
    with pytest.raises(BadInput, match=r"--out: .* cannot be written: No such file or directory"):
        pack(run, tmp_path / "no/such/folder.zip")


def test_a_run_that_changes_meanwhile(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was packed is verified, and removed if it does not hold."""

    def late(file: Path) -> object:
        content = file.read_bytes()
        file.write_bytes(content.replace(b"the content of summary.md", b"the content of summary,md"))
        return verify(file)

    monkeypatch.setattr("clinhallu_gate.evidence.packing.verify", late)
    with pytest.raises(BadInput, match=r"was changed while it was packed \(.*summary.md: SHA-256"):
        pack(run)
    assert not (run / "evidence.zip").exists()


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda run: (run / "report.html").write_text("RELEASED"), "report.html"),
        (lambda run: (run / "summary.md").write_text("RELEASED"), "summary.md"),
        (lambda run: (run / "results.parquet").write_text("other verdicts"), "results.parquet"),
        (lambda run: shutil.rmtree(run / "report_assets"), "report_assets"),
        (lambda run: (run / "report_assets/film 1.png").unlink(), "report_assets"),
        (lambda run: (run / "report_assets/film 2.png").touch(), "report_assets"),
        (lambda run: (run / "report_assets/film 1.png").write_bytes(b"another"), "report_assets"),
    ],
)
def test_files_of_another_run(run: Path, change: Callable[[Path], object], named: str) -> None:
    """A page, a summary or a picture that the run did not leave is no evidence of it; nor is a folder without one."""
    change(run)
    with pytest.raises(BadInput, match=rf"is not of one run: {named}: SHA-256: .* expected, as manifest.json says"):
        pack(run)
    assert not (run / "evidence.zip").exists()


def test_a_manifest_that_names_no_files(run: Path) -> None:
    """Then nothing tells whose report it is."""
    manifest = json.loads((run / "manifest.json").read_text())
    (run / "manifest.json").write_text(json.dumps({name: value for name, value in manifest.items() if name != "files"}))
    with pytest.raises(BadInput, match=r"manifest.json: files: does not say which files the run left"):
        pack(run)
