"""Data sets of the benchmark: from the released formats to instances, the same from every place."""

import json
from pathlib import Path

import orjson
import pytest
from data_files import NAMES, Release, huge_png

from clinhallu_gate._scripted.released import suits, write_released
from clinhallu_gate.datasets.load import BadRows, DataOptions, Dataset, load_data
from clinhallu_gate.errors import BadInput
from clinhallu_gate.records import Instance
from clinhallu_gate.vocabulary import QuestionType


def _with_root(options: DataOptions, root: Path) -> DataOptions:
    return DataOptions(data_root=root, cache=options.cache, private_cache=options.private_cache)


def _rows(root: Path, key: str) -> Path:
    return root / "results" / key / "gold" / "qwen3.5-plus" / "gold_cot.jsonl"


def _changed(path: Path, number: int, **changes: object) -> None:
    """Change fields of one row; None takes the field away."""
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    rows[number] = {key: value for key, value in {**rows[number], **changes}.items() if value is not None}
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")


@pytest.mark.parametrize("name", NAMES)
def test_a_folder_and_a_copy_of_the_hub_hold_the_same_data(name: str, release: Release, options: DataOptions) -> None:
    """Rows, gold traces, pixels, clusters and tags: one digest, wherever the files are."""
    own, copy = (
        load_data([name], _with_root(options, release(name, layout=layout)))[0] for layout in ("results", "copy")
    )
    assert own.sha256 == copy.sha256
    assert own.name == name
    assert {instance.stratum for instance in own.instances} == {name}
    assert own.rows == copy.rows
    assert own.left_out == ()


@pytest.mark.parametrize("layout", ["results", "copy"])
def test_instances_are_those_that_were_written(
    layout: str, tmp_path: Path, phantoms: tuple[Instance, ...], options: DataOptions
) -> None:
    """Question, answer, options, gold traces and every byte of every image come through the released format."""
    by_uid = {item.uid: item for item in phantoms}
    for name in NAMES:
        usable = [item for item in phantoms if suits(name, item)][-8:]
        uids = write_released(tmp_path / layout, name, usable, layout=layout)  # type: ignore[arg-type]
        (dataset,) = load_data([name], _with_root(options, tmp_path / layout))
        assert len(dataset.instances) == len(usable)
        for instance in dataset.instances:
            whole = by_uid[uids[instance.id]]
            for field in ("question", "question_type", "options", "answer", "answer_letter", "gold"):
                assert getattr(instance, field) == getattr(whole, field)
            assert [image.read() for image in instance.images] == [image.read() for image in whole.images]
            assert [image.sha256 for image in instance.images] == [image.sha256 for image in whole.images]
            assert {image.media_type for image in instance.images} == {"image/png"}


def test_clinhallu_is_all_four(release: Release, options: DataOptions) -> None:
    """Four data sets with names of their own; MedFrameQA has two to five images each."""
    datasets = load_data(["clinhallu", "vqa-rad"], _with_root(options, release(*NAMES, number=12)))
    assert [dataset.name for dataset in datasets] == list(NAMES)
    assert {len(instance.images) for instance in datasets[2].instances} >= {2, 5}
    assert {instance.question_type for instance in datasets[3].instances} == {QuestionType.MULTIPLE_CHOICE}
    assert "modality:ultrasound" in datasets[2].instances[0].tags
    assert any(tag.startswith("body_system:") for tag in datasets[3].instances[0].tags)


def test_images_are_not_held_in_memory(release: Release, options: DataOptions) -> None:
    """An image is a path, in the folder as it is and in the cache where it came out of Parquet or an archive."""
    own = load_data(["vqa-rad"], _with_root(options, release("vqa-rad")))[0]
    copy = load_data(["vqa-rad"], _with_root(options, release("vqa-rad", layout="copy")))[0]
    for dataset, folder in ((own, "results"), (copy, "cache")):
        paths = [image.path for instance in dataset.instances for image in instance.images]
        assert all(path is not None and folder in path.parts for path in paths)
        assert all(image.data is None for instance in dataset.instances for image in instance.images)


def test_questions_on_one_image_or_video_form_a_cluster(release: Release, options: DataOptions) -> None:
    """VQA-RAD by the image, MedFrameQA by the video too."""
    root = release("vqa-rad", "medframeqa", number=8)
    rows = _rows(root, "medframeqa-test")
    for number, video in enumerate(["a", "b", "a"]):
        _changed(rows, number, video_id=video)
    rad, frames = load_data(["vqa-rad", "medframeqa"], _with_root(options, root))
    by_image = {instance.images[0].sha256: instance.cluster for instance in rad.instances}
    assert len(set(by_image.values())) == len(by_image) < len(rad.instances)
    by_id = {instance.id: instance.cluster for instance in frames.instances}
    first = [json.loads(line)["source_id"] for line in rows.read_text("utf-8").splitlines()[:3]]
    assert by_id[first[0]] == by_id[first[2]]


