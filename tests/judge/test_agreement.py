"""Agreement with people: labels are read strictly, kappa is the textbook's, and nothing undefined is a number."""

import random
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.inter_rater import cohens_kappa as reference_kappa

from clinhallu_gate.errors import BadInput
from clinhallu_gate.judge.agreement import Label, Table, agreement, cohens_kappa
from clinhallu_gate.judge.labels import load_label_file
from clinhallu_gate.records import Failed, Instance, Judged, NotAsked, Reading, Unjudged, Verdict
from clinhallu_gate.stats import clopper_pearson_lower
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import Arm, FailReason, NotAskedReason, Outcome, Stage, UnjudgedReason

GROUNDED, HALLUCINATED = Outcome.GROUNDED, Outcome.HALLUCINATED
KNOWN = (an_instance(id="1"), an_instance(id="2"), an_instance(dataset="other", id="2"))


def _load(path: Path, *lines: str, known: Sequence[Instance] = KNOWN) -> tuple[Label, ...]:
    file = path / "labels.csv"
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return load_label_file(file, known).labels


# --- reading ----------------------------------------------------------------------------------------------------------


def test_labels_are_read(tmp_path: Path) -> None:
    """By uid, or by an id that only one dataset has; without an arm, on the trace that the rate is read from."""
    labels = _load(
        tmp_path,
        "instance,stage,label,arm,note",
        "1,visual_recognition,grounded,,clear",
        "other/2, knowledge_recall ,Hallucinated,,",
        "sample/2,reasoning_integration,grounded,baseline,",
    )
    assert [(label.uid, label.stage, label.arm, label.label) for label in labels] == [
        ("sample/1", Stage.VISUAL_RECOGNITION, Arm.BASELINE, GROUNDED),
        ("other/2", Stage.KNOWLEDGE_RECALL, Arm.REPLACE_VR, HALLUCINATED),
        ("sample/2", Stage.REASONING_INTEGRATION, Arm.BASELINE, GROUNDED),
    ]


def test_a_file_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """With a byte order mark and quotes."""
    file = tmp_path / "labels.csv"
    file.write_bytes('\ufeffinstance,stage,label\r\n"1","visual_recognition","grounded"\r\n'.encode())
    assert len(load_label_file(file, KNOWN).labels) == 1


def test_all_that_is_wrong_is_said_with_its_line(tmp_path: Path) -> None:
    """In one go, so that a file is mended once."""
    with pytest.raises(BadInput) as raised:
        _load(
            tmp_path,
            "instance,stage,label",
            "1,visual,grounded",
            "1,visual_recognition,grounded",
            "2,visual_recognition,grounded",
            "9,visual_recognition,grounded",
            "1,knowledge_recall,false",
            "sample/1,visual_recognition,hallucinated",
        )
    assert str(raised.value) == (
        f"{tmp_path}/labels.csv: 5 rows cannot be used: "
        "line 2: stage: 'visual' is not a stage. Did you mean 'visual_recognition'? "
        "line 4: instance: '2' is in several datasets: sample/2, other/2. "
        "line 5: instance: '9' is not in the data. Valid: sample/1, sample/2, other/2. "
        "line 6: label: 'false' is not a label. Valid: grounded, hallucinated. "
        "line 7: instance: 'sample/1' has a label on visual_recognition of baseline already, on line 3."
    )


def test_of_patients_no_value_is_told(tmp_path: Path) -> None:
    """A row that fits no instance may name one as it is called elsewhere."""
    patients = (an_instance(id="1", phi=True),)
    with pytest.raises(BadInput, match=r"line 2: instance: cannot be used .*pseudonyms") as raised:
        _load(tmp_path, "instance,stage,label", "Jane Doe,visual_recognition,grounded", known=patients)
    assert "Doe" not in str(raised.value)
    with pytest.raises(BadInput, match="header: is missing instance, stage, label") as raised:
        _load(tmp_path, "Jane Doe,visual_recognition,grounded", known=patients)
    assert "Doe" not in str(raised.value)


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (["instance,stage"], "header: is missing label. Valid: instance, stage, label, arm, note."),
        (["instance,stage,labels"], "header: 'labels' is not a column. Did you mean 'label'?"),
        (["instance,stage,label,label"], "header: a column stands twice."),
        (["instance,stage,label"], "holds no labels, only a header."),
        (["instance,stage,label", "1,visual_recognition,grounded,extra"], ":2: has more values than"),
        (["instance,stage,label,arm", "1,visual_recognition,grounded,base"], "arm: 'base' is not an arm."),
        (["instance,stage,label", "1"], "line 2: stage: '' is not a stage."),
        (["instance,stage,label", '"1,visual_recognition,grounded'], "is not CSV"),
    ],
)  # fmt: skip
def test_a_file_that_holds_no_labels_is_refused(tmp_path: Path, lines: list[str], says: str) -> None:
    """With what is wrong and what is valid."""
    with pytest.raises(BadInput) as raised:
        _load(tmp_path, *lines)
    assert says in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_missing_file_and_another_encoding_are_refused(tmp_path: Path) -> None:
    """With the file's name."""
    with pytest.raises(BadInput, match=r"none\.csv: cannot be read: No such file"):
        load_label_file(tmp_path / "none.csv", KNOWN)
    (tmp_path / "latin.csv").write_bytes("instance,stage,label,note\n1,x,y,é\n".encode("latin-1"))
    with pytest.raises(BadInput, match=r"latin\.csv: is not UTF-8"):
        load_label_file(tmp_path / "latin.csv", KNOWN)


