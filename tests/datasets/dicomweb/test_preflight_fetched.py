"""``clinhallu-gate preflight`` of what a DICOMweb server has: fetched, looked at as files are, and not left behind."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hostile import TwistedArchive
from orthanc import Orthanc

from clinhallu_gate._scripted.phantom_dicom import PhantomStudy, file_rows, uid_rows, write_files, write_manifest
from clinhallu_gate.cli import main
from clinhallu_gate.datasets.load import DataOptions, load_data
from clinhallu_gate.deidentification.kept import FILE
from clinhallu_gate.private import private_folder

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder of the test's own: results of slow looks are kept there."""
    folder = tmp_path / "here"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def let_in(clinic: Orthanc, monkeypatch: pytest.MonkeyPatch) -> Orthanc:
    """A real archive; the environment says who asks."""
    for name, value in clinic.credentials.items():
        monkeypatch.setenv(name, value)
    return clinic


def beside(studies: Sequence[PhantomStudy], folder: Path) -> Path:
    """Write the studies as files with a manifest that names them."""
    write_files(folder, studies)
    return write_manifest(folder / "ward.jsonl", file_rows(studies))


def uids(studies: Sequence[PhantomStudy], folder: Path, *rows: dict[str, Any]) -> Path:
    """Write a manifest of UIDs."""
    return write_manifest(folder / "ward" / "ward.jsonl", [*uid_rows(studies), *rows])


def found(capsys: Capture, *words: str) -> dict[str, Any]:
    """Return what a preflight writes as JSON."""
    assert main(["preflight", *words, "--json"]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


@pytest.mark.parametrize("depth", [(), ("--full",)], ids=["headers", "full"])
def test_a_real_archive_says_the_same_as_files(
    let_in: Orthanc, studies: tuple[PhantomStudy, ...], tmp_path: Path, capsys: Capture, depth: tuple[str, ...]
) -> None:
    """Of the studies that the rows name, and of no other in the archive; nothing that was fetched is left."""
    some = studies[::3]
    manifest = uids(some, tmp_path)
    told = found(capsys, let_in.spec(manifest), *depth)
    assert told == found(capsys, str(beside(some, tmp_path / "files")), *depth)
    assert told["dicom_files"] == sum(len(study.files) for study in some)
    assert told["attributes"]["PatientName"] == told["dicom_files"]
    assert list(manifest.parent.iterdir()) == [manifest]


def test_what_was_fetched_is_kept_where_it_is_wanted(archive: TwistedArchive, tmp_path: Path, capsys: Capture) -> None:
    """A run with the same cache asks for nothing again; what lies there of others is not looked at."""
    manifest, cache = uids(archive.studies, tmp_path), tmp_path / "cache"
    spec = f"dicomweb+{archive.url}#{manifest}"
    every = found(capsys, spec, "--full", "--private-cache", str(cache))["dicom_files"]
    assert every == sum(len(study.files) for study in archive.studies)
    assert (cache / FILE).exists()
    assert not private_folder(manifest).exists()
    asked = len(archive.asked)
    (dataset,) = load_data([spec], DataOptions(private_cache=cache))
    assert len(dataset.files) == every
    one = write_manifest(tmp_path / "one.jsonl", uid_rows(archive.studies[:1]))
    alone = found(capsys, f"dicomweb+{archive.url}#{one}", "--private-cache", str(cache))
    assert alone["dicom_files"] == len(archive.studies[0].files) < every
    assert len(archive.asked) == asked


def test_files_and_servers_are_looked_at_together(archive: TwistedArchive, tmp_path: Path, capsys: Capture) -> None:
    """Each file once, also if two manifests name it or the same server is named twice."""
    files = beside(archive.studies, tmp_path / "files")
    spec = f"dicomweb+{archive.url}#{uids(archive.studies, tmp_path)}"
    other = f"dicomweb+{archive.url}/#{write_manifest(tmp_path / 'other.jsonl', uid_rows(archive.studies))}"
    every = sum(len(study.files) for study in archive.studies)
    assert found(capsys, spec, str(files), other, spec)["dicom_files"] == 2 * every


def test_what_a_killed_look_left_is_gone_on_from(archive: TwistedArchive, tmp_path: Path, capsys: Capture) -> None:
    """The folder beside the manifest is taken and removed, by the same command or by ``purge``."""
    manifest = uids(archive.studies, tmp_path)
    left, spec = private_folder(manifest), f"dicomweb+{archive.url}#{manifest}"
    load_data([spec], DataOptions(private_cache=left))
    asked = len(archive.asked)
    left.chmod(0o700)
    found(capsys, spec)
    assert len(archive.asked) == asked
    assert not left.exists()
    load_data([spec], DataOptions(private_cache=left))
    assert main(["purge", str(manifest), "--yes"]) == 0
    assert not left.exists()


def test_rows_that_cannot_be_used_are_refused(archive: TwistedArchive, tmp_path: Path, capsys: Capture) -> None:
    """As by a run: what is not fetched cannot be looked at; every row is named, no value is told, nothing is left."""
    plain = uid_rows(archive.studies)[0]
    rows = (
        {**plain, "id": "Mustermann", "question": " "},
        {**plain, "id": "away", "study_uid": "1.2.777"},
        {**plain, "id": "file", "images": ["Mustermann.dcm"]},
        {**plain, "id": "odd", "study_uid": "Mustermann"},
    )
    manifest = uids(archive.studies, tmp_path, *rows)
    first = len(uid_rows(archive.studies)) + 1
    assert main(["preflight", f"dicomweb+{archive.url}#{manifest}"]) == 4
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"clinhallu-gate: 4 of {first + 3} rows cannot be used\n{manifest}:{first}: question")
    assert f"{manifest}:{first + 1}: study_uid: the server has no such study" in said.err
    assert f"{manifest}:{first + 2}: images: is given, and a manifest of a DICOMweb server names UIDs" in said.err
    assert f"{manifest}:{first + 3}: study_uid: (not shown) is no DICOM UID" in said.err
    assert "Muster" not in said.err
    assert "1.2.777" not in said.err
    assert list(manifest.parent.iterdir()) == [manifest]


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("dicomweb+https://pacs.example/rs#{manifest}", "https://pacs.example is not this machine"),
        ("dicomweb+http://127.0.0.1:1/rs#{manifest}", "http://127.0.0.1:1/rs: the DICOMweb server cannot be reached"),
        ("dicomweb+http://gate:s3cret@127.0.0.1:1/rs#{manifest}", "dicomweb+...: no user or password belongs in the"),
        ("dicomweb+http://127.0.0.1:1/rs", "dicomweb+http://127.0.0.1:1/rs: names no manifest behind '#'"),
        ("dicomweb+http://127.0.0.1:1/rs#missing.csv", "missing.csv: does not exist"),
        ("dicomweb+http://127.0.0.1:1/rs#{empty}", "{empty}: holds no row."),
    ],
)
def test_a_server_that_cannot_be_asked_is_one_line(spec: str, said: str, tmp_path: Path, capsys: Capture) -> None:
    """In the words of this command, without a password, and nothing is left."""
    manifest = write_manifest(tmp_path / "ward" / "ward.jsonl", [{"id": "1", "question": "q?", "answer": "no"}])
    manifest.write_text(
        json.dumps({"id": "1", "question": "q?", "answer": "no", "question_type": "yes_no", "study_uid": "1.2.777"})
    )
    names = {"manifest": manifest, "empty": write_manifest(tmp_path / "ward" / "empty.jsonl", [])}
    assert main(["preflight", spec.format(**names)]) == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"clinhallu-gate: {said.format(**names)}")
    assert "s3cret" not in line
    assert "1.2.777" not in line
    assert {path.name for path in manifest.parent.iterdir()} == {"ward.jsonl", "empty.jsonl"}


