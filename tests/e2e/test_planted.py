"""A model that replays gold traces with errors planted in known stages of known instances."""

from collections.abc import Mapping

import pytest
from gate_run import GATES, Outcome, Rig
from replay import GoldReplay, errors_at, instances

from clinhallu_gate.datasets.phantom.plant import Error
from clinhallu_gate.testing import ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Arm, Part, Stage

VR, KR, RI = Stage
#: Every rate in every stage. A wrong answer is wrong in every arm, unless it came from a visual error that is repaired.
MIXES = (
    {VR: 0.0, KR: 0.05, RI: 0.3, ANSWER: 1.0},
    {VR: 0.05, KR: 0.3, RI: 1.0, ANSWER: 0.0},
    {VR: 0.3, KR: 1.0, RI: 0.0, ANSWER: 0.05},
    {VR: 1.0, KR: 0.0, RI: 0.05, ANSWER: 0.3},
)


@pytest.fixture(scope="module", params=MIXES, ids=lambda mix: "-".join(f"{share:.0%}" for share in mix.values()))
def planted(rig: Rig, request: pytest.FixtureRequest) -> tuple[dict[Part, float], GoldReplay, Outcome]:
    """What was planted, and what the gate made of it."""
    replay = GoldReplay(errors_at(request.param))
    with ScriptedServer(reply=replay, model="planted") as server:
        return request.param, replay, rig.gate(server, *GATES)


Planted = tuple[dict[Part, float], GoldReplay, Outcome]


def repaired(errors: Mapping[Part, Error], arm: Arm) -> bool:
    return VR in errors and arm in (Arm.REPLACE_VR, Arm.REPLACE_VR_KR)


def test_every_single_verdict_is_as_planted(planted: Planted) -> None:
    """A stage is hallucinated where an error was planted in it and nowhere else, and so with answers in every arm."""
    _, replay, outcome = planted
    expected: dict[tuple[str, str, str], str] = {}
    for instance in instances():
        errors = dict(replay.errors.get(instance.uid, {}))
        for arm, stage in ((Arm.BASELINE, VR), (Arm.REPLACE_VR, KR), (Arm.REPLACE_VR_KR, RI)):
            expected[instance.uid, arm, stage] = "hallucinated" if stage in errors else "grounded"
        for arm in Arm:
            wrong = ANSWER in errors and not repaired(errors, arm)
            expected[instance.uid, arm, ANSWER] = "incorrect" if wrong else "correct"
    found = {key: (kind, said) for key, (kind, said, *_) in outcome.verdicts.items()}
    assert found == {key: ("judged", said) for key, said in expected.items()}


def test_the_rates_are_exactly_those_planted(planted: Planted) -> None:
    """H^V, H^K and H^R and the accuracy are the planted shares, to the last bit."""
    shares, _, outcome = planted
    assert outcome.estimates["visual_hallucination_rate[mean]"] == shares[VR]
    assert outcome.estimates["knowledge_hallucination_rate[mean]"] == shares[KR]
    assert outcome.estimates["reasoning_hallucination_rate[mean]"] == shares[RI]
    assert outcome.estimates["answer_accuracy[mean]"] == 1 - shares[ANSWER]


def test_recovery_is_what_the_repairs_mend(planted: Planted) -> None:
    """An arm recovers the share of instances whose wrong answer came from the error that the arm repairs."""
    _, replay, outcome = planted
    mended = sum(VR in errors and ANSWER in errors for errors in replay.errors.values()) / len(instances())
    assert outcome.estimates["recovery-replace_vr[mean]"] == pytest.approx(mended, abs=1e-12)
    assert outcome.estimates["recovery-replace_vr_kr[mean]"] == pytest.approx(mended, abs=1e-12)
    assert outcome.estimates["recovery-replace_kr[mean]"] == 0


def test_the_decision_and_the_exit_status_agree(planted: Planted) -> None:
    """Each of these models breaks a limit by far, so it is blocked."""
    _, _, outcome = planted
    assert (outcome.status, outcome.decision["decision"], outcome.decision["exit_status"]) == (1, "FAIL", 1)
    assert outcome.err == ""
    assert outcome.left == ()


def test_the_failure_budget_says_which_stage_eats_it(planted: Planted) -> None:
    """Each stage has the share of the budget that its rate has of the sum of the three."""
    shares, _, outcome = planted
    total = sum(shares[stage] for stage in Stage)
    assert outcome.decision["failure_budget"] == pytest.approx({str(s): shares[s] / total for s in Stage})


def test_gold_traces_pass_with_prefill(rig: Rig) -> None:
    """A model without an error is released, under the other protocol as well, and no instance is held against it."""
    with ScriptedServer(reply=GoldReplay(), model="gold") as server:
        outcome = rig.gate(server, *GATES, "--protocol", "prefill")
        assert server.requests == 3 * len(instances())  # replace_kr asks what replace_vr_kr asks
    assert (outcome.status, outcome.decision["decision"]) == (0, "PASS")
    assert {verdict[1] for verdict in outcome.verdicts.values()} == {"grounded", "correct"}