# --- kappa ------------------------------------------------------------------------------------------------------------


@given(st.tuples(*[st.integers(1, 200)] * 4))
def test_kappa_and_its_interval_are_those_of_statsmodels(cells: tuple[int, int, int, int]) -> None:
    """For every table without an empty cell."""
    a, b, c, d = cells
    kappa = cohens_kappa(
        Table(hallucinated_hallucinated=a, hallucinated_grounded=b, grounded_hallucinated=c, grounded_grounded=d)
    )
    wanted = reference_kappa([[a, b], [c, d]])
    assert kappa.estimate == pytest.approx(wanted.kappa, abs=1e-9)
    assert kappa.interval is not None
    assert kappa.interval[0] == pytest.approx(max(wanted.kappa_low, -1), abs=1e-6)
    assert kappa.interval[1] == pytest.approx(min(wanted.kappa_upp, 1), abs=1e-6)


def test_a_published_kappa() -> None:
    """Fleiss, Levin and Paik's kind of table: 45 and 25 agreed, 15 and 15 not, gives .38 to two places."""
    table = Table(
        hallucinated_hallucinated=45, hallucinated_grounded=15, grounded_hallucinated=15, grounded_grounded=25
    )
    assert cohens_kappa(table).estimate == pytest.approx(0.375)


@pytest.mark.parametrize("table", [Table(), Table(grounded_grounded=9), Table(hallucinated_hallucinated=9)])
def test_an_undefined_kappa_is_no_number(table: Table) -> None:
    """Without labels, or where everything is one thing to both."""
    kappa = cohens_kappa(table)
    assert kappa.estimate is None
    assert kappa.interval is None
    assert kappa.reason


def test_a_kappa_without_variance_has_no_interval() -> None:
    """Full agreement on few stages is not known to be full."""
    kappa = cohens_kappa(Table(hallucinated_hallucinated=3, grounded_grounded=4))
    assert kappa.estimate == 1.0
    assert kappa.interval is None
    assert "no width" in kappa.reason


# --- agreement --------------------------------------------------------------------------------------------------------


def _labels(stage: Stage, said: Sequence[Outcome]) -> list[Label]:
    names = [f"sample/{number}" for number in range(len(said))]
    return [
        Label(uid=name, cluster=name, stage=stage, arm=Arm.BASELINE, label=label)
        for name, label in zip(names, said, strict=True)
    ]


def _judge(said: Sequence[Verdict | Outcome]) -> Callable[[str, Reading], Verdict]:
    verdicts = [Judged(verdict, "") if isinstance(verdict, Outcome) else verdict for verdict in said]
    return lambda uid, _: verdicts[int(uid.rpartition("/")[2])]


def test_agreement_is_told_by_stage_and_overall() -> None:
    """The table has people first and the judge second; rates are the judge's against people."""
    labels = _labels(Stage.VISUAL_RECOGNITION, [HALLUCINATED] * 4 + [GROUNDED] * 6)
    found = agreement(labels, _judge([HALLUCINATED] * 3 + [GROUNDED] * 6 + [HALLUCINATED]))
    assert list(found.stages) == [Stage.VISUAL_RECOGNITION]
    assert found.overall == found.stages[Stage.VISUAL_RECOGNITION]
    whole = found.overall
    assert whole.table == Table(
        hallucinated_hallucinated=3, hallucinated_grounded=1, grounded_hallucinated=1, grounded_grounded=5
    )
    assert whole.raw == pytest.approx(0.8)
    assert whole.kappa.estimate == pytest.approx((0.8 - 0.52) / 0.48)
    assert (whole.sensitivity.right, whole.sensitivity.n) == (3, 4)
    assert (whole.specificity.right, whole.specificity.n) == (5, 6)
    assert whole.sensitivity.lower == pytest.approx(clopper_pearson_lower(3, 4, 0.05))


def test_what_has_no_verdict_is_counted_apart() -> None:
    """Neither the instrument's failures nor the model's are agreement or disagreement."""
    said: list[Verdict | Outcome] = [
        GROUNDED,
        Unjudged(UnjudgedReason.JUDGE_FAILED),
        Failed(FailReason.STAGE_MISSING),
        NotAsked(NotAskedReason.NO_GOLD),
    ]
    found = agreement(_labels(Stage.KNOWLEDGE_RECALL, [GROUNDED] * 4), _judge(said)).overall
    assert (found.labels, found.unjudged, found.without_verdict, found.table.n) == (4, 1, 2, 1)
    assert found.sensitivity.estimate is None


def test_the_reading_asked_for_is_the_labelled_one() -> None:
    """The arm and stage of the label."""
    asked: list[tuple[str, Reading]] = []

    def verdict_of(uid: str, reading: Reading) -> Verdict:
        asked.append((uid, reading))
        return Judged(GROUNDED, "")

    agreement(_labels(Stage.VISUAL_RECOGNITION, [GROUNDED]), verdict_of)
    assert asked == [("sample/0", Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION))]


def test_agreement_survives_json() -> None:
    """It stands in the decision file."""
    rng = random.Random(3)
    said = [rng.choice((GROUNDED, HALLUCINATED)) for _ in range(30)]
    found = agreement(_labels(Stage.VISUAL_RECOGNITION, said), _judge(list(reversed(said))))
    assert type(found).model_validate_json(found.model_dump_json()) == found
