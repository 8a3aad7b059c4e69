"""``sign-gold`` and what the gate makes of it: who approved what, for which content; whatever changed is unsigned."""

import csv
import json
import resource
import signal
import stat
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from gold_files import GOLD, options, review, row, sheet_data, ward

from clinhallu_gate.cli import main
from clinhallu_gate.datasets.dataset import DataOptions, Dataset
from clinhallu_gate.datasets.load import load_data
from clinhallu_gate.datasets.signed import SignedRow, read_lines
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gold.draft import draft_gold
from clinhallu_gate.gold.rows import gold_rows
from clinhallu_gate.gold.signing import SignOptions, sign_gold
from clinhallu_gate.testing import ScriptedServer

ANOTHER_ID = "has another id than row 2, for which it was drafted; a spreadsheet may have changed it, so put it back"
BOTH = {"mrn-001": "approved", "mrn-002": "approved"}


def load(manifest: Path, *, allow: bool = False) -> Dataset:
    """Load a manifest as the gate does."""
    private = manifest.with_name("private")
    return load_data([str(manifest)], DataOptions(private_cache=private, allow_unsigned_gold=allow))[0]


def sources(dataset: Dataset) -> list[str]:
    """Return whose word each row's gold is."""
    return [str(dataset.gold_of[instance.id].source) for instance in dataset.instances]


def signed_lines(manifest: Path) -> list[SignedRow]:
    """Return what was signed, history included."""
    return list(read_lines(manifest.with_name("ward.signed-gold.jsonl"), SignedRow))


@pytest.fixture
def drafted(tmp_path: Path, drafter: ScriptedServer) -> Path:
    """A manifest of two rows with drafts."""
    manifest = ward(tmp_path, [row(1), row(2)])
    draft_gold(str(manifest), options(drafter))
    return manifest


def test_what_is_signed_is_the_gold(drafted: Path) -> None:
    """Approved texts, edited or not, are the rows' gold; the file says who, when, and from whose draft."""
    edited = {"visual_recognition": "A better description\nof the image."}
    signed = sign_gold(str(drafted), review(drafted, BOTH, **{"mrn-002": edited}), reviewer="Dr. N")
    counts = "2 signed (1 of them edited), 0 rejected, 0 left open."
    assert signed.line == f"{drafted.with_name('ward.signed-gold.jsonl')}: {counts}"
    assert stat.S_IMODE(signed.file.stat().st_mode) == 0o600
    one, two = signed_lines(drafted)
    assert (one.reviewer, one.decision, one.edited, one.drafted_by) == (
        "Dr. N",
        "approved",
        False,
        "local (1), prompt draft-gold 1",
    )
    assert two.edited
    dataset = load(drafted)
    assert sources(dataset) == ["signed", "signed"]
    assert dataset.instances[1].gold.visual_recognition == "A better description\nof the image."
    assert dataset.instances[0].gold.reasoning_integration == "The opacity is seen, so the answer is yes."


def test_no_report_is_in_what_a_run_keeps(drafted: Path) -> None:
    """Neither its text nor its file's name, and rows that were kept hold the gold that was laid over them."""
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    dataset = load(drafted)
    assert "Okonkwo" not in repr([asdict(each) for each in dataset.instances])
    for kept in dataset.rows.values():
        assert not {"report", "report_file"} & set(kept)
        assert kept["gold_cot"]["knowledge_recall"] == {"text": "An opacity may be a consolidation."}


def test_unsigned_gold_is_refused(drafted: Path) -> None:
    """In one line that counts the rows and names both ways out; no value of a row is in it."""
    with pytest.raises(BadInput) as raised:
        load(drafted)
    assert str(raised.value) == (
        f"--data: 2 of 2 rows have gold that nobody signed ({drafted}:1: a draft that nobody signed and 1 more). Have "
        "them reviewed and signed with clinhallu-gate sign-gold, or take them as they are with --allow-unsigned-gold."
    )