def test_identity_is_source_id_or_original_index(release: Release, options: DataOptions) -> None:
    """The index stands in where there is no id, as in the benchmark's own code."""
    root = release("vqa-rad")
    _changed(_rows(root, "vqa-rad-test"), 0, source_id=" ")
    _changed(_rows(root, "vqa-rad-test"), 1, source_id="mine")
    ids = {instance.id for instance in load_data(["vqa-rad"], _with_root(options, root))[0].instances}
    assert {"1", "mine"} <= ids


def test_rows_are_kept_as_they_were_read(release: Release, options: DataOptions) -> None:
    """What the gate has no use for is there too, so that an export can write it back."""
    root = release("medframeqa")
    _changed(_rows(root, "medframeqa-test"), 0, something="else", organ=["a", "b"])
    (dataset,) = load_data(["medframeqa"], _with_root(options, root))
    lines = _rows(root, "medframeqa-test").read_bytes().splitlines()
    assert list(dataset.rows.values()) == [orjson.loads(line) for line in lines]
    assert all(dataset.rows[row["source_id"]] == row for row in dataset.rows.values())


def test_where_data_come_from_is_recorded(release: Release, options: DataOptions) -> None:
    """The folder of the rows and that of the images."""
    root = release("vqa-rad")
    (dataset,) = load_data(["vqa-rad"], _with_root(options, root))
    assert dataset.sources == {
        "Alibaba-DAMO-Academy/ClinHallu": str(root),
        "flaviagiammarino/vqa-rad": str(root / "data" / "vqa-rad" / "input" / "test" / "images"),
    }


def test_all_bad_rows_are_named_at_once(release: Release, options: DataOptions) -> None:
    """One line says how many, then a line for every problem of every set."""
    root = release("vqa-rad", "medxpertqa")
    rad, choice = _rows(root, "vqa-rad-test"), _rows(root, "medxpert-test")
    _changed(rad, 0, question=" ", question_type="yesno")
    _changed(rad, 1, images=["vqarad_99999.jpg"])
    _changed(choice, 2, answer_letter="Q")
    rad.write_text(rad.read_text("utf-8") + '{"broken": \n[1]\n', "utf-8")
    with pytest.raises(BadRows) as raised:
        load_data(["vqa-rad", "medxpertqa"], _with_root(options, root))
    text = str(raised.value).replace(str(root), "ROOT")
    lines = text.splitlines()
    assert lines[0] == "5 of 14 rows cannot be used"
    rows = "ROOT/results/vqa-rad-test/gold/qwen3.5-plus/gold_cot.jsonl"
    images = "ROOT/data/vqa-rad/input/test/images"
    assert lines[1:] == [
        f"{rows}:1: question: is empty",
        f"{rows}:1: question_type: 'yesno' is not a question type. Did you mean 'yes_no'?",
        f"{rows}:2: images[0]: 'vqarad_99999.jpg' does not exist in {images}",
        f"{rows}:7: is not JSON: unexpected end of data: line 1 column 11 (char 10)",
        f"{rows}:8: is a list, not an object",
        f"{rows.replace('vqa-rad', 'medxpert')}:3: answer_letter: 'Q' is no option. Valid: A, B, C, D",
    ]


def test_so_many_bad_rows_may_be_left_out_by_name(release: Release, options: DataOptions) -> None:
    """As many as were allowed are named in the data set; one more is refused."""
    root = release("vqa-rad")
    for number in (0, 3):
        _changed(_rows(root, "vqa-rad-test"), number, answer=None)
    chosen = _with_root(options, root)
    with pytest.raises(BadRows, match=r"^2 of 6 rows cannot be used, 1 allowed\n"):
        load_data(["vqa-rad"], DataOptions(chosen.data_root, 1, chosen.cache))
    (dataset,) = load_data(["vqa-rad"], DataOptions(chosen.data_root, 2, chosen.cache))
    assert len(dataset.instances) == len(dataset.rows) == 4
    assert [(problem.row, problem.text) for problem in dataset.left_out] == [
        (1, "answer: is missing"),
        (4, "answer: is missing"),
    ]


def test_fifty_problems_are_listed(release: Release, options: DataOptions) -> None:
    """The rest is counted."""
    root = release("vqa-rad")
    rows = _rows(root, "vqa-rad-test")
    rows.write_text(rows.read_text("utf-8") + "[]\n" * 60, "utf-8")
    with pytest.raises(BadRows) as raised:
        load_data(["vqa-rad"], _with_root(options, root))
    lines = str(raised.value).splitlines()
    assert lines[0] == "60 of 66 rows cannot be used"
    assert len(lines) == 52
    assert lines[-1] == "and 10 more"


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("gold_cot", None, "gold_cot: is missing"),
        ("gold_cot", {}, "gold_cot.visual_recognition: is missing"),
        ("gold_cot", {"visual_recognition": {"text": " "}}, "gold_cot.visual_recognition.text: is empty"),
        ("gold_cot", {"knowledge_recall": "text"}, "gold_cot.knowledge_recall: 'text' is not an object"),
    ],
)
def test_the_benchmark_has_every_gold_stage(
    field: str, value: object, says: str, release: Release, options: DataOptions
) -> None:
    """A stage that is missing or empty is a problem of the row."""
    root = release("vqa-rad")
    _changed(_rows(root, "vqa-rad-test"), 2, **{field: value})
    with pytest.raises(BadRows) as raised:
        load_data(["vqa-rad"], _with_root(options, root))
    assert says in [problem.text for problem in raised.value.problems]
    assert {problem.row for problem in raised.value.problems} == {3}


