"""What the patients of a run can show, held against the gates that decide."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from clinhallu_gate.config.thresholds import GateSpec
from clinhallu_gate.gate import Frame, Rules
from clinhallu_gate.gate.decide import decide
from clinhallu_gate.gate.metrics import GateArrays, gate_arrays
from clinhallu_gate.planning.certify import ICC, POWER, capability
from clinhallu_gate.protocol.load import load_protocol
from clinhallu_gate.records import GoldTrace, Instance, Judged
from clinhallu_gate.report.capability import can_be, capability_lines, capability_table
from clinhallu_gate.stats import clopper_pearson_upper
from clinhallu_gate.vocabulary import Arm, Decision, Metric, Outcome, QuestionType, Severity, Target, Unit

GOLD = GoldTrace(visual_recognition="A mass.", knowledge_recall="It grows.", reasoning_integration="So yes.")
#: Questions of 84 patients: 212 in all.
SIZES = np.random.default_rng(84).permutation(np.repeat([1, 2, 3, 4], [14, 25, 32, 13])[:84])
SIZES[: 212 - int(SIZES.sum())] += 1


def ward(
    sizes: Sequence[int] = SIZES.tolist(), *, gold: GoldTrace = GOLD, tags: tuple[str, ...] = ()
) -> list[Instance]:
    """Return instances of patients with so many questions each."""
    return [
        Instance(
            dataset="ward",
            id=f"{patient}-{number}",
            stratum="ward",
            cluster=f"ward/{patient}",
            images=(),
            question="Is there a mass?",
            question_type=QuestionType.YES_NO,
            answer="yes",
            gold=gold,
            tags=tags,
            phi=True,
        )
        for patient, size in enumerate(sizes)
        for number in range(size)
    ]


def spec(metric: Metric = Metric.VISUAL_HALLUCINATION_RATE, **fields: object) -> GateSpec:
    """Return a blocking gate for patients like these."""
    held = {"severity": Severity.BLOCKING, "target": Target.POPULATION, "max_unjudged": 0.02, "arm": Arm.BASELINE}
    return GateSpec.model_validate({"id": f"{metric}[mean]", "metric": metric, "scope": "mean", **held, **fields})


def share_passed(gate: GateSpec, truth: float, *, repetitions: int, discordance: float | None = None) -> float:
    """Simulate runs at a truth, of patients who differ by a beta distribution, and decide them with the gate itself."""
    rng = np.random.default_rng(7)
    cluster = np.repeat(np.arange(SIZES.size), SIZES)
    c = 1 / ICC - 1
    passed = 0
    for _ in range(repetitions):
        if discordance is None:
            y = (rng.random(cluster.size) < rng.beta(truth * c, (1 - truth) * c, SIZES.size)[cluster]).astype(float)
        else:
            up, down = (discordance + truth) / 2, (discordance - truth) / 2
            thirds = rng.dirichlet(np.array([up, down, 1 - up - down]) * c, SIZES.size)[cluster]
            u = rng.random(cluster.size)
            y = (u < thirds[:, 0]) * 1.0 - ((u >= thirds[:, 0]) & (u < thirds[:, 0] + thirds[:, 1]))
        arrays = GateArrays(
            y_pass=y,
            y_fail=y,
            judged=np.ones(y.size, np.bool_),
            stratum=np.zeros(y.size, np.int64),
            cluster=cluster,
            failed=0,
            paired=discordance is not None,
            unit=gate.unit,
        )
        passed += decide(gate, arrays, Rules(alpha=0.05, blocking_gates=4)).decision is Decision.PASS
    return passed / repetitions


@pytest.mark.parametrize("unit", [Unit.INSTANCE, Unit.PATIENT])
@pytest.mark.parametrize("most", [0.30, 0.10])
def test_a_gate_passes_as_often_as_is_said(unit: Unit, most: float) -> None:
    """At the truth that is said, the gate's own decision on 84 patients with 212 questions is PASS four times in five.

    800 runs: two standard errors are .028, and .04 of the simulation that found the truth; rounding down adds.
    """
    gate = spec(max=most, unit=unit)
    (shown,) = capability([gate], ward(), alpha=0.05, baseline=False).gates
    assert (shown.says, shown.patients, shown.instances) == ("truth", 84, 212)
    assert shown.truth is not None
    assert POWER - 0.06 < share_passed(gate, shown.truth, repetitions=800) < POWER + 0.10


def test_so_does_a_gate_against_the_release_in_use() -> None:
    """Of pairs of which 12 % differ; 84 patients show a margin of 5 points only to a model that is better."""
    gate = spec(Metric.ANSWER_ACCURACY, max_drop=0.05)
    found = capability([gate], ward(), alpha=0.05, baseline=True)
    (shown,) = found.gates
    assert shown.truth is not None
    assert shown.truth < 0
    passed = share_passed(gate, shown.truth, repetitions=600, discordance=found.discordance)
    assert POWER - 0.06 < passed < POWER + 0.10
    assert shown.needed is not None
    assert shown.needed > 84


def test_an_accuracy_is_told_on_its_own_scale() -> None:
    """At least 75 % is shown if the truth is so much more: the mirror of at most 25 %."""
    right = spec(Metric.ANSWER_ACCURACY, min=0.75)
    wrong = spec(max=0.25)
    high, low = capability([right, wrong], ward(), alpha=0.05, baseline=False).gates
    assert high.truth is not None
    assert low.truth is not None
    assert high.truth == pytest.approx(1 - low.truth)
    assert high.truth > 0.75


def test_events_are_counted_by_the_rule_of_three() -> None:
    """No event in 84 patients shows at most 3.6 %: 1 - .05^(1/84)."""
    gate = spec(Metric.ANSWER_ACCURACY, max_events=0, tag="never")
    found = capability([gate], ward(tags=("never",)), alpha=0.05, baseline=False)
    (shown,) = found.gates
    assert shown.limit == pytest.approx(1 - 0.05 ** (1 / 84))
    assert "no event in 84 patients shows at most 3.6 %" in " ".join(capability_lines(found))


def test_so_they_are_where_gold_may_lack() -> None:
    """What is told before the run is the limit that the gate then has: 212 questions, five of them of one patient."""
    gate = spec(max_events=0, tag="never", max_without_gold=0.02)
    (shown,) = capability([gate], ward(tags=("never",)), alpha=0.05, baseline=False).gates
    arrays = gate_arrays(gate, Frame.of(ward(tags=("never",))), lambda *_: Judged(Outcome.GROUNDED, "planted"))
    assert isinstance(arrays, GateArrays)
    most = max(Counter(each.cluster for each in ward()).values())
    assert shown.limit == pytest.approx(1 - 0.05 ** (most / 212))
    assert decide(gate, arrays, Rules(alpha=0.05, blocking_gates=1)).interval == (0.0, pytest.approx(shown.limit))


def test_too_few_patients_are_told_how_many_it_takes() -> None:
    """Twelve patients without a single hallucination leave 22 % possible; 10 % takes 29 of them."""
    found = capability([spec(max=0.10)], ward([1] * 12), alpha=0.05, baseline=False)
    (shown,) = found.gates
    assert (shown.says, shown.needed) == ("too_few", 29)
    told = "\n".join(capability_lines(found))
    assert (
        "not at all with 12 patients: a faultless model shows at most 22.1 %, and passes from some 29 patients on"
        in told
    )
    assert capability([spec(max=0.10)], ward([1] * 29), alpha=0.05, baseline=False).gates[0].says == "truth"
    assert capability([spec(max=0.10)], ward([1] * 28), alpha=0.05, baseline=False).gates[0].says == "too_few"


def test_so_they_are_where_strata_differ_in_size() -> None:
    """A stratum of one patient beside one of eight counts as much in the mean, so it is what needs more patients.

    Held against wards with the same shares: 28 times as many patients do not show 5 % without a mistake, 29 times do.
    """

    def of(times: int) -> list[Instance]:
        scans = ward([1] * 9 * times)
        return [replace(each, stratum="ct" if place % 9 else "mr") for place, each in enumerate(scans)]

    gate = spec(max=0.05)
    (shown,) = capability([gate], of(1), alpha=0.05, baseline=False).gates
    assert shown.says == "too_few"
    assert shown.needed is not None
    assert 28 * 9 < shown.needed <= 29 * 9
    says = [capability([gate], of(times), alpha=0.05, baseline=False).gates[0].says for times in (28, 29)]
    assert says == ["too_few", "truth"]


def test_a_recovery_is_not_bound_by_what_releases_differ_in() -> None:
    """Of 2,000 questions more than an eighth may be recovered; of a handful not even all of them show it."""
    gate = spec(Metric.RECOVERY, min=0.2, arm=Arm.REPLACE_VR)
    found = capability([gate], ward([1] * 2000), alpha=0.05, baseline=False)
    (shown,) = found.gates
    assert shown.truth is not None
    assert 0.2 < shown.truth < 0.25
    told = " ".join(capability_lines(found))
    assert "if the truth is +23 points or more" in told
    assert "at least 12 % of the pairs" in told
    few = capability([spec(Metric.RECOVERY, min=0.4, arm=Arm.REPLACE_VR)], ward([1] * 3), alpha=0.05, baseline=False)
    assert "not at all with 3 patients, however good the model is" in " ".join(capability_lines(few))


def test_what_no_number_of_patients_shows_is_said() -> None:
    """A gate whose stage lacks gold texts; one that speaks of the list; advisory ones and pairs without one are out."""
    bare = ward(gold=GoldTrace())
    gates = [
        spec(max=0.3),
        spec(Metric.ANSWER_ACCURACY, min=0.5, target=Target.BENCHMARK),
        spec(Metric.ANSWER_ACCURACY, min=0.6, severity=Severity.ADVISORY),
        spec(Metric.ANSWER_ACCURACY, max_drop=0.02),
    ]
    found = capability(gates, bare, alpha=0.05, baseline=False)
    assert [shown.says for shown in found.gates] == ["no_gold", "list"]
    told = "\n".join(capability_lines(found))
    assert "212 of 212 instances have no gold text for it" in told
    assert "only of this very list" in told


def lacking(sizes: Sequence[int], without: int) -> list[Instance]:
    """Return a ward whose last instances have no gold."""
    all_of_it = ward(sizes)
    bare = [replace(instance, gold=GoldTrace()) for instance in all_of_it[-without:]]
    return [*all_of_it[:-without], *bare]


def test_gold_that_may_lack_is_counted_as_bad() -> None:
    """Up to the share: less can be shown, and it is said; over it nothing can, and a never-event with any."""
    gate = spec(max=0.3, max_without_gold=0.02)
    whole, some, more = (
        capability([gate], instances, alpha=0.05, baseline=False).gates[0]
        for instances in (ward([1] * 150), lacking([1] * 150, 3), lacking([1] * 150, 4))
    )
    assert (whole.says, some.says, more.says) == ("truth", "truth", "no_gold")
    assert (whole.without_gold, some.without_gold, more.without_gold) == (0, 3, 4)
    assert whole.truth is not None
    assert some.truth is not None
    assert whole.truth - 0.04 <= some.truth < whole.truth
    assert can_be(some).endswith("; 3 without gold counted as bad")
    assert can_be(more) == (
        "not at all: 4 of 150 instances have no gold text for it, more than max_without_gold allows"
    )
    never = spec(max_events=0, tag="never", max_without_gold=0.02)
    tagged = [replace(each, tags=("never",)) for each in lacking([1] * 150, 3)]
    (shown,) = capability([never], tagged, alpha=0.05, baseline=False).gates
    assert (shown.says, shown.without_gold) == ("no_gold", 3)
    assert can_be(shown) == "not at all: 3 of 150 instances have no gold text for it, and each may be an event"


def test_no_number_of_patients_makes_up_for_gold_that_lacks() -> None:
    """Where the share of it is beyond the threshold, more patients like these would not help; else some do."""
    for threshold, expected in ((0.04, None), (0.06, 1)):
        gate = spec(max=threshold, max_without_gold=0.1)
        (shown,) = capability([gate], lacking([1] * 20, 1), alpha=0.05, baseline=False).gates
        assert (shown.says, shown.without_gold) == ("too_few", 1)
        assert (shown.needed is None) is (expected is None)
    assert shown.needed is not None
    lost = round(shown.needed / 20)
    assert clopper_pearson_upper(lost, shown.needed, 0.05) == pytest.approx(0.06, abs=0.001)


def test_gold_that_is_given_is_needed_as_well() -> None:
    """Knowledge is judged by its own gold, after the gold reading of the image was given."""
    half = ward(gold=GoldTrace(knowledge_recall="It grows."))
    gate = spec(Metric.KNOWLEDGE_HALLUCINATION_RATE, max=0.3, arm=Arm.REPLACE_VR)
    arms = load_protocol("standard").arms
    (shown,) = capability([gate], half, alpha=0.05, baseline=False, arms=arms).gates
    assert (shown.says, shown.without_gold) == ("no_gold", 212)
    (shown,) = capability([gate], ward(), alpha=0.05, baseline=False, arms=arms).gates
    assert shown.says == "truth"


def test_all_gates_of_a_run_take_less_than_a_second() -> None:
    """Before a run nobody waits: six gates, 84 patients."""
    gates = [
        spec(max=0.31),
        spec(Metric.KNOWLEDGE_HALLUCINATION_RATE, max=0.11),
        spec(Metric.REASONING_HALLUCINATION_RATE, max=0.06),
        spec(Metric.ANSWER_ACCURACY, min=0.74),
        spec(Metric.ANSWER_ACCURACY, max_drop=0.04),
        spec(max_drop=0.06),
    ]
    began = time.process_time()
    found = capability(gates, ward(), alpha=0.05, baseline=True)
    assert len(found.gates) == 6
    assert time.process_time() - began < 4  # 0.9 s of a processor that nobody else wants


def test_lines_are_aligned_and_few() -> None:
    """One for the numbers, one for each gate, and what is assumed; two for each gate where the terminal is narrow."""
    gates = [spec(max=0.30), spec(Metric.ANSWER_ACCURACY, min=0.75)]
    found = capability(gates, ward(), alpha=0.05, baseline=False)
    first, camera, answers, *notes = capability_lines(found)
    assert first == "84 patients, 212 questions can show (power 80 %):"
    assert camera.index("at most 30 %") == answers.index("at least 75 %")
    assert camera.index("if the truth is") == answers.index("if the truth is")
    assert camera.endswith("% or less")
    assert answers.endswith("% or more")
    assert "a patient's questions are taken to correlate by 0.3" in " ".join(notes)
    narrow = capability_lines(found, width=60)
    assert len(narrow) > len(notes) + 4
    assert max(map(len, narrow)) <= 60


def test_the_report_has_a_row_for_each_gate() -> None:
    """With what is to be shown, under which condition it can be, and on how many patients."""
    found = capability([spec(max=0.30)], ward(), alpha=0.05, baseline=False)
    table = capability_table(found)
    ((gate, wanted, can_be, patients),) = [row.cells for row in table.rows]
    assert (gate, wanted, patients) == ("Visual hallucination rate", "at most 30 %", "84")
    scoped = capability([spec(max=0.30, id="x[ward]", scope="ward")], ward(), alpha=0.05, baseline=False)
    assert capability_table(scoped).rows[0].cells[0] == "Visual hallucination rate: ward"
    assert can_be.startswith("if the truth is ")
    few = capability([spec(max=0.30)], ward([2] * 30), alpha=0.05, baseline=False)
    assert any("fewer than 50 patients" in note for note in capability_table(few).notes)