def test_unsigned_gold_is_taken_where_that_is_allowed(drafted: Path) -> None:
    """And is known as such."""
    sign_gold(str(drafted), review(drafted, {"mrn-001": "approved"}), reviewer="Dr. N")
    dataset = load(drafted, allow=True)
    assert sources(dataset) == ["signed", "unsigned"]
    assert dataset.instances[1].gold.visual_recognition == "An opacity in the left lower zone of study 2."


def test_a_rejected_draft_is_no_gold(drafted: Path) -> None:
    """Not even where unsigned gold is allowed; and nothing is refused for it."""
    decisions = {"mrn-001": "approved", "mrn-002": "rejected"}
    signed = sign_gold(
        str(drafted), review(drafted, decisions, **{"mrn-002": {"note": "other side"}}), reviewer="Dr. N"
    )
    assert signed.rejected == 1
    for allow in (False, True):
        dataset = load(drafted, allow=allow)
        assert sources(dataset) == ["signed", "absent"]
        assert dataset.instances[1].gold.visual_recognition is None
    assert signed_lines(drafted)[1].note == "other side"


def test_another_draft_after_a_rejection_is_open_again(drafted: Path, tmp_path: Path) -> None:
    """It is not the one that was rejected."""
    sign_gold(str(drafted), review(drafted, {"mrn-001": "approved", "mrn-002": "rejected"}), reviewer="Dr. N")
    text = "[Visual Recognition]\nQuite another text.\n[Knowledge Recall]\nAs it is known.\n[Reasoning]\nSo it is yes."
    with ScriptedServer(reply=text, model="second") as server:
        again = draft_gold(str(drafted), options(server))
    assert [line.id for line in again.rows] == ["mrn-002"]
    with pytest.raises(BadInput, match="1 of 2 rows have gold that nobody signed"):
        load(drafted)
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    assert sources(load(drafted)) == ["signed", "signed"]
    assert tmp_path.exists()


