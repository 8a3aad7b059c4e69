"""A frozen list: which instances a data set had, under names and digests that tell nothing of a patient.

A later run with the list takes exactly these, so that it is about the same patients.
"""

import hashlib
import hmac
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Final, Literal

from pydantic import ValidationError

from clinhallu_gate.datasets.dataset import Dataset, Selected, content_digest
from clinhallu_gate.datasets.problems import LISTED
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pseudonym import SITE_KEY, pseudonym
from clinhallu_gate.records import Instance, Record

KIND: Final = "clinhallu-gate frozen list"
_FINGERPRINT: Final = "fingerprint of the site's key"
_DIGITS: Final = 32
"""Of an instance's digest: 128 bits."""


class FrozenSet(Record):
    """The instances of one data set."""

    name: str
    sha256: str
    """Of the data set as a run has it that takes just these."""
    instances: Mapping[str, str]
    """Digest of the content under the site's key, by id; of patients both tell nothing without that key."""


class FrozenFile(Record):
    """What the file says."""

    schema_version: Literal[1] = 1
    what: Literal["clinhallu-gate frozen list"] = KIND
    site_key: str | None
    """Fingerprint of the key; None of data without patients."""
    since: date | None = None
    until: date | None = None
    """The studies that it was made of, as options said; they are not those of single rows."""
    datasets: tuple[FrozenSet, ...]


@dataclass(frozen=True, slots=True)
class FrozenData:
    """What data are frozen as."""

    sets: tuple[FrozenSet, ...]
    site_key: str | None
    patients: int
    """Clusters."""


@dataclass(frozen=True, slots=True, eq=False)
class Frozen:
    """A list with the key that it was made under."""

    file: str
    sha256: str
    key: bytes
    """Empty of data without patients."""
    digests: Mapping[str, Mapping[str, str]]
    """By data set and id."""
    sums: Mapping[str, str]
    """Digest of each data set."""

    def name_of(self, uid: str) -> str | None:
        """Return what an instance is called on the list; None if it is not there."""
        dataset, _, plain = uid.partition("/")
        listed = self.digests.get(dataset, {})
        return next((name for name in (pseudonym(uid, self.key), plain) if name in listed), None)


def fingerprint(key: bytes) -> str:
    """Return what tells keys apart and tells nothing of them."""
    return pseudonym(_FINGERPRINT, key)


def frozen_set(protected: Dataset, before: Dataset, key: bytes) -> FrozenSet:
    """Return what a data set is frozen as; ``before`` holds the same instances under their own names."""
    pairs = zip(protected.instances, before.instances, strict=True)
    digests = {now.id: _digest(was, key) for now, was in pairs}
    return FrozenSet(name=protected.name, sha256=protected.sha256, instances=digests)


def write_frozen(path: Path, content: FrozenFile) -> None:
    """Write a new file that its owner alone may read. Raises ``BadInput`` if there is one, or it cannot be written."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(content.model_dump_json(indent=1) + "\n")
    except FileExistsError:
        raise BadInput(f"--out: {path} is there already; name another file.") from None
    except OSError as error:
        raise BadInput(f"--out: {path} cannot be written: {error.strerror or error}.") from None


def read_frozen(path: Path, key: Callable[[], bytes]) -> Frozen:
    """Return a frozen list. Raises ``BadInput`` for a file that is none, and for one of another site's key."""
    try:
        data = path.read_bytes()
        content = FrozenFile.model_validate_json(data)
    except OSError as error:
        raise BadInput(f"--frozen: {path} cannot be read: {error.strerror or error}.") from None
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"])) or "the whole"
        said = f"{place}: {first['msg']}"
        raise BadInput(f"--frozen: {path} is no list that clinhallu-gate freeze wrote: {said}.") from None
    secret = b"" if content.site_key is None else key()
    if content.site_key is not None and fingerprint(secret) != content.site_key:
        raise BadInput(
            f"--frozen: {path} was frozen under another site's key ({content.site_key[:8]}, not "
            f"{fingerprint(secret)[:8]}), so its names stand for nobody here. Name that key's file in {SITE_KEY}, or "
            "freeze anew."
        )
    return Frozen(
        file=str(path),
        sha256=hashlib.sha256(data).hexdigest(),
        key=secret,
        digests={one.name: one.instances for one in content.datasets},
        sums={one.name: one.sha256 for one in content.datasets},
    )


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
