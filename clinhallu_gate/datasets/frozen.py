"""A frozen list: which instances a data set had, under names and digests that tell nothing of a patient.

A later run with the list takes exactly these, so that it is about the same patients.
"""

import hashlib
import hmac
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from clinhallu_gate.datasets.dataset import Dataset, Selected, content_digest
from clinhallu_gate.datasets.frozen_list import Frozen, FrozenSet
from clinhallu_gate.datasets.problems import LISTED
from clinhallu_gate.errors import BadInput
from clinhallu_gate.records import Instance

_DIGITS: Final = 32
"""Of an instance's digest: 128 bits."""


@dataclass(frozen=True, slots=True)
class FrozenData:
    """What data are frozen as."""

    sets: tuple[FrozenSet, ...]
    site_key: str | None
    patients: int
    """Clusters."""


def frozen_set(protected: Dataset, before: Dataset, key: bytes) -> FrozenSet:
    """Return what a data set is frozen as; ``before`` holds the same instances under their own names."""
    pairs = zip(protected.instances, before.instances, strict=True)
    digests = {now.id: _digest(was, key) for now, was in pairs}
    return FrozenSet(name=protected.name, sha256=protected.sha256, instances=digests)


def demand_same_sets(datasets: Sequence[str], frozen: Frozen) -> None:
    """Raise ``BadInput`` if the data are not those that were frozen, by name."""
    named = ", ".join(sorted(frozen.digests))
    for name in datasets:
        if name not in frozen.digests:
            raise BadInput(f"--frozen: {frozen.file} holds nothing of {name!r}. Valid: {named}.")
    for name in frozen.digests:
        if name not in datasets:
            raise BadInput(f"--frozen: {frozen.file} holds {name!r}, which --data does not name.")


def held(datasets: Sequence[Dataset], frozen: Frozen, *, allowed: int) -> tuple[Dataset, ...]:
    """Return the data with just the instances of the list, under their own names still.

    Raises:
        BadInput: More than ``allowed`` of the list are gone or changed; it names them as the list does.
    """
    lost = [line for dataset in datasets for line in _lost(dataset, frozen)]
    if len(lost) > allowed:
        raise BadInput(_refusal(lost, frozen, allowed))
    return tuple(_kept(dataset, frozen) for dataset in datasets)


def demand_same_groups(datasets: Sequence[Dataset], frozen: Frozen) -> None:
    """Raise ``BadInput`` if every instance is as it was and other ones share a patient now."""
    for dataset in datasets:
        whole = dataset.selected is None or not (dataset.selected.gone or dataset.selected.changed)
        if whole and dataset.sha256 != frozen.sums[dataset.name]:
            raise BadInput(
                f"--frozen: {frozen.file}: the instances of {dataset.name!r} are as they were, but not who shares a "
                "patient (patient_id, cluster, phi). Restore that, or freeze anew."
            )


def _lost(dataset: Dataset, frozen: Frozen) -> Iterator[str]:
    states = _states(dataset, frozen)
    for name in frozen.digests[dataset.name]:
        if name not in states:
            yield f"{dataset.name}/{name}: gone"
        elif not states[name]:
            yield f"{dataset.name}/{name}: changed"


def _states(dataset: Dataset, frozen: Frozen) -> dict[str, bool]:
    """Return whether each listed instance that is there is as it was."""
    listed = frozen.digests[dataset.name]
    named = ((frozen.name_of(instance.uid), instance) for instance in dataset.instances)
    return {name: _digest(instance, frozen.key) == listed[name] for name, instance in named if name is not None}


def _kept(dataset: Dataset, frozen: Frozen) -> Dataset:
    states = _states(dataset, frozen)
    kept = tuple(each for each in dataset.instances if states.get(frozen.name_of(each.uid) or "", False))
    unlisted = sum(frozen.name_of(each.uid) is None for each in dataset.instances)
    before = dataset.selected or Selected(rows=len(dataset.instances))
    selected = replace(
        before,
        unlisted=before.unlisted + unlisted,
        gone=len(frozen.digests[dataset.name]) - len(states),
        changed=sum(not same for same in states.values()),
    )
    if len(kept) == len(dataset.instances):
        return replace(dataset, selected=selected)
    ids = {each.id for each in kept}
    rows = {name: row for name, row in dataset.rows.items() if name in ids}
    drawn = tuple(image for image in dataset.drawn if image.instance in ids)
    gold_of = {name: laid for name, laid in dataset.gold_of.items() if name in ids}
    return replace(
        dataset,
        sha256=content_digest(kept),
        instances=kept,
        rows=rows,
        drawn=drawn,
        gold_of=gold_of,
        selected=selected,
    )


def _refusal(lost: Sequence[str], frozen: Frozen, allowed: int) -> str:
    gone = sum(line.endswith("gone") for line in lost)
    total = sum(map(len, frozen.digests.values()))
    first = f"--frozen: {frozen.file}: {len(lost)} of {total} instances are not as they were frozen: {gone} gone"
    first += f", {len(lost) - gone} changed" + (f"; {allowed} allowed" if allowed else "")
    more = [f"and {len(lost) - LISTED} more"] if len(lost) > LISTED else []
    end = f"Restore them, leave them out with --allow-bad-rows {len(lost)}, or freeze anew."
    return "\n".join([first, *lost[:LISTED], *more, end])


def _digest(instance: Instance, key: bytes) -> str:
    """Return the keyed digest of what an instance holds.

    Left out is what may change without it: where files lie, and the cluster, which is called after its first row.
    """
    content = instance.model_dump(
        mode="json", exclude={"images": {"__all__": {"data", "path"}}, "cluster": True, "phi": True}
    )
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_DIGITS]
