"""Verifying: any changed byte is found, any story that does not fit, and no archive harms who opens it."""

import hashlib
import json
import os
import random
import stat
import struct
import warnings
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinhallu_gate.errors import BadInput, DoesNotHold, GateError
from clinhallu_gate.evidence import pack, verify
from clinhallu_gate.evidence.container import Member, checksum, written
from clinhallu_gate.evidence.contents import told
from clinhallu_gate.evidence.statement import statement, statement_bytes, sums


@pytest.fixture
def archive(run: Path, tmp_path: Path) -> Path:
    """Evidence that holds."""
    return pack(run, tmp_path / "evidence.zip").file


def _contents(archive: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(archive) as opened:
        return {name: opened.read(name) for name in opened.namelist()}


def _packed(archive: Path, contents: Mapping[str, bytes]) -> Path:
    """Write contents in the form in which evidence is packed."""
    members = [
        Member(name, len(content), checksum([content]), lambda content=content: iter([content]))  # type: ignore[misc]
        for name, content in contents.items()
    ]
    archive.write_bytes(b"".join(written(members)))
    return archive


def _listed(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the contents with a list of digests that fits them."""
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in contents.items() if name != "SHA256SUMS"}
    return {**contents, "SHA256SUMS": sums(digests)}


def _stated(contents: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the contents with a statement and a list that fit them, as packing them would have given."""
    of_run = {name: content for name, content in contents.items() if name not in ("statement.json", "SHA256SUMS")}
    digests = {name: hashlib.sha256(content).hexdigest() for name, content in of_run.items()}
    said = statement(told(contents["decision.json"], contents["manifest.json"]), digests)
    return dict(sorted(_listed({**of_run, "statement.json": statement_bytes(said)}).items()))


def test_evidence_that_holds(archive: Path) -> None:
    """One line says what it is of."""
    assert verify(archive).line == "verified: my-model, PASS, 12 instances, 9 files"


# --- any changed byte -------------------------------------------------------------------------------------------------


def test_any_changed_byte_is_found(archive: Path) -> None:
    """Each byte of the heads, the directory and the end, and a sample of the others, changed in one bit or wholly."""
    content, drawn = archive.read_bytes(), random.Random(20261123)
    directory = content.index(b"PK\x01\x02")
    heads = [at + i for at in range(directory) if content[at : at + 4] == b"PK\x03\x04" for i in range(30)]
    offsets = {*heads, *range(directory, len(content)), *drawn.sample(range(directory), 800)}
    assert len(offsets) > 1500
    for offset in sorted(offsets):
        changed = bytearray(content)
        changed[offset] ^= drawn.choice([1, 2, 4, 8, 16, 32, 64, 128, 255])
        archive.write_bytes(changed)
        with pytest.raises(GateError):
            verify(archive)


@pytest.mark.parametrize(
    "change", [lambda b: b[:-1], lambda b: b + b"\0", lambda b: b"\0" + b, lambda b: b[: len(b) // 2]]
)
def test_bytes_cut_off_or_added(archive: Path, change: Callable[[bytes], bytes]) -> None:
    """At either end."""
    archive.write_bytes(change(archive.read_bytes()))
    with pytest.raises(GateError):
        verify(archive)


def test_the_same_files_in_another_form(archive: Path) -> None:
    """Repacked by another tool, with the same content: its times and modes are none of ours."""
    contents = _contents(archive)
    with zipfile.ZipFile(archive, "w") as again:
        for name, content in contents.items():
            again.writestr(name, content)
    with pytest.raises(DoesNotHold, match=r"does not hold: byte \d+ of the archive is not as it is packed"):
        verify(archive)


def test_something_hidden_between_members(archive: Path) -> None:
    """Bytes that no member names."""
    content = archive.read_bytes()
    at = content.index(b"PK\x01\x02")
    end = struct.pack("<L", at + 6)
    archive.write_bytes(content[:at] + b"hidden" + content[at:-6] + end + content[-2:])
    with pytest.raises(DoesNotHold, match=rf"byte {at} of the archive"):
        verify(archive)


# --- contents ---------------------------------------------------------------------------------------------------------


def test_a_changed_file_is_named(archive: Path) -> None:
    """With the digest that was expected, though the archive is well-formed."""
    contents = _contents(archive)
    expected = hashlib.sha256(contents["summary.md"]).hexdigest()
    _packed(archive, {**contents, "summary.md": b"released"})
    with pytest.raises(
        DoesNotHold, match=rf"does not hold: summary.md: SHA-256 \w{{64}} found, {expected} expected\.$"
    ):
        verify(archive)


@pytest.mark.parametrize("name", ["report.html", "statement.json", "SHA256SUMS", "report_assets/film 1.png"])
def test_a_missing_file_is_named(archive: Path, name: str) -> None:
    """Whether every run has it or the list says so."""
    contents = _contents(archive)
    _packed(archive, {key: value for key, value in contents.items() if key != name})
    with pytest.raises(DoesNotHold, match=rf"does not hold: {name}: is missing"):
        verify(archive)


def test_an_added_file_is_named(archive: Path) -> None:
    """Whether the list says so, too, or not."""
    contents = {**_contents(archive), "note.txt": b"looks good"}
    _packed(archive, contents)
    with pytest.raises(DoesNotHold, match=r"note.txt: was added, SHA256SUMS does not list it"):
        verify(archive)
    _packed(archive, _listed(contents))
    with pytest.raises(DoesNotHold, match=r"note.txt: is no evidence of a run"):
        verify(archive)


def test_a_statement_that_tells_otherwise(archive: Path) -> None:
    """Each fact of it is held against the files."""
    contents = _contents(archive)
    stated = json.loads(contents["statement.json"])
    stated["predicate"]["evaluation"]["decision"] = "FAIL"
    _packed(archive, _listed({**contents, "statement.json": (json.dumps(stated, indent=2) + "\n").encode()}))
    said = r"statement.json: predicate.evaluation.decision: 'FAIL' found, 'PASS' expected\.$"
    with pytest.raises(DoesNotHold, match=said):
        verify(archive)


def test_a_subject_that_is_left_out(archive: Path) -> None:
    """The statement and the list name the same files."""
    contents = _contents(archive)
    stated = json.loads(contents["statement.json"])
    del stated["subject"][-1]
    _packed(archive, _listed({**contents, "statement.json": json.dumps(stated).encode()}))
    with pytest.raises(DoesNotHold, match=r"statement.json: subject: "):
        verify(archive)


def test_a_statement_in_other_words(archive: Path) -> None:
    """The same content in other bytes is not what was packed."""
    contents = _contents(archive)
    stated = json.dumps(json.loads(contents["statement.json"])).encode()
    _packed(archive, _listed({**contents, "statement.json": stated}))
    with pytest.raises(DoesNotHold, match=r"statement.json: is not written as it is packed"):
        verify(archive)


def test_another_policy(archive: Path) -> None:
    """A policy that did not decide, listed or not."""
    contents = _contents(archive)
    _packed(archive, _listed({**contents, "thresholds/board.yaml": b"schema_version: 1\ngates: [ ]\n"}))
    with pytest.raises(
        DoesNotHold, match=r"thresholds/board.yaml: SHA-256: \w{64} found, \w{64} expected, as decision"
    ):
        verify(archive)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"report_assets/film 1.png": None}, "report_assets"),
        ({"report_assets/film 1.png": b"another"}, "report_assets"),
        ({"report_assets/film 2.png": b"one more"}, "report_assets"),
        ({"report.html": b"the page of another run"}, "report.html"),
        ({"summary.md": b"RELEASED"}, "summary.md"),
    ],
)
def test_files_of_another_run(archive: Path, changed: Mapping[str, bytes | None], named: str) -> None:
    """Statement and list may fit them: the run did not leave them."""
    contents = _contents(archive)
    assert _stated(contents) == contents
    forged = {name: content for name, content in {**contents, **changed}.items() if content is not None}
    _packed(archive, _stated(forged))
    with pytest.raises(DoesNotHold, match=rf"does not hold: {named}: SHA-256: .* expected, as manifest.json says\.$"):
        verify(archive)