def test_a_pattern_is_no_host(tmp_path: Path, capsys: Capture) -> None:
    """Also where no server is named that it would be for."""
    assert main(["preflight", str(tmp_path), "--allow-host", "*"]) == 4
    assert "'*' is no host" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "option"),
    [
        (("--private-cache", "cache"), "--private-cache"),
        (("--allow-host", "pacs.example"), "--allow-host"),
        (("--private-cache", "cache", "--full", "--allow-host", "pacs.example"), "--allow-host"),
    ],
)
def test_options_of_a_server_need_one(
    words: tuple[str, ...], option: str, here: Path, studies: tuple[PhantomStudy, ...], capsys: Capture
) -> None:
    """Else somebody thinks that one was asked; ``--full`` keeps what it finds in the cache, so that it may be named."""
    files = beside(studies[:1], here / "files")
    assert main(["preflight", str(files), *words]) == 4
    assert capsys.readouterr().err == (
        f"clinhallu-gate: {option}: is for studies of a DICOMweb server, and none is named. Name it as "
        "'dicomweb+http://HOST:PORT/PATH#MANIFEST'.\n"
    )
    assert not (here / "cache").exists()
    found(capsys, str(files), "--full", "--private-cache", "cache")
    assert (here / "cache" / FILE).exists()


def test_a_cache_that_others_may_enter_is_refused(archive: TwistedArchive, tmp_path: Path, capsys: Capture) -> None:
    """Before anything is asked."""
    cache = tmp_path / "cache"
    cache.mkdir(mode=0o755)
    spec = f"dicomweb+{archive.url}#{uids(archive.studies, tmp_path)}"
    assert main(["preflight", spec, "--private-cache", str(cache)]) == 4
    assert "--private-cache: " in capsys.readouterr().err
    assert archive.asked == []
    assert list(cache.iterdir()) == []
