"""A user's own data: JSON Lines, CSV as people make it, and Parquet, with the same fields as the benchmark."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_files import CHOICE, ROW, Release, manifest, only, png, troubles

from clinhallu_gate.datasets.load import BadRows, DataOptions, load_data
from clinhallu_gate.datasets.row import BENCHMARK_FIELDS, FIELDS, manifest_schema
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pseudonym import pseudonym, site_key
from clinhallu_gate.vocabulary import QuestionType

SCHEMA = Path(__file__).parents[2] / "docs" / "manifest.schema.json"
FULL: dict[str, Any] = {
    **CHOICE,
    "images": ["a.png", "more/b.png"],
    "gold_visual_recognition": "A hand is seen.",
    "gold_knowledge_recall": "Hands have sides.",
    "gold_reasoning": "So it is left.",
    "stratum": "hands",
    "patient_id": "p1",
    "tags": ["never:laterality"],
    "modality": "CR",
    "phi": True,
}
HEADER = "source_id,question,answer,images,question_type"


def _beside(folder: Path) -> None:
    (folder / "more").mkdir(parents=True)
    (folder / "a.png").write_bytes(png())
    (folder / "more" / "b.png").write_bytes(png((1, 1, 1)))


def _csv(folder: Path, text: str, *, encoding: str = "utf-8") -> Path:
    _beside(folder)
    path = folder / "mine.csv"
    path.write_bytes(text.encode(encoding))
    return path


def _as_csv(row: dict[str, Any], separator: str = ",", mark: str = "|") -> str:
    cells = [mark.join(value) if isinstance(value, list) else str(value) for value in row.values()]
    return separator.join(row) + "\r\n" + separator.join(f'"{cell}"' for cell in cells) + "\r\n"


def test_every_format_gives_the_same_instance(tmp_path: Path, options: DataOptions) -> None:
    """One row as JSON Lines, CSV and Parquet: one digest, all fields."""
    lines = manifest(tmp_path / "one", [FULL], images={})
    _beside(tmp_path / "one")
    table = _csv(tmp_path / "two", _as_csv(FULL))
    _beside(tmp_path / "three")
    pq.write_table(pa.Table.from_pylist([FULL]), tmp_path / "three" / "mine.parquet")
    paths = (lines, table, tmp_path / "three" / "mine.parquet")
    named = replace(options, named=frozenset({"hands", "never:laterality", "modality:cr"}))
    loaded = [load_data([str(path)], named)[0] for path in paths]
    assert len({dataset.sha256 for dataset in loaded}) == 1
    (instance,) = loaded[0].instances
    name = pseudonym("mine/2", site_key())
    assert (instance.dataset, instance.id, instance.stratum) == ("mine", name, "hands")
    assert (instance.options, instance.answer_letter, instance.phi) == (("A. right", "B. left"), "B", True)
    assert instance.tags == ("never:laterality", "modality:cr")
    assert instance.gold.reasoning_integration == "So it is left."
    assert len(instance.images) == 2
    assert loaded[0].rows == {name: FULL}
    assert loaded[1].sources == {"mine": str(table)}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_csv_as_spreadsheets_write_it(separator: str, encoding: str, tmp_path: Path, options: DataOptions) -> None:
    """With or without a byte order mark; commas, semicolons or tabs; line breaks of either kind."""
    path = _csv(tmp_path / "data", _as_csv({**FULL, "question": "Où, à gauche?"}, separator), encoding=encoding)
    assert only(path, options).question == "Où, à gauche?"


def test_lists_in_csv_may_be_json(tmp_path: Path, options: DataOptions) -> None:
    """Then their parts may hold a bar; flags are words; a quoted cell may have several lines."""
    row = {key: value for key, value in FULL.items() if key != "tags"}
    text = _as_csv({**row, "options": '[""A. x|y"", ""B. z""]', "phi": "FALSE", "question": "Which\nside?"})
    instance = only(_csv(tmp_path / "data", text), options)
    assert instance.options == ("A. x|y", "B. z")
    assert instance.question == "Which\nside?"
    assert not instance.phi


def test_gold_in_csv_may_be_nested(tmp_path: Path, options: DataOptions) -> None:
    """As the benchmark nests it, as JSON in a cell."""
    gold = json.dumps({"visual_recognition": {"text": "seen"}}).replace('"', '""')
    text = f'{HEADER},gold_cot\n1,q,yes,a.png,yes_no,"{gold}"\n'
    assert only(_csv(tmp_path / "data", text), options).gold.visual_recognition == "seen"


def test_rows_of_csv_are_named_by_their_line(tmp_path: Path, options: DataOptions) -> None:
    """The line on which a row begins, whatever line breaks its cells hold; blank lines are no rows."""
    text = f'{HEADER}\n1,"a\nb",yes,a.png,yes_no\n\n2,q,,a.png,yes_no\n3,q,yes,a.png\n4,q,yes,"[1",yes_no\n'
    found = troubles(_csv(tmp_path / "data", text), options)
    assert found[:2] == ["5: answer: is missing", "6: has 4 cells. Valid: 5, as the header"]
    assert found[2].startswith("7: images: (not shown) is not JSON: ")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no row"),
        (HEADER, "holds no row"),
        (f"{HEADER},anwser\n", "column: 'anwser' is not a field. Did you mean 'answer'?"),
        (f"{HEADER},answer\n", "the column 'answer' occurs twice"),
        (f'{HEADER}\n1,"q,yes\n', r"mine.csv:2: is not CSV: unexpected end of data\."),
        (f'{HEADER}\n1,"q,yes\n2,q,yes\n', r"mine.csv:2: is not CSV: .* \(in line 3, of the row that begins here\)"),
    ],
)
def test_a_csv_that_is_none_is_one_problem_of_the_file(
    text: str, says: str, tmp_path: Path, options: DataOptions
) -> None:
    """Not one for each of its rows."""
    with pytest.raises(BadInput, match=says) as raised:
        load_data([str(_csv(tmp_path / "data", text))], options)
    assert not isinstance(raised.value, BadRows)


def test_a_spreadsheets_own_encoding_is_named_as_such(tmp_path: Path, options: DataOptions) -> None:
    """With what to do about it."""
    path = _csv(tmp_path / "data", f"{HEADER}\n1,Où?,yes,a.png,yes_no\n", encoding="cp1252")
    with pytest.raises(BadInput, match=r"is not UTF-8 \(byte \d+\); in a spreadsheet save it as 'CSV UTF-8'"):
        load_data([str(path)], options)


def test_parquet_may_hold_its_images(tmp_path: Path, options: DataOptions) -> None:
    """They go to the cache, and their digests stand for them in the row."""
    image = {"bytes": png(), "path": None}
    rows = [{**ROW, "source_id": f"{n}", "images": [image, image]} for n in range(3)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    (dataset,) = load_data([str(tmp_path / "mine.parquet")], options)
    assert {image.read() for item in dataset.instances for image in item.images} == {png()}
    assert dataset.rows["0"]["images"] == [f"sha256:{dataset.instances[0].images[0].sha256}"] * 2
    assert len({item.cluster for item in dataset.instances}) == 1


def test_embedded_images_of_patients_go_to_the_private_cache(tmp_path: Path, options: DataOptions) -> None:
    """As those in files do."""
    row = {**ROW, "phi": True, "images": [{"bytes": png(), "path": None}]}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "mine.parquet")
    image = only(tmp_path / "mine.parquet", options).images[0]
    assert image.path is not None
    assert image.path.is_relative_to(tmp_path / "private")
    assert not (tmp_path / "cache").exists()


def test_an_embedded_image_that_is_none_is_a_problem(tmp_path: Path, options: DataOptions) -> None:
    """So is one without bytes or path."""
    rows = [
        {**ROW, "images": [{"bytes": b"<svg/>", "path": "a.png"}]},
        {**ROW, "source_id": "2", "images": [{"bytes": None, "path": None}]},
    ]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    found = troubles(tmp_path / "mine.parquet", options)
    assert len(found) == 2
    assert "is not an image" in "".join(found)
    assert "2: images[0]: None is not text" in found


def test_numbers_of_data_frames_are_whole_again(tmp_path: Path, options: DataOptions) -> None:
    """A column with gaps comes as floats and as not a number."""
    rows = [{**ROW, "source_id": 7.0, "answer_letter": float("nan")}]
    (tmp_path / "a.png").write_bytes(png())
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "mine.parquet")
    assert only(tmp_path / "mine.parquet", options).id == "7"


def test_a_folder_with_a_manifest_is_called_as_the_folder(tmp_path: Path, options: DataOptions) -> None:
    """Two manifests in it are one too many."""
    path = manifest(tmp_path / "hands", [ROW])
    path.rename(tmp_path / "hands" / "manifest.jsonl")
    assert load_data([str(tmp_path / "hands")], options)[0].name == "hands"
    (tmp_path / "hands" / "manifest.csv").write_text("", "utf-8")
    with pytest.raises(BadInput, match=r"has manifest.jsonl, manifest.csv of manifest.jsonl, "):
        load_data([str(tmp_path / "hands")], options)


def test_what_is_no_manifest_is_refused(tmp_path: Path, options: DataOptions) -> None:
    """An empty folder, another file, a name that thresholds use."""
    (tmp_path / "a.txt").write_text("", "utf-8")
    for spec, says in (
        ("", "is empty. Name a manifest"),
        (tmp_path, "has none of "),
        (tmp_path / "a.txt", "is no manifest. Valid: a file "),
    ):
        with pytest.raises(BadInput, match=says):
            load_data([str(spec)], options)
    path = manifest(tmp_path / "mean", [ROW])
    path.rename(path.with_name("manifest.jsonl"))
    with pytest.raises(BadInput, match="cannot be called 'mean'"):
        load_data([str(tmp_path / "mean")], options)


def test_two_data_sets_of_one_name_are_refused(tmp_path: Path, options: DataOptions) -> None:
    """Their gates could not be told apart."""
    paths = [str(manifest(tmp_path / name, [ROW])) for name in ("one", "two")]
    with pytest.raises(BadInput, match="two data sets are called 'mine'"):
        load_data(paths, options)


def test_rows_of_a_patient_form_a_cluster(tmp_path: Path, options: DataOptions) -> None:
    """Together with those that share an image with them; others stand alone."""
    images = {f"{n}.png": png((n, n, n)) for n in range(4)}
    rows = [
        {**ROW, "source_id": "a", "patient_id": "p", "images": ["0.png"]},
        {**ROW, "source_id": "b", "patient_id": "p", "images": ["1.png"]},
        {**ROW, "source_id": "c", "images": ["1.png", "2.png"]},
        {**ROW, "source_id": "d", "images": ["3.png"]},
    ]
    (dataset,) = load_data([str(manifest(tmp_path / "data", rows, images=images))], options)
    assert [item.cluster for item in dataset.instances] == ["mine/a", "mine/a", "mine/a", "mine/d"]


def test_the_benchmarks_own_rows_are_a_manifest_too(release: Release, options: DataOptions) -> None:
    """Its gold file beside its images, as it is: taken for patients', as it does not say."""
    root = release("medframeqa")
    gold = next(root.rglob("gold_cot.jsonl"))
    images = root / "data" / "medframeqa" / "input" / "test" / "images"
    own = images / "own.jsonl"
    own.write_bytes(gold.read_bytes())
    (dataset,) = load_data([str(own)], options)
    (same,) = load_data(["medframeqa"], DataOptions(data_root=root, cache=options.cache))
    assert all(item.phi for item in dataset.instances)
    digests = [[image.sha256 for image in item.images] for item in dataset.instances]
    assert digests == [[image.sha256 for image in item.images] for item in same.instances]
    assert {item.question_type for item in dataset.instances} == {QuestionType.MULTIPLE_CHOICE}


def test_the_schema_that_is_shipped_is_current() -> None:
    """Made by ``json.dumps(manifest_schema(), indent=2)``."""
    assert json.loads(SCHEMA.read_text("utf-8")) == manifest_schema()
    assert set(manifest_schema()["properties"]) == set(FIELDS)
    assert manifest_schema()["additionalProperties"] is False
    assert set(BENCHMARK_FIELDS) <= set(FIELDS)


def test_a_cell_may_be_long(tmp_path: Path, options: DataOptions) -> None:
    """A report of some hundred kilobytes is no broken file, in CSV as in JSON Lines."""
    question = "What is seen? " * 20_000
    path = _csv(tmp_path / "data", _as_csv({**FULL, "question": question}))
    assert only(path, options).question == question.strip()