@pytest.mark.parametrize("name", ["decision.json", "manifest.json", "statement.json"])
@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff", b"[" * 100_000, b'{"schema_version": 9}'])
def test_a_file_that_is_none(archive: Path, name: str, content: bytes) -> None:
    """One line, whatever it holds."""
    _packed(archive, _listed({**_contents(archive), name: content}))
    with pytest.raises(DoesNotHold, match=rf"does not hold: {name}: ") as caught:
        verify(archive)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("lines", [b"nonsense\n", b"0" * 64 + b"  a\n" + b"1" * 64 + b"  a\n", b"\xff\n"])
def test_a_list_that_is_none(archive: Path, lines: bytes) -> None:
    """It names the line."""
    _packed(archive, {**_contents(archive), "SHA256SUMS": lines})
    with pytest.raises(DoesNotHold, match=r"SHA256SUMS: line [12] is no digest and name of a file"):
        verify(archive)


def test_many_faults_are_counted(archive: Path) -> None:
    """The line stays a line, and hidden signs in names are shown."""
    contents = _contents(archive)
    more = "".join(f"{'0' * 64}  extra\u202e{number}\n" for number in range(9))
    _packed(archive, {**contents, "SHA256SUMS": contents["SHA256SUMS"] + more.encode()})
    with pytest.raises(DoesNotHold, match=r"extra\\u202e0: is missing.*; and 4 more\.$"):
        verify(archive)


def test_a_run_without_a_decision(run: Path, tmp_path: Path) -> None:
    """It is evidence, too, and says so."""
    document = json.loads((run / "decision.json").read_text())
    (run / "decision.json").write_text(json.dumps({**document, "decision": None, "exit_status": 11}))
    packed = pack(run, tmp_path / "evidence.zip")
    assert verify(packed.file).line == "verified: my-model, no decision (exit status 11), 12 instances, 9 files"


# --- what cannot be read ----------------------------------------------------------------------------------------------


def _zipped(path: Path, *members: tuple[str, int], compression: int = zipfile.ZIP_STORED) -> Path:
    with warnings.catch_warnings(), zipfile.ZipFile(path, "w", compression) as archive:
        warnings.simplefilter("ignore")  # duplicate names
        for name, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, compression
            archive.writestr(info, b"0" * 1000)
    return path


@pytest.mark.parametrize(
    "name",
    ["../evil", "/etc/passwd", "a/../../evil", "C:evil", "a\\evil", "a//b", "./a", "folder/", "a\u202eb", "n" * 300],
)
def test_names_that_lead_elsewhere(tmp_path: Path, name: str) -> None:
    """Nothing is ever unpacked; and no such archive is called evidence."""
    with pytest.raises(BadInput, match=r"member .* (leads elsewhere|is no relative name|has a name|has no name)"):
        verify(_zipped(tmp_path / "x.zip", (name, 0)))


def test_links_twins_and_compressed_content(tmp_path: Path) -> None:
    """Each says what it is."""
    with pytest.raises(BadInput, match="member 'a' is no regular file but a link"):
        verify(_zipped(tmp_path / "x.zip", ("a", stat.S_IFLNK | 0o777)))
    with pytest.raises(BadInput, match="member 'a' occurs twice"):
        verify(_zipped(tmp_path / "x.zip", ("a", 0), ("a", 0)))
    with pytest.raises(BadInput, match="member 'a' is compressed"):
        verify(_zipped(tmp_path / "x.zip", ("a", 0), compression=zipfile.ZIP_DEFLATED))


def test_encrypted_content(tmp_path: Path) -> None:
    """It cannot be read, so it is not evidence."""
    file = _zipped(tmp_path / "x.zip", ("a", 0))
    content = bytearray(file.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    file.write_bytes(content)
    with pytest.raises(BadInput, match="member 'a' is encrypted"):
        verify(file)


def test_overlapping_members(archive: Path) -> None:
    """Many names for the same bytes do not multiply the work."""
    content = archive.read_bytes()
    at = content.index(b"PK\x01\x02")
    head = content[at : at + 46]
    length = len(content)
    heads = b"".join(
        head[:20]
        + struct.pack("<LLHHH", length // 2, length // 2, 3, 0, 0)
        + head[34:42]
        + b"\0\0\0\0"
        + f"{i:03}".encode()
        for i in range(100)
    )
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 100, 100, len(heads), at, 0)
    archive.write_bytes(content[:at] + heads + end)
    with pytest.raises(BadInput, match="say that they are larger than the archive"):
        verify(archive)


@pytest.mark.parametrize("content", [b"", b"PK", b"no archive at all, but some text", b"PK\x05\x06" + b"\xff" * 18])
def test_what_is_no_archive(tmp_path: Path, content: bytes) -> None:
    """One line."""
    (tmp_path / "x.zip").write_bytes(content)
    with pytest.raises(BadInput, match="is no evidence archive"):
        verify(tmp_path / "x.zip")


def test_what_is_no_file(tmp_path: Path) -> None:
    """A folder, nothing, and a pipe, which would be waited for."""
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path, tmp_path / "none.zip", tmp_path / "pipe"):
        with pytest.raises(BadInput, match="cannot be read"):
            verify(path)


def test_an_archive_that_is_too_large(tmp_path: Path) -> None:
    """Its size is seen before anything is read."""
    with (tmp_path / "x.zip").open("wb") as file:
        file.truncate(1 << 32)
    with pytest.raises(BadInput, match="is too large: 4,294,967,296 bytes"):
        verify(tmp_path / "x.zip")


@given(st.binary(max_size=200), st.binary(max_size=60))
@settings(max_examples=300)
def test_nothing_else_is_raised(tmp_path_factory: pytest.TempPathFactory, before: bytes, directory: bytes) -> None:
    """Whatever stands where a directory should."""
    file = tmp_path_factory.getbasetemp() / "fuzzed.zip"
    heads = b"PK\x01\x02" + directory
    file.write_bytes(before + heads + struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 1, 1, len(heads), len(before), 0))
    with pytest.raises(GateError):
        verify(file)
