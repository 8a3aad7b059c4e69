"""``clinhallu-gate sample-for-review``: a blinded sheet of a finished run, and the labels in it read back."""

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from clinhallu_gate.cli import main
from clinhallu_gate.errors import BadInput
from clinhallu_gate.gate import Release
from clinhallu_gate.judge.agreement import agreement
from clinhallu_gate.judge.labels import LabelFile, load_label_file
from clinhallu_gate.judge.review import ReviewSample, review_samples, review_seed
from clinhallu_gate.pipeline.reviewing import COLUMNS, write_sheet
from clinhallu_gate.pipeline.verdict_table import write_results
from clinhallu_gate.records import Failed, Judged, Reading
from clinhallu_gate.report import DatasetDigest, FileDigest, NamedDigest
from clinhallu_gate.report.decision import build
from clinhallu_gate.results import BASELINE_ANSWER, RATE_READING, Results
from clinhallu_gate.testing import an_instance
from clinhallu_gate.tree.evidence import About, write_evidence
from clinhallu_gate.vocabulary import Decision, FailReason, Outcome, Stage

VISUAL = RATE_READING[Stage.VISUAL_RECOGNITION]
REASON = "the judge's very own reason"
DATA, MODEL = "d" * 64, "e" * 64
SAMPLE_RUN = Path(__file__).parent.parent / "reports" / "sample"
HOSTILE = (
    '=HYPERLINK("http://evil","x")',
    "+1+1",
    "-2",
    "@SUM(A1)",
    " =1",
    "\t=1",
    "\r=1",
    "\N{FULLWIDTH EQUALS SIGN}1",
    "'quoted",
    'a "quote", a comma; a semicolon',
    "one\ntwo\r\nthree\u2028four",
    "left\u202eright \x00 \x1b[2J",
    "x" * 40_000,
)


def _judged(number: int, reading: Reading) -> Judged:
    if reading == BASELINE_ANSWER:
        return Judged(Outcome.INCORRECT if number % 4 == 0 else Outcome.CORRECT, REASON)
    return Judged(Outcome.HALLUCINATED if number % 4 == 0 else Outcome.GROUNDED, REASON)


def _results(n: int = 12, texts: Sequence[str] = ()) -> Results:
    results = Results([an_instance(id=f"{number}", cluster=f"c{number // 2}") for number in range(n)])
    for number, found in enumerate(results.found.values()):
        for reading in (*RATE_READING.values(), BASELINE_ANSWER):
            found.verdicts[reading] = _judged(number, reading)
            found.texts[reading] = texts[number] if texts else f"what the model wrote: {number} {reading.part}"
    return results


def _write(folder: Path, results: Results, *, status: int = 1, model_sha256: str | None = MODEL) -> Path:
    folder.mkdir(exist_ok=True)
    write_results(folder, results)
    write_evidence(folder, results, {}, About(model="secret-model", judge="secret-judge"))
    document = build(
        Release(None if status == 11 else Decision.FAIL, status, ""),
        [],
        model="secret-model",
        model_sha256=model_sha256,
        judge="secret-judge",
        protocol=NamedDigest(name="standard", sha256="b" * 64),
        thresholds=FileDigest(file="x.yaml", sha256="c" * 64),
        datasets=[DatasetDigest(name="sample", sha256=DATA, instances=len(results.instances))],
    )
    (folder / "decision.json").write_bytes(document.to_json())
    return folder


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """The folder of a run on twelve instances."""
    return _write(tmp_path / "run", _results())


def _sheet(file: Path) -> list[dict[str, str]]:
    with file.open(encoding="utf-8-sig", newline="") as lines:
        return list(csv.DictReader(lines, strict=True))


def _fill(file: Path, label: Callable[[dict[str, str]], str], *, dialect: str = "excel", delimiter: str = ",") -> None:
    """Fill the sheet and save it as a spreadsheet would."""
    rows = _sheet(file)
    with file.open("w", encoding="utf-8-sig", newline="") as out:
        writer = csv.DictWriter(out, COLUMNS, dialect=dialect, delimiter=delimiter)
        writer.writeheader()
        writer.writerows({**row, "label": label(row)} for row in rows)


