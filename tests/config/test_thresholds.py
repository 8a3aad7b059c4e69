"""Thresholds files: what they may say, how they spell out gates, and the one line that bad ones get."""

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from clinhallu_gate.config.thresholds import BaselinePolicy, demand_baseline, expand, load_thresholds
from clinhallu_gate.errors import BadInput
from clinhallu_gate.vocabulary import Arm, Metric, Severity, Target, Unit

ROOT = Path(__file__).resolve().parents[2]
HEAD = "schema_version: 1\ngates:\n"
VISUAL = "  - metric: visual_hallucination_rate\n    max: 0.3\n"
ACCURACY = "  - metric: answer_accuracy\n"
RECOVERY = "  - metric: recovery\n"
METRICS = (
    "visual_hallucination_rate, knowledge_hallucination_rate, reasoning_hallucination_rate, answer_accuracy, recovery"
)


def written(folder: Path, text: str) -> Path:
    """Write a thresholds file."""
    path = folder / "icu.yaml"
    path.write_text(text)
    return path


def complaint(path: Path) -> str:
    """Return the one line that the file gets, without the folder."""
    with pytest.raises(BadInput) as caught:
        load_thresholds(path)
    line = str(caught.value)
    assert "\n" not in line
    return line.replace(f"{path.parent}/", "")