@pytest.mark.parametrize(
    "change",
    [
        {"question": "Is there a fracture in study 2?"},
        {"answer": "no"},
        {"question_type": "open_ended"},
        {"images": ["1.png"]},
        {"id": "mrn-009"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_signature_is_for_its_content(change: dict[str, Any], drafted: Path) -> None:
    """A changed question, answer or image is unsigned, and its old gold is not used, allowed or not."""
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    ward(drafted.parent, [row(1), row(2, **change)])
    if "id" not in change:
        with pytest.raises(BadInput, match=r"1 of 2 rows .*ward.jsonl:2: its question, answer or images were changed"):
            load(drafted)
    dataset = load(drafted, allow=True)
    assert sources(dataset) == ["signed", "absent"]
    assert dataset.instances[1].gold.visual_recognition is None


def test_another_picture_under_the_same_name_is_unsigned(drafted: Path) -> None:
    """It is the pixels that gold describes."""
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    (drafted.parent / "2.png").write_bytes((drafted.parent / "1.png").read_bytes())
    with pytest.raises(BadInput, match="1 of 2 rows have gold that nobody signed"):
        load(drafted)


def test_a_report_may_go_after_signing(drafted: Path) -> None:
    """The signature is for question and image; who no longer needs the report takes it away."""
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    ward(drafted.parent, [row(1, report=None), row(2, report=None)])
    assert sources(load(drafted)) == ["signed", "signed"]


def test_a_text_that_was_changed_in_the_file_is_unsigned(drafted: Path) -> None:
    """It is not what the reviewer approved."""
    file = sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N").file
    file.write_text(file.read_text().replace("study 2", "study 7"))
    with pytest.raises(BadInput, match=r"ward.jsonl:2: its gold was changed after it was signed"):
        load(drafted)


def test_a_broken_line_is_said(drafted: Path) -> None:
    """With its number, and without its content."""
    file = sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N").file
    with file.open("a") as out:
        out.write('{"id": "Okonkwo"\n')
    with pytest.raises(BadInput, match=r"ward.signed-gold.jsonl:3: is no line of it") as raised:
        load(drafted)
    assert "Okonkwo" not in str(raised.value)


def test_a_full_disk_leaves_what_was_signed_before(drafted: Path) -> None:
    """A signature is appended whole or not at all: the file is the same, and can be read."""
    file = sign_gold(str(drafted), review(drafted, {"mrn-001": "approved"}), reviewer="Dr. N").file
    before, sheet = file.read_bytes(), review(drafted, BOTH)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, hard))
    try:
        with pytest.raises(BadInput, match=r"signed-gold.jsonl: cannot be written: File too large"):
            sign_gold(str(drafted), sheet, reviewer="Dr. N", options=SignOptions(private_cache=drafted.parent / "own"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    assert file.read_bytes() == before
    assert [line.id for line in signed_lines(drafted)] == ["mrn-001"]


def test_a_file_that_an_editor_saved_is_appended_to(drafted: Path) -> None:
    """Its last line may have lost its end; the next one begins on its own."""
    file = sign_gold(str(drafted), review(drafted, {"mrn-001": "approved"}), reviewer="Dr. N").file
    file.write_bytes(file.read_bytes().rstrip(b"\n"))
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    assert [line.id for line in signed_lines(drafted)] == ["mrn-001", "mrn-002"]


def test_gold_of_the_manifest_is_supplied(tmp_path: Path) -> None:
    """The site's own statement needs no signature; a row without any is said to have none."""
    manifest = ward(tmp_path, [row(1, **GOLD), row(2), row(3, gold_visual_recognition="Only what is seen.")])
    dataset = load(manifest)
    assert sources(dataset) == ["supplied", "absent", "absent"]
    assert dataset.instances[2].gold.visual_recognition == "Only what is seen."


def test_signing_again_keeps_the_history(drafted: Path) -> None:
    """The last word counts, the ones before stay; the very same is not written twice."""
    sheet = review(drafted, BOTH)
    sign_gold(str(drafted), sheet, reviewer="Dr. N")
    again = sign_gold(str(drafted), sheet, reviewer="Dr. N")
    assert again.line.endswith(": 0 signed (0 of them edited), 0 rejected, 0 left open, 2 as they were before.")
    change = {"mrn-001": {"reasoning_integration": "It is there, so yes."}}
    sheet.write_text(review(drafted, BOTH, **change).read_text().replace("Dr. N", "Dr. M"))
    sign_gold(str(drafted), sheet, reviewer="Dr. M")
    assert [(line.id, line.reviewer) for line in signed_lines(drafted)] == [
        ("mrn-001", "Dr. N"),
        ("mrn-002", "Dr. N"),
        ("mrn-001", "Dr. M"),
        ("mrn-002", "Dr. M"),
    ]
    assert load(drafted).instances[0].gold.reasoning_integration == "It is there, so yes."


def _spoilt(told: dict[str, Any], what: str) -> None:
    first, second = told["rows"]
    match what:
        case "unknown":
            second["id"], second["content_sha256"] = "Okonkwo", "0" * 64
        case "another id":
            second["id"], second["decision"] = "Okonkwo", "rejected"
        case "another row's id":
            second["id"] = first["id"]
        case "changed":
            second["content_sha256"] = "0" * 64
        case "empty":
            second["knowledge_recall"] = " \u200b\n"
        case "twice":
            told["rows"][1] = {**first}
        case "report":
            second["report_sha256"] = "0" * 64
        case "long":
            second["knowledge_recall"] = "long " * 5000


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("unknown", "rows[1]: is of no row of the manifest"),
        ("another id", f"rows[1]: {ANOTHER_ID}"),
        ("another row's id", f"rows[1]: {ANOTHER_ID}"),
        ("changed", "rows[1]: row 2 has another question, answer or image than was drafted for"),
        ("empty", "rows[1]: approved, but knowledge_recall is empty"),
        ("twice", "rows[1]: is the same row as rows[0]"),
        ("report", "rows[1]: the report of row 2 changed since the draft: draft it again"),
        ("long", "rows[1]: a stage is too long for a sheet to keep it whole"),
    ],
)
def test_nothing_is_signed_if_anything_is_wrong(what: str, said: str, drafted: Path) -> None:
    """All of it is said, without a value of any row."""
    sheet = review(drafted, BOTH)
    told = json.loads(sheet.read_text())
    _spoilt(told, what)
    sheet.write_text(json.dumps(told))
    with pytest.raises(BadInput) as raised:
        sign_gold(str(drafted), sheet, reviewer="Dr. N")
    assert str(raised.value) == f"{sheet}: nothing was signed, as 1 row cannot be:\n{said}"
    assert not drafted.with_name("ward.signed-gold.jsonl").exists()


def test_gold_of_the_manifest_is_not_signed_away(tmp_path: Path, drafter: ScriptedServer) -> None:
    """A stage that the manifest holds is changed there, and nowhere else."""
    manifest = ward(tmp_path, [row(1, gold_visual_recognition="The site's own words.")])
    draft_gold(str(manifest), options(drafter))
    sheet = review(manifest, BOTH, **{"mrn-001": {"visual_recognition": "Other words here."}})
    with pytest.raises(BadInput, match=r"row 1 holds gold of its own that differs; change it in the manifest"):
        sign_gold(str(manifest), sheet, reviewer="Dr. N")
    sign_gold(str(manifest), review(manifest, BOTH), reviewer="Dr. N")
    ward(tmp_path, [row(1, gold_visual_recognition="Changed after that.")])
    with pytest.raises(BadInput, match="the manifest holds another text than the one that was signed"):
        load(manifest)


def test_the_manifest_s_own_words_stay_as_they_are(tmp_path: Path, drafter: ScriptedServer) -> None:
    """A sheet may show them with other line ends and spaces; what holds is what the manifest has."""
    own = "  The site's \r\nown  words. "
    manifest = ward(tmp_path, [row(1, gold_visual_recognition=own)])
    draft_gold(str(manifest), options(drafter))
    sign_gold(str(manifest), review(manifest, BOTH), reviewer="Dr. N")
    (line,) = signed_lines(manifest)
    assert not line.edited
    dataset = load(manifest)
    assert sources(dataset) == ["signed"]
    assert dataset.instances[0].gold.visual_recognition == own


def test_nobody_signs_for_another(drafted: Path) -> None:
    """The sheet says who reviewed it; a name that is empty is none."""
    sheet = review(drafted, BOTH)
    with pytest.raises(BadInput, match=r"was reviewed by 'Dr. N', and --reviewer names 'Dr. M'"):
        sign_gold(str(drafted), sheet, reviewer="Dr. M")
    with pytest.raises(BadInput, match="--reviewer: is empty"):
        sign_gold(str(drafted), sheet, reviewer="  ")


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("x.json", b"{Okonkwo", "is not JSON (line 1)"),
        ("x.json", b"[]", "is not what review.html saves"),
        ("x.json", b'{"schema_version": 1, "rows": [{"decision": "Okonkwo"}]}', "rows[0]: decision: cannot be used"),
        ("x.csv", b"a,b\nOkonkwo,1\n", "has no column decision"),
        ("x.csv", b"\xff\xfe", "is not UTF-8"),
        ("x.txt", b"Okonkwo", "is no reviewed sheet"),
    ],
)
def test_another_file_is_said_to_be_none(name: str, content: bytes, said: str, drafted: Path) -> None:
    """In one line, and without what it holds."""
    file = drafted.with_name(name)
    file.write_bytes(content)
    with pytest.raises(BadInput) as raised:
        sign_gold(str(drafted), file, reviewer="Dr. N")
    assert said in str(raised.value)
    assert "Okonkwo" not in str(raised.value)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_that_a_spreadsheet_saved(separator: str, tmp_path: Path, drafter: ScriptedServer) -> None:
    """Filled in and saved with any separator; texts come back as they were, and ids are the manifest's own."""
    manifest = ward(tmp_path, [row(1, id="007"), row(2), row(3, id="20260301123456789")])
    draft_gold(str(manifest), options(drafter))
    with (tmp_path / "ward.gold" / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    lines[0] |= {"decision": " Approved ", "id": "7", "visual_recognition": "'=1+1 is seen \N{RETURN SYMBOL} below"}
    lines[2] |= {"decision": "approved", "id": "2.02603E+16"}
    saved = tmp_path / "filled.csv"
    with saved.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.DictWriter(file, lines[0], delimiter=separator)
        writer.writeheader()
        writer.writerows(lines)
    signed = sign_gold(str(manifest), saved, reviewer="Dr. N")
    assert (signed.approved, signed.edited, signed.left_open) == (2, 1, 1)
    line, last = signed_lines(manifest)
    assert (line.id, last.id) == ("007", "20260301123456789")
    assert line.gold.visual_recognition == "=1+1 is seen\nbelow"


def test_a_formula_is_no_formula_in_the_table(tmp_path: Path) -> None:
    """Whatever a report or a draft begins with, a spreadsheet shows it as text."""
    text = "[Visual Recognition]\n=cmd|' /C calc'!A0\n[Knowledge Recall]\n+1 +2 +3\n[Reasoning]\n@SUM(1 2 3) a b"
    with ScriptedServer(reply=text, model="local") as server:
        draft_gold(str(ward(tmp_path, [row(1, report="-2+3 ...", id="=1")])), options(server))
    with (tmp_path / "ward.gold" / "review.csv").open(encoding="utf-8-sig", newline="") as file:
        (line,) = csv.DictReader(file)
    for name in ("id", "visual_recognition", "knowledge_recall", "reasoning_integration", "report"):
        assert line[name].startswith("'"), name


def test_the_command_signs(drafted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """And says how many were signed, rejected and left open; --out writes elsewhere."""
    sheet, own = review(drafted, {"mrn-001": "approved"}), drafted.with_name("own.jsonl")
    words = ["sign-gold", str(drafted), str(sheet), "--reviewer", "Dr. N"]
    assert main([*words, "--out", str(own)]) == 0
    assert capsys.readouterr().out == f"{own}: 1 signed (0 of them edited), 0 rejected, 1 left open.\n"
    assert not drafted.with_name("ward.signed-gold.jsonl").exists()
    assert main([*words, "--out", "/nowhere/at/all"]) == 4
    assert "/nowhere/at/all: cannot be written" in capsys.readouterr().err


def test_signing_leaves_nothing_behind(drafted: Path) -> None:
    """No scratch folder beside the manifest, whatever happens."""
    before = {each.name for each in drafted.parent.iterdir()}
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    assert {each.name for each in drafted.parent.iterdir()} - before == {"ward.signed-gold.jsonl", "ward.reviewed.json"}


def test_images_lie_in_a_folder_that_purge_knows(drafted: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there are no drafts beside the manifest; what a killed command left there is removed."""
    sheet = review(drafted, BOTH)
    drafted.with_name("ward.gold").rename(drafted.with_name("elsewhere"))
    left = drafted.with_name("ward.signed-gold.jsonl.private")
    (left / "dicomweb").mkdir(parents=True)
    left.chmod(0o700)
    (left / "dicomweb" / "a.dcm").write_bytes(b"of a patient")
    used: list[Path] = []
    monkeypatch.setattr(
        "clinhallu_gate.gold.signing.gold_rows",
        lambda source, reading: used.append(reading.cache) or gold_rows(source, reading),
    )
    sign_gold(str(drafted), sheet, reviewer="Dr. N")
    assert used == [left]
    assert not left.exists()


def test_patients_have_pseudonyms_and_their_signatures_follow(drafted: Path) -> None:
    """What is known of gold is known by the name that the run uses."""
    sign_gold(str(drafted), review(drafted, BOTH), reviewer="Dr. N")
    dataset = load(drafted)
    assert {instance.id for instance in dataset.instances} == set(dataset.gold_of)
    assert "mrn-001" not in dataset.gold_of
    assert sheet_data(drafted.with_name("ward.gold"))["rows"][0]["id"] == "mrn-001"
