"""Rows that lie on disk are gated as rows in memory are: the same names, gates, verdicts and texts."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from gate_run import Outcome, Rig
from ward import Ward, opened

from clinhallu_gate import keeping
from clinhallu_gate.cli import main
from clinhallu_gate.private import private_folder

ON_DISK = ("-p", "on_disk")
#: What a run of patients keeps of data, names and texts.
KEPT = ("instances.jsonl", "ids.csv")


@pytest.fixture(scope="module")
def ward(rig: Rig) -> Iterator[Ward]:
    """Six patients of four questions each, some of them without gold, and with images that several rows share."""
    with opened(rig, "on-disk") as found:
        yield found


def kept(outcome: Outcome) -> dict[str, bytes]:
    """Return what a run keeps in private."""
    folder = private_folder(outcome.folder)
    return {name: (folder / name).read_bytes() for name in KEPT}


@pytest.mark.parametrize("rest", [(), ("--limit", "9"), ("-n", "2")], ids=["whole", "limit", "xdist"])
def test_patients_on_disk_are_gated_as_in_memory(ward: Ward, rest: tuple[str, ...]) -> None:
    """With one shared order of instances, and with workers that get them from their controller."""
    one, other = (ward.gate(*rest, *where).outcome for where in ((), ON_DISK))
    assert other.status == one.status
    assert other.decision["datasets"] == one.decision["datasets"]
    assert other.decision["gates"] == one.decision["gates"]
    assert other.verdicts == one.verdicts
    assert kept(other) == kept(one)
    assert other.counts == one.counts


def test_a_frozen_list_and_a_baseline_hold_on_disk(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    """Names and digests of a list do not depend on where rows lie, nor do pairs with the release in use."""
    for name, value in ward.env.items():
        monkeypatch.setenv(name, value)
    data, lists = (
        str(ward.folder / "ward.jsonl"),
        [ward.folder / f"frozen-{place}.json" for place in ("memory", "disk")],
    )
    assert main(["freeze", "--data", data, "--out", str(lists[0])]) == 0
    monkeypatch.setattr(keeping, "AT_HAND", 0)
    assert main(["freeze", "--data", data, "--out", str(lists[1])]) == 0
    assert held(lists[0]) == held(lists[1])
    in_use = ward.gate("--frozen", str(lists[0])).outcome
    held_against = ("--frozen", str(lists[1]), "--baseline", str(in_use.folder))
    one, other = (ward.gate(*held_against, *where).outcome for where in ((), ON_DISK))
    assert other.decision["gates"] == one.decision["gates"]
    assert any(gate["flips"] is not None for gate in other.decision["gates"])
    assert other.verdicts == one.verdicts == in_use.verdicts


def held(frozen: Path) -> dict[str, Any]:
    """Return what a frozen list holds, without when it was made."""
    found: dict[str, Any] = json.loads(frozen.read_bytes())
    return {name: value for name, value in found.items() if name != "created"}
