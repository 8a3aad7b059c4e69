"""From ``--data`` to instances."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from clinhallu_gate.datasets.phantom.generate import phantom_instances
from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.records import Instance


@dataclass(frozen=True, slots=True)
class Dataset:
    """Named data, with a digest of its content."""

    name: str
    sha256: str
    instances: tuple[Instance, ...]


SOURCES: Final[Mapping[str, Callable[[], tuple[Instance, ...]]]] = MappingProxyType({"phantom": phantom_instances})


def load_data(specs: Sequence[str]) -> tuple[Dataset, ...]:
    """Load each of ``specs`` once, in order.

    Raises:
        BadInput: A name that is no dataset, or two instances of one id.
    """
    datasets = tuple(_load(spec) for spec in dict.fromkeys(specs))
    _refuse_twins([instance for dataset in datasets for instance in dataset.instances])
    return datasets


def content_digest(instances: Sequence[Instance]) -> str:
    """Return the SHA-256 of all that instances hold, pixels through their digests."""
    digest = hashlib.sha256()
    for instance in instances:
        digest.update(instance.model_dump_json(exclude={"images": {"__all__": {"data", "path"}}}).encode())
    return digest.hexdigest()


def _load(spec: str) -> Dataset:
    if spec not in SOURCES:
        raise BadInput(not_one_of("--data", spec, SOURCES, noun="a dataset"))
    instances = SOURCES[spec]()
    return Dataset(spec, content_digest(instances), instances)


def _refuse_twins(instances: Sequence[Instance]) -> None:
    seen: set[str] = set()
    for instance in instances:
        if instance.uid in seen:
            raise BadInput(f"--data: two instances have the id {instance.uid!r}.")
        seen.add(instance.uid)
