"""Probes: what is known of them is true on phantoms, by the oracle; they are spread evenly and follow from the data."""

import random
from collections import Counter
from dataclasses import replace
from functools import lru_cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.judge.oracle import judge_stage, phantom_of
from clinhallu_gate.judge.probes import Break, Probe, Rewording, Truth, make_probes
from clinhallu_gate.judge.probes.kinds import BREAKS, RIGHT
from clinhallu_gate.records import GoldTrace, Instance, Judged
from clinhallu_gate.testing import an_instance
from clinhallu_gate.vocabulary import Outcome, Stage

SEEDS = ("examination-1", "examination-2", "examination-3", "evaluation-1")


@lru_cache(maxsize=8)
def _phantoms(seed: str) -> tuple[Instance, ...]:
    return phantom_instances(seed=seed)


@lru_cache(maxsize=8)
def _probes(seed: str) -> tuple[Probe, ...]:
    return make_probes(_phantoms(seed), per_stage=120, seed=seed)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_oracle_says_of_every_probe_what_is_known_of_it(seed: str) -> None:
    """Every broken stage is hallucinated, every reworded and every unchanged one grounded, and none unreadable."""
    probes = _probes(seed)
    assert len(probes) > 700
    for probe in probes:
        verdict = judge_stage(phantom_of(probe.instance), probe.stage, probe.text)
        assert isinstance(verdict, Judged), (probe.id, probe.note, probe.text, verdict)
        assert verdict.outcome is RIGHT[probe.truth], (probe.id, probe.note, probe.text, verdict)


@given(seed=st.integers(0, 10**9))
@settings(max_examples=12, deadline=None)
def test_whatever_the_seed_a_broken_stage_is_broken(seed: int) -> None:
    """Any drawing from any phantoms gives probes of which the oracle says what is known."""
    for probe in make_probes(_phantoms(SEEDS[seed % 4]), per_stage=40, seed=str(seed)):
        verdict = judge_stage(phantom_of(probe.instance), probe.stage, probe.text)
        assert isinstance(verdict, Judged), (probe.id, probe.note, probe.text, verdict)
        assert verdict.outcome is RIGHT[probe.truth], (probe.id, probe.note, probe.text, verdict)


def test_phantoms_show_every_kind_of_break_and_of_rewording() -> None:
    """No kind is left unproved: each occurs, in every stage to which it applies."""
    probes = [probe for seed in SEEDS for probe in _probes(seed)]
    broken = {(probe.stage, probe.kind) for probe in probes if probe.truth is Truth.BROKEN}
    assert broken == {(stage, kind) for stage, kinds in BREAKS.items() for kind in kinds}
    assert {kind for _, kind in broken} == set(Break)
    assert {probe.kind for probe in probes if probe.truth is Truth.REWORDED} == set(Rewording)


def test_a_probe_differs_from_its_gold_unless_it_is_unchanged() -> None:
    """What was changed is said; unchanged gold is the gold text itself."""
    for probe in _probes(SEEDS[0]):
        same = probe.text == probe.instance.gold.text(probe.stage)
        assert same == (probe.truth is Truth.UNCHANGED), probe
        assert probe.note


def test_as_many_broken_as_reworded_and_a_quarter_unchanged() -> None:
    """Where the data allow it, each stage gets what was asked for."""
    counts = Counter((probe.stage, probe.truth) for probe in _probes(SEEDS[0]))
    wanted = {Truth.BROKEN: 120, Truth.REWORDED: 120, Truth.UNCHANGED: 30}
    assert counts == {(stage, truth): n for stage in Stage for truth, n in wanted.items()}


def test_probes_are_spread_over_kinds_strata_and_images() -> None:
    """Kinds that the data allow come equally often, strata nearly so, and no image gives two of a kind."""
    probes = [p for p in make_probes(_phantoms(SEEDS[0]), per_stage=64, seed="s") if p.truth is Truth.BROKEN]
    visual = [probe for probe in probes if probe.stage is Stage.VISUAL_RECOGNITION]
    assert set(Counter(probe.kind for probe in visual).values()) == {8}
    assert min(Counter(probe.instance.stratum for probe in visual).values()) >= 12
    for stage in Stage:
        of_stage = [probe for probe in probes if probe.stage is stage]
        assert max(Counter((probe.kind, probe.instance.cluster) for probe in of_stage).values()) == 1


def test_probes_do_not_depend_on_the_order_of_the_data() -> None:
    """The same content and seed give the same probes; another seed gives others."""
    shuffled = list(_phantoms(SEEDS[0]))
    random.Random(1).shuffle(shuffled)
    assert make_probes(shuffled, per_stage=120, seed=SEEDS[0]) == _probes(SEEDS[0])
    assert make_probes(shuffled, per_stage=120, seed="other") != _probes(SEEDS[0])


def test_every_probe_has_an_id_of_its_own() -> None:
    """Verdicts are kept by id."""
    ids = [probe.id for probe in _probes(SEEDS[0])]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("gold", [GoldTrace(), GoldTrace(visual_recognition="  ")])
def test_without_gold_there_are_no_probes(gold: GoldTrace) -> None:
    """Nothing is known of a stage that the data have no text for."""
    assert make_probes([an_instance(gold=gold)], per_stage=4, seed="s") == ()
    assert make_probes([], per_stage=4, seed="s") == ()


def test_only_stages_with_gold_give_probes() -> None:
    """A stage of its own is examined on its own."""
    instances = [
        replace(item, gold=GoldTrace(knowledge_recall=item.gold.knowledge_recall)) for item in _phantoms(SEEDS[0])
    ]
    assert {probe.stage for probe in make_probes(instances, per_stage=8, seed="s")} == {Stage.KNOWLEDGE_RECALL}


def test_datasets_lend_each_other_nothing() -> None:
    """Words and stages of one dataset do not stand in the probes of another."""
    lone = an_instance(dataset="other", id="1")
    probes = make_probes([*_phantoms(SEEDS[0]), lone], per_stage=400, seed="s")
    others = [probe for probe in probes if probe.instance.dataset == "other"]
    assert others
    assert all(probe.kind is not Break.OTHER_INSTANCE for probe in others)


def test_what_a_right_judge_says() -> None:
    """A break is a hallucination, a rewording is none."""
    assert RIGHT[Truth.BROKEN] is Outcome.HALLUCINATED
    assert {RIGHT[Truth.REWORDED], RIGHT[Truth.UNCHANGED]} == {Outcome.GROUNDED}
