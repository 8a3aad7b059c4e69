"""Patients under other names: ids, clusters and rare group names become keyed hashes as soon as data are loaded.

Whatever is made from the data afterwards (names of tests, caches, logs, results, reports) holds nothing else, and the
same patients bear the same names in every run with the same key.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Final

from clinhallu_gate.datasets.dataset import Alias, Dataset, content_digest
from clinhallu_gate.pseudonym import pseudonym
from clinhallu_gate.records import Instance

#: A stratum or tag that fewer patients bear may tell who they are.
FEWEST: Final = 5
_DIGITS: Final = 12


def protect(datasets: Sequence[Dataset], named: frozenset[str], key: Callable[[], bytes]) -> tuple[Dataset, ...]:
    """Return the data with patients under other names; data without any as they are.

    An instance is called by the pseudonym of ``dataset/id``. A stratum or tag of patients is told as it is if the data
    set is called so, if it is one of ``named``, or if at least ``FEWEST`` clusters (patients) bear it; others are
    called ``group-`` and a pseudonym. The digest is that of the data with all groups so called: it depends on the key,
    so that nobody can try out data against it, and not on ``named``.

    Args:
        datasets: As they were loaded.
        named: Strata and tags that a policy names.
        key: Gives the site's key; called only if there are patients.
    """
    if not any(instance.phi for dataset in datasets for instance in dataset.instances):
        return tuple(datasets)
    clusters = _of_patients(datasets)
    spread = [_spread(dataset, clusters) for dataset in datasets]
    names = _Names(key(), _rare(spread) - named)
    return tuple(_protected(dataset, names) for dataset in spread)


def _spread(dataset: Dataset, clusters: frozenset[tuple[str, str]]) -> Dataset:
    """Take whatever shares a patient or an image with a patient's instance for that patient's, too."""
    return replace(
        dataset,
        instances=tuple(
            each if each.phi or (each.dataset, each.cluster) not in clusters else replace(each, phi=True)
            for each in dataset.instances
        ),
    )


@dataclass(frozen=True, slots=True)
class _Names:
    key: bytes
    rare: frozenset[str]
    """Group names that are not told."""

    def id(self, instance: Instance) -> str:
        return pseudonym(instance.uid, self.key) if instance.phi else instance.id

    def cluster(self, instance: Instance) -> str:
        if not instance.phi:
            return instance.cluster
        return intern(pseudonym(f"{instance.dataset}/cluster/{instance.cluster}", self.key))

    def group(self, name: str) -> str:
        return self.hidden(name) if name in self.rare else name

    def hidden(self, name: str) -> str:
        return f"group-{pseudonym(f'group/{name}', self.key)[:_DIGITS]}"


def _rare(datasets: Sequence[Dataset]) -> frozenset[str]:
    """Return the group names that a patient bears and too few do."""
    bearers: dict[str, set[tuple[str, str]]] = {}
    borne: set[str] = set()
    for instance in (instance for dataset in datasets for instance in dataset.instances):
        for name in _groups(instance):
            bearers.setdefault(name, set()).add((instance.dataset, instance.cluster))
        borne.update(_groups(instance) if instance.phi else ())
    return frozenset(name for name in borne if len(bearers[name]) < FEWEST)


def _groups(instance: Instance) -> Iterator[str]:
    if instance.stratum != instance.dataset:
        yield instance.stratum
    yield from instance.tags


def _of_patients(datasets: Sequence[Dataset]) -> frozenset[tuple[str, str]]:
    return frozenset((i.dataset, i.cluster) for dataset in datasets for i in dataset.instances if i.phi)


def _protected(dataset: Dataset, names: _Names) -> Dataset:
    renamed = tuple(_renamed(instance, names, names.group) for instance in dataset.instances)
    if renamed == dataset.instances:
        return dataset
    hidden = (_renamed(i, names, names.hidden) if i.phi else i for i in dataset.instances)
    ids = {before.id: now.id for before, now in zip(dataset.instances, renamed, strict=True)}
    return replace(
        dataset,
        sha256=content_digest(hidden),
        instances=renamed,
        rows={ids[id_]: row for id_, row in dataset.rows.items()},
        pictured={ids[id_]: told for id_, told in dataset.pictured.items()},
        drawn=tuple(replace(image, instance=ids[image.instance]) for image in dataset.drawn),
        gold_of={ids[id_]: laid for id_, laid in dataset.gold_of.items()},
        patient_ids={ids[id_]: told for id_, told in dataset.patient_ids.items()},
        aliases=tuple(dict.fromkeys(_aliases(dataset.instances, renamed))),
    )


def _renamed(instance: Instance, names: _Names, group: Callable[[str], str]) -> Instance:
    stratum = instance.stratum if instance.stratum == instance.dataset else group(instance.stratum)
    return replace(
        instance,
        id=names.id(instance),
        cluster=names.cluster(instance),
        stratum=stratum,
        tags=tuple(dict.fromkeys(map(group, instance.tags))),
    )


def _aliases(before: Sequence[Instance], now: Sequence[Instance]) -> Iterator[Alias]:
    for was, is_ in zip(before, now, strict=True):
        if was.id != is_.id:
            yield Alias(is_.id, "instance", was.id)
        if was.cluster != is_.cluster:
            yield Alias(is_.cluster, "cluster", was.cluster)
        for old, new in zip((was.stratum, *dict.fromkeys(was.tags)), (is_.stratum, *is_.tags), strict=True):
            if old != new:
                yield Alias(new, "group", old)
