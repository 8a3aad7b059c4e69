"""Repeated traces and judges' words, whole commands: the noise of a run, a judge asked twice, and who says what."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from gate_run import GATES, Outcome, Rig
from judge_replay import JudgeReplay
from policy import BUDGETS, policy
from replay import GoldReplay, errors_at, instances, read

from clinhallu_gate.cli import main
from clinhallu_gate.testing import Request, ScriptedReply, ScriptedServer
from clinhallu_gate.vocabulary import ANSWER, Stage

VR, KR, RI = Stage
K = 3
ALWAYS = errors_at({VR: 0.1})
#: Misread in the first of three traces alone.
SOMETIMES = {uid: parts for uid, parts in errors_at({VR: 0.2}, seed=2).items() if uid not in ALWAYS}
SHARE = len(SOMETIMES) / len(instances())
SUITE = ("suites/test_visual_recognition.py", *GATES[1:])
VISUAL = "visual_hallucination_rate[mean]"


@dataclass
class Wavering:
    """Replies that depend on how often the same request was made: of three, the first has the passing errors too."""

    seen: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: Request) -> ScriptedReply:
        """Return the trace."""
        self.seen[request.digest] += 1
        passing = SOMETIMES if self.seen[request.digest] == 1 and read(request).first is VR else {}
        return GoldReplay({**ALWAYS, **passing})(request)


@pytest.fixture(scope="module")
def server() -> Iterator[ScriptedServer]:
    """A model that does not always say the same."""
    with ScriptedServer(reply=Wavering(), model="wavering") as server:
        yield server


@pytest.fixture(scope="module")
def repeated(rig: Rig, server: ScriptedServer) -> Outcome:
    """Three traces of every instance in every arm."""
    return rig.gate(server, *SUITE, "--repeats", str(K))


def test_each_arm_is_asked_three_times_of_each_instance(repeated: Outcome) -> None:
    """Calls and rows are three times those of a single run, the rows numbered."""
    calls = repeated.manifest["calls"]
    assert calls["made"] + calls["from_store"] == K * 4 * len(instances())
    assert (repeated.manifest["repeats"], repeated.decision["repeats"]) == (K, K)
    rows = pq.read_table(repeated.folder / "results.parquet", columns=["arm", "part", "repeat"]).to_pylist()
    counted = Counter(tuple(row.values()) for row in rows)
    assert {counted["baseline", str(VR), k] for k in range(K)} == {len(instances())}
    assert set(counted.values()) == {len(instances())}


def test_gates_and_tests_rest_on_instances(repeated: Outcome) -> None:
    """Three traces are no three instances: n is 240, and there is one test for each, on the first trace."""
    assert {gate["n"] for gate in repeated.decision["gates"]} == {len(instances())}
    visual = next(gate for gate in repeated.decision["gates"] if gate["id"] == VISUAL)
    assert visual["estimate"] == pytest.approx(len(ALWAYS) / len(instances()) + SHARE / K)
    assert sum(repeated.counts.values()) == len(instances()) + len(repeated.decision["gates"])


def test_the_noise_is_what_was_planted(repeated: Outcome) -> None:
    """One trace in three differs for a known share of the instances: variances, flips and guard follow from that."""
    noise = repeated.decision["noise"]
    found = {reading["part"]: reading for reading in noise["readings"]}
    assert (noise["repeats"], noise["judge"]) == (K, None)
    within = SHARE / K
    assert found[VR]["instances"] == len(instances())
    assert found[VR]["within"] == pytest.approx(within)
    assert found[VR]["flip"] == pytest.approx(2 * within)
    assert found[VR]["guard"] == pytest.approx(1.645 * (within / (K * len(instances()))) ** 0.5, rel=1e-3)
    assert 0.05 < found[VR]["between"] < 0.12
    assert {text.split()[1] for text in found[VR]["unsteady"]} <= set(SOMETIMES)
    assert {text.split()[0] for text in found[VR]["unsteady"]} == {"0.67"}
    for part in (KR, RI, ANSWER):
        assert (found[part]["within"], found[part]["flip"], found[part]["unsteady"]) == (0, 0, [])


def test_the_noise_is_shown(repeated: Outcome) -> None:
    """The terminal has a line per reading, the report a table and the instances that flip most."""
    flips = f"visual recognition: two traces differ in {200 * SHARE / K:.1f} %"
    assert flips in repeated.out
    assert f"noise: {flips}" in (repeated.folder / "summary.md").read_text()
    page = (repeated.folder / "report.html").read_text()
    section = page[page.index("How steady the model is") :]
    assert "3 traces of each instance" in section
    assert "most unsteady (probability that two traces differ): 0.67 phantom/" in section


def test_a_repeated_run_is_free(rig: Rig, server: ScriptedServer, repeated: Outcome) -> None:
    """All traces are kept, each for itself: the same bytes again, and no request."""
    before = server.requests
    again = rig.gate(server, *SUITE, "--repeats", str(K))
    assert (again.folder / "decision.json").read_bytes() == (repeated.folder / "decision.json").read_bytes()
    assert again.counts == repeated.counts
    assert server.requests == before


def test_one_trace_comes_from_the_same_store(rig: Rig, server: ScriptedServer, repeated: Outcome) -> None:
    """The first of three is the one of a run without repeats, which has no noise to tell of."""
    before = server.requests
    once = rig.gate(server, *SUITE)
    assert server.requests == before
    assert (once.decision["repeats"], once.decision["noise"]) == (1, None)
    rows = pq.read_table(repeated.folder / "results.parquet").to_pylist()
    first = {(f"{r['dataset']}/{r['id']}", r["arm"], r["part"]): r["outcome"] for r in rows if r["repeat"] == 0}
    assert first == {key: said[1] for key, said in once.verdicts.items()}
    assert "How steady the model is" not in (once.folder / "report.html").read_text()


def test_a_repeated_run_is_exported_by_its_first_traces(repeated: Outcome, tmp_path: Path) -> None:
    """The benchmark's files hold one trace of each arm."""
    assert main(["export", str(repeated.folder), "--out", str(tmp_path)]) == 0
    home = tmp_path / "results" / "phantom" / "eval" / "wavering"
    for name in ("model_cot.jsonl", "replace/replace_vr.jsonl", "replace/replace_vr_kr_step_hallucination_judge.jsonl"):
        assert len((home / name).read_text().splitlines()) == len(instances())
    written = (home / "model_cot.jsonl").read_text()
    firsts = pq.read_table(repeated.folder / "results.parquet", columns=["arm", "part", "repeat", "text"]).to_pylist()
    texts = [row["text"] for row in firsts if (row["arm"], row["part"], row["repeat"]) == ("baseline", str(VR), 0)]
    assert all(json.dumps(text)[1:-1] in written for text in texts)


