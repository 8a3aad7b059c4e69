"""Early stopping over all gates of a run: what is asked next, when it ends, and what was not needed."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinhallu_gate.pipeline.stopping import NOT_NEEDED, Chunk, Stopping, sizes_in_turn
from clinhallu_gate.records import Judged, NotAsked, Reading
from clinhallu_gate.results import Results
from clinhallu_gate.vocabulary import ANSWER, Arm, Decision, Metric, NotAskedReason, Outcome, Severity, Stage, Target

VISUAL = Reading(Arm.BASELINE, Stage.VISUAL_RECOGNITION)
BASELINE = Reading(Arm.BASELINE, ANSWER)
REPAIRED = Reading(Arm.REPLACE_VR, ANSWER)
ADVISORY = {"severity": Severity.ADVISORY, "id": "advisory"}
Make = Callable[..., Any]


def stopping_of(going: Any, specs: Sequence[Any], *, repeats: int = 1) -> Stopping:  # noqa: ANN401 - the test's own builders
    """Watch gates over a visit."""
    watches = tuple(going.watch(spec, repeats=repeats) for spec in specs)
    return Stopping(watches, going.order, going.frame.uids, repeats)


def run(going: Any, stopping: Stopping, size: int = 8, *, ahead: int = 0) -> list[Chunk]:  # noqa: ANN401 - the test's own builders
    """Ask chunk after chunk, each looked at when ``ahead`` more are under way; return the chunks."""
    chunks: list[Chunk] = []
    looked = 0
    while (chunk := stopping.chunk(size)) is not None:
        chunks.append(chunk)
        going.asked |= set(chunk.wanted)
        if len(chunks) > ahead:
            stopping.look(chunks[looked])
            looked += 1
    for chunk in chunks[looked:]:
        stopping.look(chunk)
    return chunks


def test_a_chunk_follows_the_order(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Instances come in the drawn order, so many at once, each with what open gates read, and none twice."""
    going = visit(plant({VISUAL: "x." * 20, BASELINE: "x." * 20}))
    stopping = stopping_of(going, [gate_spec(max=0.5), gate_spec(Metric.ANSWER_ACCURACY, min=0.5)])
    chunks = run(going, stopping, 16)
    assert [len(chunk.wanted) for chunk in chunks] == [16, 16, 8]
    assert [chunk.end for chunk in chunks] == [16, 32, 40]
    assert [uid for chunk in chunks for uid in chunk.wanted] == [going.frame.uids[place] for place in going.order]
    assert {readings for chunk in chunks for readings in chunk.wanted.values()} == {frozenset({VISUAL, BASELINE})}
    assert stopping.chunk(16) is None


def test_a_chunk_holds_every_trace(gate_spec: Make, plant: Make, visit: Make) -> None:
    """With repeats each reading is wanted of every trace, and a recovery wants both answers."""
    going = visit(plant({REPAIRED: "."}))
    stopping = stopping_of(going, [gate_spec(Metric.RECOVERY, arm=Arm.REPLACE_VR, min=0.1)], repeats=2)
    chunk = stopping.chunk(1)
    assert chunk is not None
    both = {REPAIRED, BASELINE}
    assert chunk.wanted["phantom/00000"] == both | {replace(reading, repeat=1) for reading in both}


