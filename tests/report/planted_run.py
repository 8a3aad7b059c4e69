"""Runs built by hand: phantoms, known errors planted in known instances, judged by the oracle."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from clinhallu_gate.config.thresholds import GateSpec, JudgeMinima, expand, load_thresholds
from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.datasets.phantom.plant import Error, planted_text
from clinhallu_gate.gate import Frame, Release, Rules, count_blocking, decide_all, release
from clinhallu_gate.gate.release import EXIT_NOT_COMPLETED
from clinhallu_gate.judge.agreement import agreement
from clinhallu_gate.judge.examination import examine
from clinhallu_gate.judge.labels import Label
from clinhallu_gate.judge.oracle import judge_answer, judge_stage, phantom_of
from clinhallu_gate.judge.probes import make_probes
from clinhallu_gate.published import METRICS, Estimate, place
from clinhallu_gate.records import Failed, GoldTrace, Instance, Judged, Reading, Unjudged
from clinhallu_gate.report import (
    DatasetDigest,
    DataSource,
    DecisionDocument,
    FileDigest,
    NamedDigest,
    ReportView,
    RunContext,
    report_view,
)
from clinhallu_gate.report.cases import case_views
from clinhallu_gate.report.decision import Beside, build
from clinhallu_gate.report.html import write_report
from clinhallu_gate.report.pictures import ASSETS, PICTURES, Pictures
from clinhallu_gate.results import CallCost, Found, Results, TraceOf
from clinhallu_gate.scoring import paper_scoring, strict_scoring
from clinhallu_gate.vocabulary import ANSWER, STAGE_ARM, Arm, FailReason, Outcome, Part, Stage, UnjudgedReason

BOARD = Path(__file__).parent / "board.yaml"
SEED = "planted-run"
READINGS = (*(Reading(arm, stage) for stage, arm in STAGE_ARM.items()), *(Reading(arm, ANSWER) for arm in Arm))
WRITTEN: Mapping[Arm, tuple[Part, ...]] = {
    Arm.BASELINE: (*Stage, ANSWER),
    Arm.REPLACE_VR: (Stage.KNOWLEDGE_RECALL, Stage.REASONING_INTEGRATION, ANSWER),
    Arm.REPLACE_KR: (Stage.VISUAL_RECOGNITION, Stage.REASONING_INTEGRATION, ANSWER),
    Arm.REPLACE_VR_KR: (Stage.REASONING_INTEGRATION, ANSWER),
}
ERROR = {
    Stage.VISUAL_RECOGNITION: Error.INVENTED_FINDING,
    Stage.KNOWLEDGE_RECALL: Error.WRONG_RULE,
    Stage.REASONING_INTEGRATION: Error.NON_SEQUITUR,
    ANSWER: Error.WRONG_ANSWER,
}


@dataclass(frozen=True)
class Plan:
    """How many instances are bad in each reading, fail, or stay unjudged."""

    bad: Mapping[Reading, int] = field(default_factory=dict)
    failed: int = 0
    """Instances whose baseline reply is cut off within the knowledge stage."""
    unjudged: Mapping[Reading, int] = field(default_factory=dict)
    studies: int = 8
    context: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class PlantedRun:
    """A run and its parts."""

    decision: DecisionDocument
    results: Results
    context: RunContext

    @property
    def view(self) -> ReportView:
        """Return the view-model, without pictures."""
        return report_view(self.decision, self.results, self.context)

    def write(self, folder: Path) -> bytes:
        """Write the report into ``folder``, pictures and all, and return the page."""
        pictures = Pictures(folder / ASSETS / PICTURES)
        view = report_view(self.decision, self.results, self.context, pictures)
        write_report(folder, view, case_views(self.results, pictures))
        pictures.close()
        return (folder / "report.html").read_bytes()


def planted_results(plan: Plan) -> Results:
    """Return the results of a model that makes exactly the planned errors."""
    results = Results(phantom_instances(seed="report-1", studies=plan.studies))
    for instance in results.instances:
        results.found[instance.uid] = _gold_found(instance)
    for reading in READINGS:
        order = random.Random(f"{SEED}:{reading.part}").sample(results.instances, len(results.instances))
        for instance in order[: plan.bad.get(reading, 0)]:
            _write(results.found[instance.uid], instance, reading, _wrong(instance, reading.part))
        for instance in order[len(order) - plan.unjudged.get(reading, 0) :]:
            lost = Unjudged(UnjudgedReason.ENDPOINT_FAILED, "connection refused")
            results.found[instance.uid].verdicts[reading] = lost
    for instance in results.instances[: plan.failed]:
        _cut_off(results.found[instance.uid])
    return results


def planted_run(plan: Plan) -> PlantedRun:
    """Return the whole of a run, with the gates of ``board.yaml`` decided."""
    results = planted_results(plan)
    thresholds = load_thresholds(BOARD)
    frame = Frame.of(results.instances)
    specs = expand(thresholds, frame.strata)
    gates = decide_all(
        specs, frame, results.verdict, Rules(alpha=thresholds.alpha, blocking_gates=count_blocking(specs))
    )
    decided = release(specs, gates)
    document = build(
        decided,
        gates,
        model="phantom-vlm",
        model_sha256="a" * 64,
        judge="oracle",
        protocol=NamedDigest(name="standard", sha256="b" * 64),
        thresholds=FileDigest(file="board.yaml", sha256="c" * 64),
        datasets=[DatasetDigest(name="phantom", sha256="d" * 64, instances=len(results.instances))],
        found=beside(results) if decided.exit_status != EXIT_NOT_COMPLETED else None,
    )
    return PlantedRun(document, results, a_context(specs, len(results.instances), **plan.context))


def beside(results: Results) -> Beside:
    """Return what stands beside the gates: the oracle examined, its agreement with itself, figures put anywhere."""
    probes = make_probes(results.instances, per_stage=20, seed=SEED)
    verdicts = {probe.id: judge_stage(phantom_of(probe.instance), probe.stage, probe.text) for probe in probes}
    figures = [Estimate(dataset="vqa-rad", metric=metric, value=0.5, low=0.45, high=0.55, n=300) for metric in METRICS]
    return Beside(
        scorings={"paper": paper_scoring(results).as_dict(), "strict": strict_scoring(results).as_dict()},
        examination=examine(probes, verdicts, alpha=0.05, minima=JudgeMinima()),
        agreement=agreement(_labels(results), results.verdict),
        placement=place(figures, model_published="MedGemma-4B"),
    )


def _labels(results: Results) -> list[Label]:
    """Let people call every third visual stage hallucinated."""
    return [
        Label(
            uid=instance.uid,
            cluster=instance.cluster,
            stage=Stage.VISUAL_RECOGNITION,
            arm=Arm.BASELINE,
            label=Outcome.GROUNDED if number % 3 else Outcome.HALLUCINATED,
        )
        for number, instance in enumerate(results.instances)
    ]


def a_context(specs: tuple[GateSpec, ...], instances: int, **changes: object) -> RunContext:
    """Return how the run was made."""
    return RunContext.model_validate(
        {
            "run_dir": "reports/phantom-vlm/20260131-120000",
            "command": "pytest suites/ --model phantom-vlm --thresholds board.yaml",
            "started": "2026-01-31 12:00:00 UTC",
            "finished": "2026-01-31 12:03:20 UTC",
            "versions": {"clinhallu-gate": "0.1.0", "vllm": "0.19.0", "python": "3.11.9"},
            "model": "phantom-vlm",
            "judge": "oracle",
            "protocol": "standard",
            "data": (DataSource(name="phantom", sha256="d" * 64, instances=instances),),
            "machine": "2 cores, no accelerator",
            "calls_made": 4 * instances,
            "calls_from_store": 0,
            "rationale": {spec.id: spec.rationale for spec in specs},
            **changes,
        }
    )


def not_started() -> PlantedRun:
    """Return a run whose server died before anything was known."""
    results = Results(phantom_instances(seed="report-1", studies=8))
    document = build(
        Release(None, 11, "the model server died"),
        [],
        model="phantom-vlm",
        model_sha256=None,
        judge="oracle",
        protocol=NamedDigest(name="standard", sha256="b" * 64),
        thresholds=FileDigest(file="board.yaml", sha256="c" * 64),
        datasets=[DatasetDigest(name="phantom", sha256="d" * 64, instances=96)],
    )
    return PlantedRun(document, results, a_context((), 96, failure="the model server ended with status 1."))


def _gold_found(instance: Instance) -> Found:
    found = Found()
    for number, (arm, parts) in enumerate(WRITTEN.items()):
        found.costs[TraceOf(arm)] = CallCost(0.25 * (number + 1), 300, 60, 200)
        for part in parts:
            _write(found, instance, Reading(arm, part), _gold(instance, part))
    return found


def _gold(instance: Instance, part: Part) -> str:
    text = instance.answer if part == ANSWER else instance.gold.text(Stage(part))
    assert text is not None
    return text


def _wrong(instance: Instance, part: Part) -> str:
    phantom = phantom_of(instance)
    text = planted_text(ERROR[part], phantom.study, phantom.question, random.Random(f"{SEED}:{instance.uid}:{part}"))
    assert text is not None
    return text


def _write(found: Found, instance: Instance, reading: Reading, text: str) -> None:
    found.texts[reading] = text
    if reading not in READINGS:
        return
    phantom = phantom_of(instance)
    if reading.part == ANSWER:
        found.verdicts[reading] = judge_answer(phantom.question, text)
    else:
        found.verdicts[reading] = judge_stage(phantom, Stage(reading.part), text)


def _cut_off(found: Found) -> None:
    for part in (Stage.KNOWLEDGE_RECALL, Stage.REASONING_INTEGRATION, ANSWER):
        found.texts.pop(Reading(Arm.BASELINE, part), None)
    found.verdicts[Reading(Arm.BASELINE, ANSWER)] = Failed(FailReason.TRUNCATED)


VISUAL, KNOWLEDGE, REASONING = READINGS[:3]
ALONE, WITH_IMAGE, WITH_KNOWLEDGE, WITH_BOTH = READINGS[3:]

PASSED = Plan(bad={VISUAL: 14, KNOWLEDGE: 6, REASONING: 2, ALONE: 11, WITH_IMAGE: 4, WITH_KNOWLEDGE: 9, WITH_BOTH: 1})
BLOCKED = Plan(
    bad={VISUAL: 61, KNOWLEDGE: 9, REASONING: 4, ALONE: 30, WITH_IMAGE: 6, WITH_KNOWLEDGE: 26, WITH_BOTH: 2},
    failed=2,
)
OPEN = Plan(
    bad={VISUAL: 32, KNOWLEDGE: 9, REASONING: 3, ALONE: 20, WITH_IMAGE: 4, WITH_KNOWLEDGE: 18, WITH_BOTH: 1},
    unjudged={VISUAL: 1},
    context={"notes": ("--limit 96: 96 of 240 instances",)},
)
LOST = Plan(bad={VISUAL: 14}, unjudged={VISUAL: 11, REASONING: 7})
PLANS = {"pass": PASSED, "fail": BLOCKED, "inconclusive": OPEN, "not_completed": LOST}


@cache
def run_named(name: str) -> PlantedRun:
    """Return one of ``PLANS``, built once."""
    return planted_run(PLANS[name])


def with_text(hostile: str) -> PlantedRun:
    """Return a run in which everything that a model or the data can write is ``hostile``."""
    plain = planted_run(Plan(bad={VISUAL: 8, ALONE: 4}, studies=1))
    results = Results([_rewritten(instance, hostile) for instance in plain.results.instances])
    for old, new in zip(plain.results.instances, results.instances, strict=True):
        found = results.found[new.uid] = plain.results.found[old.uid]
        found.texts = dict.fromkeys(found.texts, hostile)
        found.verdicts = {
            reading: replace(verdict, reason=f"{verdict.reason} {hostile}") if isinstance(verdict, Judged) else verdict
            for reading, verdict in found.verdicts.items()
        }
        found.verdicts[WITH_BOTH] = Unjudged(UnjudgedReason.JUDGE_FAILED, hostile)
    gates = tuple(
        gate.model_copy(update={"id": f"{gate.id}{hostile}", "scope": hostile, "reason": hostile})
        for gate in plain.decision.gates
    )
    context = plain.context.model_copy(
        update={"model": hostile, "notes": (hostile,), "command": hostile, "run_dir": hostile, "machine": hostile}
    )
    return PlantedRun(plain.decision.model_copy(update={"gates": gates}), results, context)


def _rewritten(instance: Instance, hostile: str) -> Instance:
    return replace(
        instance,
        id=f"{instance.id}{hostile}",
        stratum=f"{instance.stratum}{hostile}",
        question=hostile,
        options=(hostile,),
        answer=hostile,
        gold=GoldTrace(visual_recognition=hostile, knowledge_recall=hostile, reasoning_integration=hostile),
    )