def _good(row: dict[str, str]) -> str:
    return "correct" if row["stage"] == "answer" else "grounded"


def _read(file: Path, results: Results) -> LabelFile:
    return load_label_file(file, results.instances)


# --- the sheet --------------------------------------------------------------------------------------------------------


def test_the_sheet(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One row per sampled instance and judged part, label empty; only its owner may read it."""
    assert main(["sample-for-review", str(run), "--n", "5"]) == 0
    file = run / "review-5.csv"
    assert capsys.readouterr().out == (
        f"{file}: 5 instances, 20 rows to label. It holds the texts of the run: keep it as you keep the data.\n"
    )
    assert file.stat().st_mode & 0o777 == 0o600
    rows = _sheet(file)
    assert tuple(rows[0]) == COLUMNS
    assert {row["label"] + row["note"] for row in rows} == {""}
    assert len({row["sample"] for row in rows}) == 1
    first = rows[0]
    assert (first["stage"], first["arm"]) == ("visual_recognition", "baseline")
    assert first["question"] == "Is there an opacity in the left lung?"
    assert first["reference_answer"] == "yes"
    assert first["reference_text"] == "An opacity in the left lower zone."
    assert first["text"].startswith("what the model wrote")
    assert first["images"].endswith(".png")


def test_it_is_blinded(run: Path) -> None:
    """Neither verdicts nor the judge's reasons, nor who wrote or judged."""
    write_sheet(run, 12)
    content = (run / "review-12.csv").read_text("utf-8").lower()
    for word in ("hallucinated", "grounded", "incorrect", "correct,", REASON, "secret", "judge", "verdict"):
        assert word not in content


def test_its_order_tells_nothing(run: Path, tmp_path: Path) -> None:
    """It follows from names alone: other verdicts, the same order."""
    other = _results()
    for found in other.found.values():
        found.verdicts[VISUAL] = Judged(Outcome.HALLUCINATED, "all of them")
    write_sheet(run, 12)
    write_sheet(_write(tmp_path / "other", other), 12)
    named = [
        [(row["instance"], row["stage"]) for row in _sheet(p / "review-12.csv")] for p in (run, tmp_path / "other")
    ]
    assert named[0] == named[1] != sorted(named[0])


def test_a_larger_sheet_holds_a_smaller_one(run: Path) -> None:
    """With the same rows, apart from the sample's name."""
    for n in (4, 9):
        write_sheet(run, n)
    few, many = (
        {tuple(value for name, value in row.items() if name != "sample") for row in _sheet(run / f"review-{n}.csv")}
        for n in (4, 9)
    )
    assert few < many


def test_what_needs_no_label_is_counted_and_not_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Parts that the model did not deliver, and answers that were matched."""
    results = _results()
    for uid, found in list(results.found.items())[:3]:
        found.verdicts[VISUAL] = Failed(FailReason.STAGE_MISSING)
        del found.texts[VISUAL]
        found.verdicts[BASELINE_ANSWER] = Judged(Outcome.CORRECT, "yes, matched exactly")
        assert uid
    run = _write(tmp_path / "run", results)
    assert main(["sample-for-review", str(run), "--n", "12"]) == 0
    said = capsys.readouterr().out
    counts = "12 instances, 42 rows to label, 3 parts the model did not deliver, 3 answers that needed no judge."
    assert counts in said


def test_hostile_texts(tmp_path: Path) -> None:
    """No cell begins a formula, every row is one line, nothing hides, and the labels are read back all the same."""
    results = _results(len(HOSTILE), HOSTILE)
    run = _write(tmp_path / "run", results)
    file = write_sheet(run, len(HOSTILE)).file
    lines = file.read_text("utf-8-sig").split("\n")
    assert len(lines) == 4 * len(HOSTILE) + 2
    cells = [value for row in _sheet(file) for value in row.values()]
    assert not [
        value
        for value in cells
        if value.lstrip()[:1] in {"=", "+", "-", "@", "\N{FULLWIDTH EQUALS SIGN}"} and value.strip()
    ]
    assert all(character.isprintable() for value in cells for character in value)
    assert max(map(len, cells)) < 32_767
    _fill(file, _good)
    found = review_samples(_read(file, results), results, review_seed([DATA], MODEL))
    assert all(isinstance(review, ReviewSample) and review.labels == len(HOSTILE) for review in found.values())


def test_an_instance_whose_name_begins_a_formula(tmp_path: Path) -> None:
    """Its name is marked in the sheet, and known when it comes back, marked or not."""
    results = Results([an_instance(dataset="=cmd", id=f"{number}") for number in range(3)])
    for found in results.found.values():
        found.verdicts[VISUAL], found.texts[VISUAL] = Judged(Outcome.GROUNDED, REASON), "an opacity on the left"
    file = write_sheet(_write(tmp_path / "run", results), 3).file
    assert {row["instance"][:6] for row in _sheet(file)} == {"'=cmd/"}
    _fill(file, _good)
    assert len(_read(file, results).labels) == 3
    file.write_text(file.read_text("utf-8").replace("'=cmd", "=cmd"), "utf-8")
    assert len(_read(file, results).labels) == 3


def test_on_the_committed_run(tmp_path: Path) -> None:
    """A run that pytest made: strata in equal shares, and labels that say what its judge said agree with it."""
    run = tmp_path / "run"
    shutil.copytree(SAMPLE_RUN, run)
    sheet = write_sheet(run, 60, tmp_path / "sheet.csv")
    assert (sheet.instances, sheet.rows) == (60, 240)
    rows = _sheet(sheet.file)
    assert {sum(row["instance"].startswith(f"phantom/{stratum}") for row in rows) for stratum in ("radiograph", "ct")}


# --- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [0, -3, 13])
def test_a_sample_that_cannot_be(run: Path, n: int) -> None:
    """It says how many instances there are."""
    with pytest.raises(BadInput, match=rf"--n: {n} is not a number of instances of .*\. Valid: 1 to 12\."):
        write_sheet(run, n)


def test_a_file_that_is_there_is_kept(run: Path, tmp_path: Path) -> None:
    """Labels are never written over."""
    (tmp_path / "mine.csv").write_text("labels of three weeks")
    with pytest.raises(BadInput, match=r"--out: .*mine\.csv is there already; name another file\."):
        write_sheet(run, 5, tmp_path / "mine.csv")
    assert (tmp_path / "mine.csv").read_text() == "labels of three weeks"
    with pytest.raises(BadInput, match="cannot be written: No such file or directory"):
        write_sheet(run, 5, tmp_path / "none" / "mine.csv")


def test_a_folder_that_is_no_finished_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """One line, exit 4."""
    assert main(["sample-for-review", str(tmp_path), "--n", "5"]) == 4
    said = capsys.readouterr().err
    assert said == f"clinhallu-gate: {tmp_path}: is not the folder of a finished run (it has no decision.json).\n"
    with pytest.raises(BadInput, match="was not completed"):
        write_sheet(_write(tmp_path / "run", _results(), status=11), 5)


def test_an_early_stopped_run_is_refused(tmp_path: Path) -> None:
    """Whether instances were asked in part or not at all."""
    part, none = _results(), _results()
    for found in list(part.found.values())[:6]:
        del found.verdicts[VISUAL]
    none.found["sample/0"].verdicts.clear()
    for name, results in (("part", part), ("none", none)):
        with pytest.raises(BadInput, match=r"Run it with --no-early-stop first\.") as raised:
            write_sheet(_write(tmp_path / name, results), 12)
        assert "\n" not in str(raised.value)
        assert "not asked" in str(raised.value)


def test_a_run_without_texts_is_refused(tmp_path: Path) -> None:
    """There is nothing to label."""
    results = _results()
    for found in results.found.values():
        found.texts.clear()
    with pytest.raises(BadInput, match="keeps no texts, so there is nothing to label"):
        write_sheet(_write(tmp_path / "run", results), 5)


# --- the labels -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_filled_sheet_is_read_as_a_spreadsheet_saves_it(run: Path, delimiter: str) -> None:
    """Whatever separates its cells; stages go to the agreement, answers do not."""
    results = _results()
    file = write_sheet(run, 8).file
    _fill(file, _good, delimiter=delimiter)
    labels = _read(file, results)
    assert len(labels.rows) == 32
    assert len(labels.labels) == 24
    assert agreement(labels.labels, results.verdict).overall.labels == 24
    found = review_samples(labels, results, review_seed([DATA], MODEL))
    assert {reading.part for reading in found} == {*Stage, "answer"}
    assert all(isinstance(review, ReviewSample) and review.labels == 8 for review in found.values())


def test_a_model_without_a_digest_goes_by_its_name(tmp_path: Path) -> None:
    """An endpoint may not say what it serves."""
    results = _results()
    file = write_sheet(_write(tmp_path / "run", results, model_sha256=None), 8).file
    _fill(file, _good)
    found = review_samples(_read(file, results), results, review_seed([DATA], "secret-model"))
    assert all(isinstance(review, ReviewSample) for review in found.values())


def test_blank_rows_and_columns_of_ones_own_are_allowed_in_a_sheet(run: Path) -> None:
    """And rows without anything, which spreadsheets leave at the end."""
    results = _results()
    file = write_sheet(run, 8).file
    _fill(file, lambda row: "" if row["stage"] == "answer" else "Hallucinated ")
    text = file.read_text("utf-8").replace("instance,", "reader,instance,", 1).replace("\nsample/", "\nAB,sample/")
    file.write_text(text + "," * 13 + "\n", "utf-8")
    labels = _read(file, results)
    assert (len(labels.rows), len(labels.labels)) == (32, 24)
    assert {label.label for label in labels.labels} == {Outcome.HALLUCINATED}


@pytest.mark.parametrize(
    ("label", "says"),
    [
        (lambda _: "", "no row has a label yet. Fill the column label."),
        (lambda _: "grounded", "label: 'grounded' is not a label. Valid: correct, incorrect."),
        (lambda _: "correct", "label: 'correct' is not a label. Valid: grounded, hallucinated."),
    ],
)
def test_labels_that_cannot_be(run: Path, label: Callable[[dict[str, str]], str], says: str) -> None:
    """Stages are grounded or hallucinated, answers correct or incorrect."""
    file = write_sheet(run, 3).file
    _fill(file, label)
    with pytest.raises(BadInput) as raised:
        _read(file, _results())
    assert says in str(raised.value)


def test_rows_of_two_sheets_are_refused(run: Path) -> None:
    """A sheet is one sample."""
    few, many = write_sheet(run, 3).file, write_sheet(run, 5).file
    lines = many.read_text("utf-8-sig").split("\n")
    missing = [line for line in lines if line and line.split(",")[0] not in few.read_text("utf-8")]
    few.write_text(few.read_text("utf-8") + "\n".join(missing) + "\n", "utf-8")
    with pytest.raises(BadInput, match=r"sample: '5-.*' is not the '3-.*' of the rows before\."):
        _read(few, _results())


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ("instance,stage,label,sample\n0,visual_recognition,grounded,1-2\n", "is missing text_sha256"),
        ("instance,stage,label,question\n0,visual_recognition,grounded,x\n", "'question' is not a column"),
        ("instance,stage,label\n0,visual_recognition,\n", "label: '' is not a label"),
        ("instance,stage,label\n0,answer,correct\n", "stage: 'answer' is not a stage"),
    ],
)
def test_only_a_sheet_may_have_what_a_sheet_has(tmp_path: Path, lines: str, says: str) -> None:
    """Columns of one's own, blank labels and answers are mistakes in a list without a sample."""
    (tmp_path / "labels.csv").write_text(lines)
    with pytest.raises(BadInput) as raised:
        _read(tmp_path / "labels.csv", _results())
    assert says in str(raised.value)