def test_only_the_scopes_of_open_gates_are_asked(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Places that no gate speaks of are passed over; once a stratum's gate is decided its instances are."""
    strata = ["ct", "xr", "mr"] * 60
    signs = "".join({"ct": "x", "xr": ".x"[i // 3 % 2], "mr": "x"}[name] for i, name in enumerate(strata))
    going = visit(plant({VISUAL: signs}, strata=strata))
    specs = [gate_spec(max=0.3, scope="ct", id="ct"), gate_spec(max=0.5, scope="xr", id="xr")]
    stopping = stopping_of(going, specs)
    run(going, stopping)
    asked = [strata[int(uid[-5:])] for uid in going.asked]
    ct, xr = stopping.settle()
    assert asked.count("mr") == 0
    assert (ct.decision, ct.of) == (Decision.FAIL, 60)
    assert ct.n <= asked.count("ct") <= ct.n + 8
    assert (xr.decision, asked.count("xr")) == (Decision.INCONCLUSIVE, 60)


def test_what_a_decided_gate_reads_is_asked_no_more(gate_spec: Make, plant: Make, visit: Make) -> None:
    """A decided gate drops its readings; the instances go on for the open one."""
    going = visit(plant({VISUAL: "x" * 80, BASELINE: "x." * 40}))
    stopping = stopping_of(going, [gate_spec(max=0.3), gate_spec(Metric.ANSWER_ACCURACY, min=0.5)])
    chunks = run(going, stopping)
    wanted = [readings for chunk in chunks for readings in chunk.wanted.values()]
    assert wanted[0] == {VISUAL, BASELINE}
    assert wanted[-1] == {BASELINE}
    assert len(wanted) == 80
    assert stopping.open == 1


def test_an_advisory_gate_holds_nothing_open(gate_spec: Make, plant: Make, visit: Make) -> None:
    """The run ends with its blocking gates; a close advisory one is left open with what was asked for them."""
    going = visit(plant({VISUAL: "x" * 200, BASELINE: "x." * 100}))
    stopping = stopping_of(going, [gate_spec(max=0.3), gate_spec(Metric.ANSWER_ACCURACY, min=0.5, **ADVISORY)])
    run(going, stopping)
    blocking, advisory = stopping.settle()
    assert blocking.decision is Decision.FAIL
    assert (advisory.decision, advisory.n, advisory.of) == (Decision.INCONCLUSIVE, len(going.asked), 200)
    assert len(going.asked) < 20


@pytest.mark.parametrize("target", list(Target))
@pytest.mark.parametrize("ahead", [0, 1])
def test_an_advisory_gate_of_a_wider_scope(
    *, target: Target, ahead: int, gate_spec: Make, plant: Make, visit: Make
) -> None:
    """It takes part up to the first instance that no blocking gate needs, and nothing is asked for it from there on."""
    strata = ["ct", "xr"] * 100
    going = visit(plant({VISUAL: "xx.." * 50, BASELINE: "x." * 100}, strata=strata))
    specs = [
        gate_spec(max=0.5, scope="ct", id="blocking", target=target),
        gate_spec(Metric.ANSWER_ACCURACY, min=0.5, target=target, **ADVISORY),
    ]
    stopping = stopping_of(going, specs)
    chunks = run(going, stopping, ahead=ahead)
    assert {strata[int(uid[-5:])] for uid in going.asked} == {"ct"}
    first = next(i for i, place in enumerate(going.order) if strata[place] == "xr")
    wanted = [readings for chunk in chunks for readings in chunk.wanted.values()]
    assert [BASELINE in readings for readings in wanted] == [True] * first + [False] * (len(wanted) - first)
    advisory = stopping.settle()[1]
    assert (advisory.decision, advisory.n) == (Decision.INCONCLUSIVE, first)


def test_an_advisory_gate_beside_a_rare_event(gate_spec: Make, plant: Make, visit: Make) -> None:
    """A never-event gate that stays open to the end asks its own instances, not the whole list for an advisory one."""
    going = visit(plant({VISUAL: "x." * 100, BASELINE: "." * 200}, tagged=range(0, 200, 20)))
    never = gate_spec(Metric.ANSWER_ACCURACY, max_events=0, tag="never", id="never")
    stopping = stopping_of(going, [never, gate_spec(max=0.5, **ADVISORY)])
    run(going, stopping)
    assert len(going.asked) == 10
    assert [gate.decision for gate in stopping.settle()] == [Decision.PASS, Decision.INCONCLUSIVE]


def test_a_run_of_advisory_gates_is_asked_for_them(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Without a blocking gate the advisory ones decide how long it goes on."""
    going = visit(plant({VISUAL: "x" * 100, BASELINE: "x." * 50}))
    specs = [gate_spec(max=0.3, **ADVISORY), gate_spec(Metric.ANSWER_ACCURACY, min=0.5, **ADVISORY)]
    stopping = stopping_of(going, specs)
    run(going, stopping)
    assert len(going.asked) == 100
    assert [gate.decision for gate in stopping.settle()] == [Decision.FAIL, Decision.INCONCLUSIVE]


@pytest.mark.parametrize("ahead", [0, 1])
def test_the_same_is_asked_again(*, ahead: int, gate_spec: Make, plant: Make, visit: Make) -> None:
    """Two runs want the same instances in the same chunks and decide the same, with a chunk under way or without."""
    planted = plant({VISUAL: "x...." * 60, BASELINE: "x." * 150}, strata=["ct", "xr", "xr"] * 100)
    found = []
    for _ in range(2):
        going = visit(planted)
        specs = [gate_spec(max=0.3), gate_spec(Metric.ANSWER_ACCURACY, min=0.5, scope="ct", **ADVISORY)]
        stopping = stopping_of(going, specs)
        found.append((run(going, stopping, 16, ahead=ahead), stopping.settle()))
    assert found[0] == found[1]


def test_chunks_do_not_decide(gate_spec: Make, plant: Make, visit: Make) -> None:
    """Chunks of any size, looked at late or at once, give the same results; large ones only ask more."""
    planted = plant({VISUAL: "x......" * 50}, strata=["ct", "xr", "xr", "xr", "xr"] * 70)
    found = []
    for size, ahead in ((1, 0), (7, 0), (32, 1), (350, 0)):
        going = visit(planted)
        stopping = stopping_of(going, [gate_spec(max=0.3)])
        run(going, stopping, size, ahead=ahead)
        found.append(stopping.settle())
    assert found[0][0].decision is Decision.PASS
    assert found == [found[0]] * 4


def test_what_was_not_needed_says_so(gate_spec: Make, plant: Make, visit: Make, instance: Make) -> None:
    """Every verdict of the plan that was not sought gets its reason, what was sought stays, and both are counted."""
    going = visit(plant({VISUAL: "x" * 60, BASELINE: "x" * 60}))
    stopping = stopping_of(going, [gate_spec(max=0.3), gate_spec(Metric.ANSWER_ACCURACY, min=0.9)])
    results = Results([instance(i) for i in range(60)])
    for chunk in run(going, stopping, 4):
        for uid, wanted in chunk.wanted.items():
            results.found[uid].verdicts.update(dict.fromkeys(wanted, Judged(Outcome.INCORRECT, "planted")))
    lacking = 120 - sum(len(found.verdicts) for found in results.found.values())
    planned = dict.fromkeys(results.found, frozenset({VISUAL, BASELINE}))
    skipped = stopping.note_skipped(results, planned)
    assert (skipped.instances, skipped.verdicts) == (60 - len(going.asked), lacking)
    assert skipped.instances > 40
    verdicts = [verdict for _, _, verdict in results.rows()]
    assert len(verdicts) == 120
    assert verdicts.count(NOT_NEEDED) == lacking
    assert isinstance(NOT_NEEDED, NotAsked)
    assert NOT_NEEDED.reason is NotAskedReason.EARLY_STOP
    assert [gate.decision for gate in stopping.settle()] == [Decision.FAIL, Decision.FAIL]


@given(st.integers(0, 10_000))
def test_turns_are_few_and_hold_all(instances: int) -> None:
    """In turns there are four chunks, the first two an eighth each, and together they hold every instance."""
    sizes = sizes_in_turn(instances)
    assert len(sizes) == 4
    assert sizes[0] == sizes[1] >= 1
    assert instances <= sum(sizes) < instances + 9
    assert list(sizes) == sorted(sizes)
