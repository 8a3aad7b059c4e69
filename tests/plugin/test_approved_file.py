"""Approved verdicts on disk: one line per instance, in order of id, whatever its id looks like."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.errors import BadInput
from clinhallu_gate.plugin.approved_file import (
    Words,
    approved_file,
    demand_writable,
    file_name,
    line_of,
    read_approved,
    write_approved,
)

GOOD: Words = {
    "visual_recognition": "grounded",
    "knowledge_recall": "hallucinated",
    "reasoning_integration": "failed: truncated",
    "answer": "correct",
}
HOSTILE = ("a\nb", 'say "no"', "../../etc/passwd", "\u2028", "日本", "\udc80", "a]b[c", "", " ")


def approve(file: Path, *keys: str, words: Words = GOOD) -> None:
    write_approved(file, {key: line_of(key, words) for key in keys})


def test_a_line_is_compact_and_in_a_fixed_order() -> None:
    """Parts in the order of a trace, no spaces, nothing but ASCII."""
    assert line_of("ct-0001", dict(reversed(GOOD.items()))) == (
        '{"id":"ct-0001","visual_recognition":"grounded","knowledge_recall":"hallucinated",'
        '"reasoning_integration":"failed: truncated","answer":"correct"}'
    )


def test_hostile_ids_survive(tmp_path: Path) -> None:
    """Line ends, quotes, slashes and half characters come back as they were, a line each."""
    file = tmp_path / "x.jsonl"
    approve(file, *HOSTILE)
    assert dict(read_approved(file)) == dict.fromkeys(HOSTILE, GOOD)
    lines = file.read_bytes().decode("ascii").splitlines()
    assert [json.loads(line)["id"] for line in lines] == sorted(HOSTILE)


@given(st.lists(st.text(st.characters()), unique=True, max_size=8))
def test_any_ids_survive(tmp_path_factory: pytest.TempPathFactory, keys: list[str]) -> None:
    """Whatever a data set calls its instances."""
    file = tmp_path_factory.mktemp("approved") / "x.jsonl"
    approve(file, *keys)
    assert dict(read_approved(file)) == dict.fromkeys(keys, GOOD)


def test_other_lines_stay(tmp_path: Path) -> None:
    """Approving some instances again changes their lines alone, and leaves no second file."""
    file = tmp_path / "m" / "x.jsonl"
    approve(file, "b", "c", "a")
    before = file.read_text().splitlines()
    approve(file, "b", "d", words={"answer": "incorrect"})
    changed = '{"id":"%s","answer":"incorrect"}'
    assert file.read_text().splitlines() == [before[0], changed % "b", before[2], changed % "d"]
    assert list(file.parent.iterdir()) == [file]


def test_a_file_that_changed_is_read_again(tmp_path: Path) -> None:
    """What was read is kept only as long as the file is the same; white space and line ends do not matter."""
    file = tmp_path / "x.jsonl"
    assert not read_approved(file)
    approve(file, "a")
    assert read_approved(file) is read_approved(file)
    file.write_bytes(b'\r\n {"answer": "incorrect", "id": "a"}\r\n\n')
    assert read_approved(file) == {"a": {"answer": "incorrect"}}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("<<<<<<< HEAD", "is no JSON (left over from a merge?). Approve again with --snapshot-update."),
        ("[" * 100_000, "is no JSON"),
        ("\udcff", "is no JSON"),
        ("[]", 'is no approved verdict. Valid: {"id":"...","answer":"correct"} and the like.'),
        ('{"answer":"correct"}', "is no approved verdict"),
        ('{"id":7}', "is no approved verdict"),
        ('{"id":"b","anwser":"correct"}', "'anwser' is no part of a trace. Valid: visual_recognition, "),
        ('{"id":"b","answer":"grounded"}', "answer: 'grounded' is no verdict. Valid: correct, failed: "),
        ('{"id":"b","answer":["correct"]}', "answer: ['correct'] is no verdict."),
        ('{"id":"a"}', "id: 'a' stands in an earlier line too."),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, says: str) -> None:
    """One line of text with the file, the number of the line, and what is wrong."""
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "x.jsonl"
    file.write_text(f"{line_of('a', GOOD)}\n{line}\n", errors="surrogateescape")
    with pytest.raises(BadInput) as caught:
        read_approved(file)
    assert str(caught.value).startswith(f"x.jsonl: line 2: {says}")
    assert "\n" not in str(caught.value)


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """A folder in its place is bad input, to read and to write."""
    (tmp_path / "x.jsonl").mkdir()
    with pytest.raises(BadInput, match=r"x\.jsonl: cannot be read: Is a directory"):
        read_approved(tmp_path / "x.jsonl")
    (tmp_path / "m").write_text("")
    with pytest.raises(BadInput, match=r"--snapshot-update: .*y\.jsonl cannot be written: .*m is no folder"):
        demand_writable(tmp_path / "m" / "y.jsonl")


def test_each_name_has_a_file_name_of_its_own(tmp_path: Path) -> None:
    """Names stay below the folder, cannot be mixed up, and are no longer than a file system takes."""
    names = ("phantom-vlm", "org/name", "org_name", "org%2Fname", "..", ".", ".hidden", "a b", "日本" * 90, "日本" * 91)
    files = [file_name(name) for name in names]
    assert len(set(files)) == len(names)
    assert files[:2] == ["phantom-vlm", "org%2Fname"]
    assert all("/" not in name and not name.startswith(".") and len(name) < 200 for name in files)
    assert approved_file(tmp_path, "org/name", "chest") == tmp_path / "approved" / "org%2Fname" / "chest.jsonl"