def test_the_policy_for_local_patients_is_about_patients() -> None:
    """Every gate speaks of patients like these, each patient alike; blocking ones have a reason, and all are asked."""
    thresholds = load_thresholds(ROOT / "thresholds" / "local.yaml")
    specs = expand(thresholds, {"ward": ("ward",)})
    assert {(spec.target, spec.unit) for spec in specs} == {(Target.POPULATION, Unit.PATIENT)}
    assert not thresholds.early_stop
    assert all(spec.rationale for spec in specs)
    blocking = {spec.id: spec for spec in specs if spec.blocking}
    for stage in ("visual", "knowledge", "reasoning"):
        assert blocking[f"{stage}_hallucination_rate[mean]"].max is not None
    assert blocking["answer_accuracy-drop[mean]"].baseline is BaselinePolicy.IF_GIVEN
    demand_baseline(thresholds, given=False)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (
            HEAD + VISUAL + ACCURACY + "    min: 0.7\n  - metric: visual_rate\n    max: 0.3\n",
            "icu.yaml:7: gates[2].metric: 'visual_rate' is not a metric. Did you mean 'visual_hallucination_rate'?",
        ),
        (
            HEAD + "  - metric: [7]\n    max: 0.3\n",
            f"icu.yaml:3: gates[0].metric: [7] is not a metric. Valid: {METRICS}.",
        ),
        (HEAD + "  - max: 0.3\n", f"icu.yaml:3: gates[0].metric: is missing. Valid: {METRICS}."),
        (HEAD + VISUAL + "    maks: 1\n", "icu.yaml:5: gates[0].maks: 'maks' is not a key. Did you mean 'max'?"),
        ("aplha: 0.1\n" + HEAD + VISUAL, "icu.yaml:1: aplha: 'aplha' is not a key. Did you mean 'alpha'?"),
        ("alpha: 0.7\n" + HEAD + VISUAL, "icu.yaml:1: alpha: 0.7 is not above 0 and below 0.5."),
        ("alpha: null\n" + HEAD + VISUAL, "icu.yaml:1: alpha: None is not a number."),
        (
            "target: people\n" + HEAD + VISUAL,
            "icu.yaml:1: target: 'people' is not a target. Did you mean 'population'?",
        ),
        ("early_stop: 1\n" + HEAD + VISUAL, "icu.yaml:1: early_stop: 1 is neither true nor false."),
        (
            "schema_version: 2\ngates:\n" + VISUAL,
            "icu.yaml:1: schema_version: 2 is not a schema version that this package reads. Valid: 1.",
        ),
        ("schema_version: 1\n", "icu.yaml:1: gates: is missing."),
        ("schema_version: 1\ngates: []\n", "icu.yaml:2: gates: [] is empty; at least one is wanted."),
        ("schema_version: 1\ngates: none\n", "icu.yaml:2: gates: 'none' is not a list."),
        (
            "",
            (
                "icu.yaml: is not a thresholds file: no keys. "
                "Valid: schema_version, alpha, target, max_unjudged, max_without_gold, early_stop, unit, judge, gates."
            ),
        ),
        (HEAD + ACCURACY + "    min: '0.7'\n", "icu.yaml:4: gates[0].min: '0.7' is not a number."),
        (HEAD + ACCURACY + "    min: yes\n", "icu.yaml:4: gates[0].min: True is not a number."),
        (
            HEAD + ACCURACY + "    min: 75\n",
            "icu.yaml:4: gates[0].min: 75 is not between 0 and 1 (recovery: -1 and 1).",
        ),
        (
            HEAD + ACCURACY + "    min: .nan\n",
            "icu.yaml:4: gates[0].min: nan is not between 0 and 1 (recovery: -1 and 1).",
        ),
        (HEAD + ACCURACY + "    min: -0.1\n", "icu.yaml:4: gates[0].min: -0.1 is not between 0 and 1."),
        (
            HEAD + ACCURACY + "    max: 0.1\n",
            "icu.yaml:4: gates[0].max: does not fit answer_accuracy. Valid: min, max_drop, max_events.",
        ),
        (
            HEAD + VISUAL + "    min: 0.1\n",
            "icu.yaml:3: gates[0]: exactly one of max, min, max_drop and max_events is wanted, found max and min.",
        ),
        (
            HEAD + ACCURACY,
            "icu.yaml:3: gates[0]: exactly one of max, min, max_drop and max_events is wanted, found none of them.",
        ),
        (
            HEAD + RECOVERY + "    min: 0.0\n",
            (
                "icu.yaml:3: gates[0].arm: recovery needs the arm that it speaks of. "
                "Valid: replace_vr, replace_kr, replace_vr_kr."
            ),
        ),
        (
            HEAD + RECOVERY + "    arm: replace_rv\n    min: 0.0\n",
            "icu.yaml:4: gates[0].arm: 'replace_rv' is not an arm. Did you mean 'replace_vr'?",
        ),
        (
            HEAD + VISUAL + "    arm: replace_vr\n",
            (
                "icu.yaml:5: gates[0].arm: visual_hallucination_rate is read from baseline, not from replace_vr. "
                "Leave the key out."
            ),
        ),
        (
            HEAD + VISUAL + "    baseline: required\n",
            "icu.yaml:5: gates[0].baseline: has a meaning only beside max_drop.",
        ),
        (HEAD + VISUAL + "    scope: []\n", "icu.yaml:5: gates[0].scope: [] is empty; at least one is wanted."),
        (HEAD + VISUAL + "    scope: [7]\n", "icu.yaml:5: gates[0].scope[0]: 7 is not text."),
        (
            HEAD + VISUAL + VISUAL,
            "icu.yaml:5: gates[1]: 'visual_hallucination_rate[mean]' is already decided by gates[0].",
        ),
        (HEAD + VISUAL + "    max: 0.4\n", "icu.yaml:5: is not YAML: the key 'max' occurs twice."),
        ("a: &x [*x]\n", "icu.yaml:1: is not YAML: an alias that contains itself."),
        ("a: [1\n", "icu.yaml:2: is not YAML: expected ',' or ']', but got '<stream end>'."),
        (HEAD + VISUAL + "---\na: 1\n", "icu.yaml:5: is not YAML: but found another document."),
    ],
)
def test_bad_files_get_one_line(tmp_path: Path, text: str, line: str) -> None:
    """Every mistake is one line that names file, line, key, the bad value and the valid ones."""
    assert complaint(written(tmp_path, text)) == line