def test_repeats_stop_early_too(rig: Rig, server: ScriptedServer, repeated: Outcome) -> None:
    """An instance counts by the mean of its traces; a gate stops after whole instances, with all their traces."""
    assert repeated.status == 0
    before = server.requests
    outcome = rig.gate(server, *SUITE, *policy(rig, *BUDGETS), "--repeats", str(K))
    assert (outcome.status, server.requests) == (0, before)
    asked = outcome.decision["early_stop"]["asked"]
    rows = pq.read_table(outcome.folder / "results.parquet", columns=["arm", "part", "kind"]).to_pylist()
    judged = [row for row in rows if (row["arm"], row["part"], row["kind"]) == ("baseline", VR, "judged")]
    assert asked < 240
    assert len(judged) <= K * asked
    assert {reading["instances"] for reading in outcome.decision["noise"]["readings"]} <= set(range(1, asked + 1))


@pytest.mark.parametrize("number", ["0", "-1"])
def test_a_number_of_repeats_that_is_none(rig: Rig, server: ScriptedServer, number: str) -> None:
    """One line, and exit status 4."""
    outcome = rig.gate(server, *SUITE, "--repeats", number)
    assert outcome.status == 4
    assert outcome.err == f"ERROR: --repeats: {number} is not a number of traces per instance. Valid: 1 or more.\n\n"


# --- who judges ------------------------------------------------------------------------------------------------------


@dataclass
class Forgetful:
    """A judge that turns over every verdict that it is asked for a second time."""

    seen: Counter[str] = field(default_factory=Counter)

    def __call__(self, request: Request) -> ScriptedReply:
        """Return the verdict."""
        self.seen[request.digest] += 1
        text = str(JudgeReplay()(request).text)
        said = json.loads(text)
        if self.seen[request.digest] > 1:
            said = {key: not value if isinstance(value, bool) else value for key, value in said.items()}
        return ScriptedReply(json.dumps(said))


def judged(rig: Rig, server: ScriptedServer, judge: ScriptedServer, *more: str) -> Outcome:
    """Gate the wavering model by a judge model."""
    by = ("--judge", judge.model, "--judge-endpoint", judge.base_url, "--judge-revision", "1")
    return rig.gate(server, *GATES, *by, *more)


@pytest.fixture(scope="module")
def twice(rig: Rig, server: ScriptedServer) -> Iterator[tuple[Outcome, Outcome]]:
    """Three traces, judged by a model that does not agree with itself; and the same run again."""
    with ScriptedServer(reply=Forgetful(), model="forgetful") as judge:
        yield (
            judged(rig, server, judge, "--repeats", str(K)),
            judged(rig, server, judge, "--repeats", str(K)),
        )


def test_the_judge_is_asked_some_questions_twice(twice: tuple[Outcome, Outcome], repeated: Outcome) -> None:
    """With repeats some judgements are asked for once more: told as the judge's own noise, and moving no rate."""
    outcome, _ = twice
    found = outcome.decision["noise"]["judge"]
    assert found["asked"] == found["judged"] == 100
    assert found["flipped"] == 100
    page = (outcome.folder / "report.html").read_text()
    assert "changed its verdict on 100 of the 100 that it answered again (100.0 %)" in page
    assert outcome.estimates == repeated.estimates


def test_a_judge_that_was_asked_twice_is_not_asked_again(twice: tuple[Outcome, Outcome]) -> None:
    """Its second word is kept as well, so a repetition tells the same of it."""
    outcome, again = twice
    assert again.manifest["judge_calls"]["made"] == again.manifest["calls"]["made"] == 0
    assert (again.folder / "decision.json").read_bytes() == (outcome.folder / "decision.json").read_bytes()


def told(outcome: Outcome) -> list[str]:
    """Return terminal, summary and report, each on one line."""
    texts = [outcome.out, *((outcome.folder / name).read_text() for name in ("summary.md", "report.html"))]
    return [" ".join(text.split()) for text in texts]


def test_what_a_judge_model_says_is_called_so(twice: tuple[Outcome, Outcome], repeated: Outcome) -> None:
    """Terminal, summary, report and every gate call rates judge-defined; what the oracle judged is not called so."""
    outcome, _ = twice
    assert all("Rates are judge-defined: they are what forgetful says" in text for text in told(outcome))
    gates: list[dict[str, Any]] = outcome.decision["gates"]
    assert all(gate["judge_defined"] and "judge-defined" in gate["reason"] for gate in gates)
    assert not any("judge-defined" in text for text in told(repeated))
    assert not any(gate["judge_defined"] for gate in repeated.decision["gates"])