def test_the_same_identity_twice_is_a_problem_of_the_later_row(release: Release, options: DataOptions) -> None:
    """It says where the first one stands; neither overwrites the other."""
    root = release("vqa-rad")
    rows = _rows(root, "vqa-rad-test")
    rows.write_text(rows.read_text("utf-8") + rows.read_text("utf-8").splitlines()[0] + "\n", "utf-8")
    with pytest.raises(BadRows) as raised:
        load_data(["vqa-rad"], _with_root(options, root))
    (problem,) = raised.value.problems
    assert (problem.row, problem.text) == (7, f"'1' is already the identity of {rows}:1")


def test_the_digest_is_of_content_alone(release: Release, options: DataOptions) -> None:
    """Another folder, another order of rows or another name of an image change nothing; a pixel or a word does."""
    root, other = release("vqa-rad"), release("vqa-rad", folder="elsewhere")
    rows = _rows(other, "vqa-rad-test")
    rows.write_text("".join(f"{line}\n" for line in reversed(rows.read_text("utf-8").splitlines())), "utf-8")
    first = load_data(["vqa-rad"], _with_root(options, root))[0]
    assert load_data(["vqa-rad"], _with_root(options, other))[0].sha256 == first.sha256
    _changed(rows, 0, answer="yes, it is")
    assert load_data(["vqa-rad"], _with_root(options, other))[0].sha256 != first.sha256


def test_another_image_is_another_digest(release: Release, options: DataOptions) -> None:
    """Pixels count through their digest."""
    root = release("vqa-rad")
    first = load_data(["vqa-rad"], _with_root(options, root))[0]
    image = next((root / "data").rglob("*.jpg"))
    image.write_bytes(image.read_bytes() + b"more")
    assert load_data(["vqa-rad"], _with_root(options, root))[0].sha256 != first.sha256


def test_an_unreadable_image_spoils_every_row_that_shows_it(release: Release, options: DataOptions) -> None:
    """Each of them is named."""
    root = release("vqa-rad", number=4)
    shown = [json.loads(line)["images"][0] for line in _rows(root, "vqa-rad-test").read_text("utf-8").splitlines()]
    (root / "data" / "vqa-rad" / "input" / "test" / "images" / shown[0]).write_bytes(huge_png())
    with pytest.raises(BadRows) as raised:
        load_data(["vqa-rad"], _with_root(options, root))
    assert [problem.row for problem in raised.value.problems] == [
        number for number, name in enumerate(shown, 1) if name == shown[0]
    ]


def test_phantoms_need_no_options() -> None:
    """The generated data are as before."""
    (alone,) = load_data(["phantom", "phantom"])
    assert (alone.name, len(alone.instances), alone.rows, alone.sources) == ("phantom", 240, {}, {})
    assert isinstance(alone, Dataset)


@pytest.mark.parametrize(
    ("spec", "says"),
    [
        ("vqarad", "--data: 'vqarad' is not a dataset. Did you mean 'vqa-rad'?"),
        ("zzz", "Valid: phantom, vqa-rad, pathvqa, medframeqa, medxpertqa, clinhallu."),
        ("./no/such.jsonl", "--data: ./no/such.jsonl: does not exist."),
    ],
)
def test_a_name_that_is_no_data_set_is_refused(spec: str, says: str) -> None:
    """With the nearest name, or all of them."""
    with pytest.raises(BadInput) as raised:
        load_data([spec])
    assert says in str(raised.value)


def test_a_negative_allowance_is_refused() -> None:
    """It is no number of rows."""
    with pytest.raises(BadInput, match="--allow-bad-rows: -1 is not a number of rows"):
        load_data(["phantom"], DataOptions(allow_bad_rows=-1))


def test_a_set_of_which_no_row_is_left_is_refused(release: Release, options: DataOptions) -> None:
    """However many bad rows are allowed: nothing is no data."""
    root = release("vqa-rad", number=2)
    for number in (0, 1):
        _changed(_rows(root, "vqa-rad-test"), number, answer=None)
    with pytest.raises(BadInput, match="no row of vqa-rad can be used"):
        load_data(["vqa-rad"], DataOptions(root, 5, options.cache))
