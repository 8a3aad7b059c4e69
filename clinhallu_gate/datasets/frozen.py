"""A frozen list: which instances a data set had, under names and digests that tell nothing of a patient.

A later run with the list takes exactly these, so that it is about the same patients.
"""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Final, NamedTuple

from clinhallu_gate.datasets.dataset import Dataset, Selected, content_digest
from clinhallu_gate.datasets.frozen_list import Frozen, FrozenSet
from clinhallu_gate.datasets.problems import LISTED
from clinhallu_gate.errors import BadInput
from clinhallu_gate.keeping import only, selected
from clinhallu_gate.records import INSTANCE, Instance

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
    digests: dict[str, str] = {}
    clusters: list[tuple[str, str]] = []
    for now, was in zip(protected.instances, before.instances, strict=True):
        digests[now.id] = _digest(was, before, key)
        clusters.append((now.id, intern(was.cluster)))
    together = (names for names in _together(clusters) if len(names) > 1)
    return FrozenSet(name=protected.name, instances=digests, together=tuple(together))


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
    """Return the data with just the instances of the list, in its order, under their own names still.

    Raises:
        BadInput: More than ``allowed`` of the list are gone or changed (it names them as the list does), or others of
            those that are left share a patient now.
    """
    found = [_found(dataset, frozen) for dataset in datasets]
    lost = [f"{each.dataset.name}/{name}: {how}" for each in found for name, how in each.lost.items()]
    if len(lost) > allowed:
        raise BadInput(_refusal(lost, frozen, allowed))
    for each in found:
        _demand_same_groups(each, frozen)
    return tuple(_kept(each, frozen) for each in found)


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is of a list in one data set."""

    dataset: Dataset
    same: Mapping[str, "_Place"]
    """By the list's names and in its order: those that are as they were."""
    lost: Mapping[str, str]
    """By the list's names and in its order: ``gone`` or ``changed``."""


class _Place(NamedTuple):
    """An instance of a data set."""

    number: int
    id: str
    cluster: str


def _found(dataset: Dataset, frozen: Frozen) -> _Found:
    same: dict[str, _Place] = {}
    lost: dict[str, str] = {}
    there = {frozen.name_of(instance.uid): number for number, instance in enumerate(dataset.instances)}
    for name, digest in frozen.digests[dataset.name].items():
        number = there.get(name)
        instance = None if number is None else dataset.instances[number]
        if number is not None and instance is not None and _digest(instance, dataset, frozen.key) == digest:
            same[name] = _Place(number, instance.id, intern(instance.cluster))
        else:
            lost[name] = "gone" if instance is None else "changed"
    return _Found(dataset, same, lost)


def _demand_same_groups(found: _Found, frozen: Frozen) -> None:
    was = (tuple(name for name in names if name in found.same) for names in frozen.together[found.dataset.name])
    now = _together((name, place.cluster) for name, place in found.same.items())
    if {frozenset(names) for names in was if len(names) > 1} != {frozenset(names) for names in now if len(names) > 1}:
        raise BadInput(
            f"--frozen: {frozen.file}: the instances of {found.dataset.name!r} are as they were, but not who shares a "
            "patient (patient_id, cluster, phi). Restore that, or freeze anew."
        )


def _together(named: Iterable[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Return the names of each cluster."""
    clusters: dict[str, list[str]] = {}
    for name, cluster in named:
        clusters.setdefault(cluster, []).append(name)
    return [tuple(names) for names in clusters.values()]


def _kept(found: _Found, frozen: Frozen) -> Dataset:
    dataset, numbers = found.dataset, [place.number for place in found.same.values()]
    unlisted = sum(frozen.name_of(each.uid) is None for each in dataset.instances)
    before = dataset.selected or Selected(rows=len(dataset.instances))
    gone = sum(how == "gone" for how in found.lost.values())
    changed = len(found.lost) - gone
    chosen = replace(before, unlisted=before.unlisted + unlisted, gone=gone, changed=changed)
    if numbers == list(range(len(dataset.instances))):
        return replace(dataset, selected=chosen)
    kept = selected(dataset.instances, numbers)
    place = {each.id: place for place, each in enumerate(found.same.values())}
    drawn = sorted(
        (image for image in dataset.drawn if image.instance in place), key=lambda image: place[image.instance]
    )
    return replace(
        dataset,
        sha256=content_digest(kept),
        instances=kept,
        rows=only(place, dataset.rows),
        pictured=only(place, dataset.pictured),
        patient_ids=only(place, dataset.patient_ids),
        drawn=tuple(drawn),
        gold_of=only(place, dataset.gold_of),
        selected=chosen,
    )


def _refusal(lost: Sequence[str], frozen: Frozen, allowed: int) -> str:
    gone = sum(line.endswith("gone") for line in lost)
    total = sum(map(len, frozen.digests.values()))
    first = f"--frozen: {frozen.file}: {len(lost)} of {total} instances are not as they were frozen: {gone} gone"
    first += f", {len(lost) - gone} changed" + (f"; {allowed} allowed" if allowed else "")
    more = [f"and {len(lost) - LISTED} more"] if len(lost) > LISTED else []
    end = f"Restore them, leave them out with --allow-bad-rows {len(lost)}, or freeze anew."
    return "\n".join([first, *lost[:LISTED], *more, end])


def _digest(instance: Instance, dataset: Dataset, key: bytes) -> str:
    """Return the keyed digest of what an instance holds.

    Left out is what may change without it: where files lie, which of a study's images a model is sent (it depends on
    how many it takes), and the cluster, which is called after its first row.
    """
    content = INSTANCE.dump_python(instance, mode="json", exclude={"images", "cluster", "phi"})
    shown = dataset.pictured.get(instance.id) or [image.sha256 for image in instance.images]
    text = json.dumps([content, *shown], sort_keys=True, ensure_ascii=False)
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()[:_DIGITS]