def test_files_that_cannot_be_read_get_one_line(tmp_path: Path) -> None:
    """A missing file, a folder and bytes that are not text are told apart."""
    assert complaint(tmp_path / "nope.yaml") == "nope.yaml: cannot be read: No such file or directory."
    assert complaint(tmp_path / ".").endswith(": cannot be read: Is a directory.")
    path = tmp_path / "icu.yaml"
    path.write_bytes(b"\xff\xfe")
    assert complaint(path) == "icu.yaml: is not UTF-8 text (byte 0)."


def test_defaults_and_digest(tmp_path: Path) -> None:
    """What the file leaves out has a default, and the file's own bytes are digested."""
    path = written(tmp_path, HEAD + VISUAL)
    thresholds = load_thresholds(path)
    assert (thresholds.alpha, thresholds.target, thresholds.max_unjudged) == (0.05, Target.POPULATION, 0.02)
    assert thresholds.early_stop is False
    assert thresholds.file == str(path)
    assert thresholds.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert thresholds.gates[0].scope == ("mean",)
    assert thresholds.gates[0].severity is Severity.BLOCKING
    with pytest.raises(ValidationError):
        thresholds.alpha = 0.1  # type: ignore[misc]


def test_how_much_gold_may_lack(tmp_path: Path) -> None:
    """None by default; a share holds for all gates of the file, but for those of a model's own answers."""
    assert load_thresholds(written(tmp_path, HEAD + VISUAL)).max_without_gold == 0.0
    text = "max_without_gold: 0.02\n" + HEAD + VISUAL + ACCURACY + "    min: 0.7\n" + ACCURACY + "    arm: replace_vr\n"
    specs = expand(load_thresholds(written(tmp_path, text + "    min: 0.8\n")), {})
    assert [spec.max_without_gold for spec in specs] == [0.02] * 3
    assert [spec.may_lack_gold for spec in specs] == [True, False, True]
    for value in ("1.2", "-0.1", "many", "true"):
        line = complaint(written(tmp_path, f"max_without_gold: {value}\n" + HEAD + VISUAL))
        assert line.startswith("icu.yaml:1: max_without_gold: ")
    assert line.endswith("is not a number.")


def test_gold_that_lacks_and_an_early_end_exclude_each_other(tmp_path: Path) -> None:
    """The order of the visit follows from the data, gold included: leaving out a row's gold would draw another one."""
    for share, early, refused in ((0.02, "true", True), (0.02, "false", False), (0.0, "true", False)):
        text = f"max_without_gold: {share}\nearly_stop: {early}\n" + HEAD + VISUAL
        if not refused:
            assert load_thresholds(written(tmp_path, text)).max_without_gold == share
            continue
        assert complaint(written(tmp_path, text)) == (
            "icu.yaml:1: max_without_gold: 0.02 does not go with early_stop: true, since rows would be visited in "
            "another order, and may be decided otherwise, if one row's gold were left out. Take out early_stop to let "
            "gold lack, or max_without_gold to end early."
        )


def test_a_gate_overrides_the_target_and_carries_early_stop(tmp_path: Path) -> None:
    """A gate's own target wins over the file's."""
    text = "early_stop: true\n" + HEAD + VISUAL + "    target: benchmark\n" + ACCURACY + "    min: 0.7\n"
    thresholds = load_thresholds(written(tmp_path, text))
    assert thresholds.early_stop is True
    assert [spec.target for spec in expand(thresholds, {})] == [Target.BENCHMARK, Target.POPULATION]


def test_scopes_are_spelled_out(tmp_path: Path) -> None:
    """Several scopes and ``each`` become single gates with stable ids; strata and datasets are both scopes."""
    text = HEAD + VISUAL + "    scope: [mean, phantom, each]\n" + ACCURACY + "    min: 0.5\n    scope: ct\n"
    specs = expand(load_thresholds(written(tmp_path, text)), {"phantom": ["xr", "ct"], "other": ["ct"]})
    assert [spec.id for spec in specs] == [
        "visual_hallucination_rate[mean]",
        "visual_hallucination_rate[phantom]",
        "visual_hallucination_rate[xr]",
        "visual_hallucination_rate[ct]",
        "answer_accuracy[ct]",
    ]


