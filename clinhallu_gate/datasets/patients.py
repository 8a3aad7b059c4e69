"""Patients under other names: ids, clusters and rare group names become keyed hashes as soon as data are loaded.

Whatever is made from the data afterwards (names of tests, caches, logs, results, reports) holds nothing else, and the
same patients bear the same names in every run with the same key.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from sys import intern
from typing import Final

from clinhallu_gate.datasets.dataset import Alias, Dataset, content_digest
from clinhallu_gate.keeping import Keeper, KeptList, renamed_keys
from clinhallu_gate.pseudonym import pseudonym
from clinhallu_gate.records import Instance

#: A stratum or tag that fewer patients bear may tell who they are.
FEWEST: Final = 5
_DIGITS: Final = 12


def protect(
    datasets: Sequence[Dataset], named: frozenset[str], key: Callable[[], bytes], keeper: Keeper
) -> tuple[Dataset, ...]:
    """Return the data with patients under other names; data without any as they are.

    An instance is called by the pseudonym of ``dataset/id``. A stratum or tag of patients is told as it is if the data
    set is called so, if it is one of ``named``, or if at least ``FEWEST`` clusters (patients) bear it; others are
    called ``group-`` and a pseudonym. The digest is that of the data with all groups so called: it depends on the key,
    so that nobody can try out data against it, and not on ``named``.

    Args:
        datasets: As they were loaded.
        named: Strata and tags that a policy names.
        key: Gives the site's key; called only if there are patients.
        keeper: Keeps the instances under their other names.
    """
    clusters = _of_patients(datasets)
    if not clusters:
        return tuple(datasets)
    names = _Names(key(), clusters, _rare(datasets, clusters) - named)
    return tuple(_protected(dataset, names, keeper) for dataset in datasets)


@dataclass(frozen=True, slots=True)
class _Names:
    key: bytes
    patients: frozenset[tuple[str, str]]
    """Data set and cluster of each."""
    rare: frozenset[str]
    """Group names that are not told."""

    def spread(self, instance: Instance) -> Instance:
        """Take whatever shares a patient or an image with a patient's instance for that patient's, too."""
        theirs = not instance.phi and (instance.dataset, instance.cluster) in self.patients
        return replace(instance, phi=True) if theirs else instance

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


def _rare(datasets: Sequence[Dataset], patients: frozenset[tuple[str, str]]) -> frozenset[str]:
    """Return the group names that a patient bears and too few do."""
    bearers: dict[str, set[tuple[str, str]]] = {}
    borne: set[str] = set()
    for instance in (instance for dataset in datasets for instance in dataset.instances):
        cluster = instance.dataset, intern(instance.cluster)
        for name in map(intern, _groups(instance)):
            bearers.setdefault(name, set()).add(cluster)
        borne.update(_groups(instance) if cluster in patients else ())
    return frozenset(name for name in borne if len(bearers[name]) < FEWEST)


def _groups(instance: Instance) -> Iterator[str]:
    if instance.stratum != instance.dataset:
        yield instance.stratum
    yield from instance.tags


def _of_patients(datasets: Sequence[Dataset]) -> frozenset[tuple[str, str]]:
    return frozenset((i.dataset, intern(i.cluster)) for dataset in datasets for i in dataset.instances if i.phi)


def _protected(dataset: Dataset, names: _Names, keeper: Keeper) -> Dataset:
    renamed: KeptList[Instance] = KeptList(keeper)
    ids: dict[str, str] = {}
    aliases: dict[Alias, None] = {}
    changed = False
    for was in map(names.spread, dataset.instances):
        now = _renamed(was, names, names.group)
        renamed.append(now)
        ids[was.id] = now.id
        aliases.update(dict.fromkeys(_aliases(was, now)))
        changed = changed or now != was
    if not changed:
        return dataset
    hidden = (_renamed(i, names, names.hidden) if i.phi else i for i in map(names.spread, dataset.instances))
    return replace(
        dataset,
        sha256=content_digest(hidden),
        instances=renamed,
        rows=renamed_keys(ids, dataset.rows),
        pictured=renamed_keys(ids, dataset.pictured),
        drawn=tuple(replace(image, instance=ids[image.instance]) for image in dataset.drawn),
        gold_of=renamed_keys(ids, dataset.gold_of),
        patient_ids=renamed_keys(ids, dataset.patient_ids),
        aliases=tuple(aliases),
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


def _aliases(was: Instance, now: Instance) -> Iterator[Alias]:
    if was.id != now.id:
        yield Alias(now.id, "instance", was.id)
    if was.cluster != now.cluster:
        yield Alias(now.cluster, "cluster", was.cluster)
    for old, new in zip((was.stratum, *dict.fromkeys(was.tags)), (now.stratum, *now.tags), strict=True):
        if old != new:
            yield Alias(new, "group", old)
