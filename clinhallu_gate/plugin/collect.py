"""Turn instances and gates into parameters of tests, and selected tests back into what they need."""

from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from clinhallu_gate.errors import not_one_of
from clinhallu_gate.pipeline.plan import Wanted
from clinhallu_gate.plugin.approved import ApprovedHandle, Approving, NothingApproved
from clinhallu_gate.plugin.approved_file import approved_file
from clinhallu_gate.plugin.exchange import Selection
from clinhallu_gate.plugin.handles import GateHandle, JudgeHandle, Lookup, Measure, VerdictHandle
from clinhallu_gate.plugin.state import State
from clinhallu_gate.plugin.view import RunView
from clinhallu_gate.records import PARTS, Reading
from clinhallu_gate.results import HEADLINE_READINGS
from clinhallu_gate.vocabulary import ANSWER, Arm, Metric, Part, Stage

_OURS = ("verdicts", "gates", "judge_health", "approved", "instances")
"""Markers of tests that need a model."""


def parametrize(metafunc: pytest.Metafunc, state: State) -> None:
    """Give a test with a marker of ours its parameters."""
    verdicts = metafunc.definition.get_closest_marker("verdicts")
    gates = metafunc.definition.get_closest_marker("gates")

    def lookup() -> RunView:
        return state.view

    if verdicts is not None:
        strict = bool(metafunc.config.option.strict_instances)
        _parametrize_verdicts(metafunc, state, _readings(**verdicts.kwargs), lookup, strict=strict)
    elif gates is not None:
        metric = Metric(_one_of("metric", gates.kwargs.get("metric"), Metric))
        chosen = [GateHandle(spec, lookup) for spec in state.gates if spec.metric is metric]
        ids = [handle.spec.id.replace("[", "-").rstrip("]") for handle in chosen]
        metafunc.parametrize("gate", chosen, ids=ids)
    elif metafunc.definition.get_closest_marker("judge_health") is not None:
        checks = [JudgeHandle(stage, measure, lookup) for stage in Stage for measure in Measure]
        metafunc.parametrize("judge_check", checks, ids=[f"{check.stage}-{check.measure}" for check in checks])
    elif metafunc.definition.get_closest_marker("approved") is not None:
        _parametrize_approved(metafunc, state, lookup)
    elif metafunc.definition.get_closest_marker("instances") is not None:
        metafunc.parametrize("instance", state.instances, ids=state.uids)


def _parametrize_verdicts(
    metafunc: pytest.Metafunc,
    state: State,
    readings: Sequence[Reading],
    lookup: Lookup,
    *,
    strict: bool,
) -> None:
    handles = [VerdictHandle(uid, reading, lookup, strict) for reading in readings for uid in state.uids]
    several = len(readings) > 1
    ids = [f"{handle.reading.arm}-{handle.uid}" if several else handle.uid for handle in handles]
    if "instance" in metafunc.fixturenames:
        pairs = zip([*state.instances] * len(readings), handles, strict=True)
        metafunc.parametrize("instance,verdict", list(pairs), ids=ids)
    else:
        metafunc.parametrize("verdict", handles, ids=ids)


def _parametrize_approved(metafunc: pytest.Metafunc, state: State, lookup: Lookup) -> None:
    """Give a test each instance of a data set of which verdicts are approved, or are to be; of others, one for all."""
    approving, strict = Approving.of(metafunc.config), bool(metafunc.config.option.strict_instances)
    by_dataset: dict[str, list[str]] = {}
    for uid in state.uids:
        by_dataset.setdefault(uid.partition("/")[0], []).append(uid)
    chosen: dict[str, ApprovedHandle | NothingApproved] = {}
    for dataset, uids in by_dataset.items():
        file = approved_file(metafunc.definition.path.parent, state.model, dataset)
        if approving is Approving.NOTHING and not file.is_file():
            chosen[dataset] = NothingApproved(file)
        else:
            chosen.update({uid: ApprovedHandle(uid, file, lookup, strict, approving) for uid in uids})
    metafunc.parametrize("approved", list(chosen.values()), ids=list(chosen))


def _readings(arm: str | Iterable[str] = Arm.BASELINE, part: str = ANSWER) -> list[Reading]:
    """Return what a ``verdicts`` marker speaks of."""
    arms = [arm] if isinstance(arm, str) else list(arm)
    _one_of("part", part, PARTS)
    of: Part = ANSWER if part == ANSWER else Stage(part)
    return [Reading(Arm(_one_of("arm", name, Arm)), of) for name in arms]


def _one_of(key: str, value: object, valid: Iterable[str]) -> str:
    if value not in list(valid):
        raise pytest.UsageError(not_one_of(f"marker {key}", value, valid, noun=f"a valid {key}"))
    return str(value)


def selection_of(items: Sequence[pytest.Item], state: State) -> Selection:
    """Return what the selected tests need."""
    gates: dict[str, None] = {}
    wanted: dict[Wanted, None] = {}
    files: dict[Path, None] = {}
    gated = judge = False
    for item in items:
        callspec = getattr(item, "callspec", None)
        params = callspec.params if callspec else {}
        gated = gated or any(item.get_closest_marker(name) for name in _OURS)
        if isinstance(gate := params.get("gate"), GateHandle):
            gates[gate.spec.id] = None
        elif isinstance(verdict := params.get("verdict"), VerdictHandle):
            wanted[Wanted(verdict.uid, verdict.reading)] = None
        elif isinstance(approved := params.get("approved"), ApprovedHandle):
            wanted.update({Wanted(approved.uid, reading): None for reading in HEADLINE_READINGS})
            files[approved.file] = None
        judge = judge or "judge_check" in params
    unprepared = gated and not state.prepared
    return Selection(tuple(gates), tuple(wanted), judge, tuple(files), len(items), unprepared)