def test_ids_tell_arms_and_drops_apart(tmp_path: Path) -> None:
    """The same metric of another arm, or as a drop, is another gate."""
    text = (
        HEAD
        + (ACCURACY + "    min: 0.5\n")
        + (ACCURACY + "    arm: replace_vr\n    min: 0.6\n")
        + (ACCURACY + "    max_drop: 0.02\n")
        + (RECOVERY + "    arm: replace_vr\n    min: -0.1\n")
        + "  - metric: reasoning_hallucination_rate\n    max: 0.1\n"
    )
    specs = expand(load_thresholds(written(tmp_path, text)), {"phantom": ["ct"]})
    assert [(spec.id, spec.arm) for spec in specs] == [
        ("answer_accuracy[mean]", Arm.BASELINE),
        ("answer_accuracy-replace_vr[mean]", Arm.REPLACE_VR),
        ("answer_accuracy-drop[mean]", Arm.BASELINE),
        ("recovery-replace_vr[mean]", Arm.REPLACE_VR),
        ("reasoning_hallucination_rate[mean]", Arm.REPLACE_VR_KR),
    ]
    assert specs[2].baseline is BaselinePolicy.IF_GIVEN


@pytest.mark.parametrize(
    ("scope", "line"),
    [
        (
            "scope: [mean, zz]",
            (
                "icu.yaml:5: gates[0].scope[1]: 'zz' is not a stratum or dataset of this data. "
                "Valid: mean, each, phantom, ct, xray."
            ),
        ),
        (
            "scope: fantom",
            "icu.yaml:5: gates[0].scope: 'fantom' is not a stratum or dataset of this data. Did you mean 'phantom'?",
        ),
        (
            "scope: [each, ct]",
            "icu.yaml:3: gates[0]: 'visual_hallucination_rate[ct]' is already decided by gates[0].",
        ),
    ],
)
def test_scopes_that_do_not_fit_the_data_get_one_line(tmp_path: Path, scope: str, line: str) -> None:
    """A scope that the data do not have, or have twice, is bad input."""
    thresholds = load_thresholds(written(tmp_path, HEAD + VISUAL + f"    {scope}\n"))
    with pytest.raises(BadInput) as caught:
        expand(thresholds, {"phantom": ["ct", "xray"]})
    assert str(caught.value).replace(f"{tmp_path}/", "") == line


def test_a_required_baseline_is_demanded(tmp_path: Path) -> None:
    """``baseline: required`` without a baseline run is bad input; ``if_given`` is not."""
    drop = ACCURACY + "    max_drop: 0.02\n"
    demand_baseline(load_thresholds(written(tmp_path, HEAD + drop)), given=False)
    required = load_thresholds(written(tmp_path, HEAD + drop + "    baseline: required\n"))
    demand_baseline(required, given=True)
    with pytest.raises(BadInput, match=r"icu\.yaml:5: gates\[0\]\.baseline: 'required', but no baseline run is given"):
        demand_baseline(required, given=False)


@pytest.mark.parametrize("name", ["default", "phantom"])
def test_shipped_files_decide_the_same_gates(name: str) -> None:
    """Both shipped files block on the three rates and on accuracy, and advise on each repair."""
    specs = expand(load_thresholds(ROOT / "thresholds" / f"{name}.yaml"), {"phantom": ["ct"]})
    blocking = {spec.metric for spec in specs if spec.blocking}
    assert blocking == set(Metric) - {Metric.RECOVERY}
    assert {spec.arm for spec in specs if not spec.blocking} == set(Arm) - {Arm.BASELINE}
    assert all(spec.rationale for spec in specs)
    assert {spec.target for spec in specs} == {Target.POPULATION}
