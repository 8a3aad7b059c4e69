"""Approved verdicts: each instance's verdicts against those in version control, through an extension of syrupy's."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any, Final

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.data import SnapshotCollection, SnapshotCollections
from syrupy.extensions.base import AbstractSyrupyExtension
from syrupy.location import PyTestLocation
from syrupy.types import PropertyFilter, PropertyMatcher, SerializableData, SnapshotIndex

from clinhallu_gate.errors import BadInput
from clinhallu_gate.plugin.approved_file import Words, demand_writable, line_of, read_approved, shown, write_approved
from clinhallu_gate.plugin.handles import Lookup
from clinhallu_gate.records import Failed, Judged, NotAsked, Unjudged, Verdict
from clinhallu_gate.results import HEADLINE_READINGS
from clinhallu_gate.vocabulary import NotAskedReason

HOW: Final = "to approve what the model does now, add --snapshot-update and commit what it writes"


class Approving(Enum):
    """What a session writes to approved files."""

    NOTHING = "nothing"
    NEW = "new"
    """Instances of which nothing is approved yet."""
    ALL = "all"

    @classmethod
    def of(cls, config: pytest.Config) -> "Approving":
        """Read syrupy's options."""
        if getattr(config.option, "update_snapshots", False):
            return cls.ALL
        return cls.NEW if getattr(config.option, "update_new_snapshots_only", False) else cls.NOTHING


@dataclass(frozen=True, slots=True)
class NothingApproved:
    """Stands for all instances of a data set of which nothing is approved yet."""

    file: Path

    def check(self, _snapshot: SnapshotAssertion) -> None:
        """Skip, and say how to approve."""
        pytest.skip(f"nothing is approved yet, there is no {shown(self.file)}: {HOW}")


@dataclass(frozen=True, slots=True)
class ApprovedHandle:
    """What is approved of one instance, beside its verdicts in this run."""

    uid: str
    file: Path
    lookup: Lookup
    strict: bool
    approving: Approving

    @property
    def key(self) -> str:
        """Id of the instance in the approved file; a patient's is a pseudonym since the data were loaded."""
        return self.lookup().instances[self.uid].id

    @property
    def now(self) -> "Now":
        """The verdicts of this run."""
        view = self.lookup()
        return Now.of([view.verdict(self.uid, reading) for reading in HEADLINE_READINGS])

    def check(self, snapshot: SnapshotAssertion) -> None:
        """Pass if the verdicts are the approved ones.

        A flip is shown as an expected failure (a failure with ``--strict-instances``): whether there are too many is
        for a paired gate to decide. With ``--snapshot-update`` the verdicts of this run become the approved ones; where
        one is missing, what was approved stays, and the test is skipped.
        """
        key, now = self.key, self.now
        approved = read_approved(self.file).get(key)
        if self.approving is Approving.ALL or (self.approving is Approving.NEW and approved is None):
            self._compare(snapshot, key, _complete(now))
        elif approved is None:
            pytest.skip(f"not approved yet: {HOW}")
        else:
            self._compare(snapshot, key, _beside(now, approved), flips(now.words, approved))

    def _compare(self, snapshot: SnapshotAssertion, key: str, words: Words, flipped: str = "") -> None:
        if flipped and not self.strict:
            # A marker, not pytest.xfail(): syrupy counts the snapshots of marked tests as xfailed, others as failed.
            snapshot.test_location.item.add_marker(pytest.mark.xfail(reason=flipped, strict=False))
        if snapshot(extension_class=ApprovedVerdicts) != line_of(key, words):
            pytest.fail(flipped or f"{shown(self.file)}: could not be compared with what is approved", pytrace=False)


@dataclass(frozen=True, slots=True)
class Now:
    """The verdicts of one instance in this run."""

    words: Words
    """What the judge said, or how the model failed, by part."""
    missing: tuple[str, ...]
    """What is not known and could be, with the reason."""

    @classmethod
    def of(cls, verdicts: Iterable[Verdict]) -> "Now":
        """Put the verdicts of the headline readings into words."""
        words: dict[str, str] = {}
        missing: list[str] = []
        for reading, verdict in zip(HEADLINE_READINGS, verdicts, strict=True):
            match verdict:
                case Judged(outcome=outcome):
                    words[reading.part] = outcome.value
                case Failed(reason=reason):
                    words[reading.part] = f"failed: {reason}"
                case NotAsked(reason=NotAskedReason.NO_GOLD):
                    pass  # the data cannot have it, in any run
                case Unjudged(reason=why):
                    missing.append(f"{reading.part} unjudged: {why}")
                case NotAsked(reason=because):
                    missing.append(f"{reading.part} not asked: {because}")
        return cls(words, tuple(missing))


def flips(now: Words, approved: Words) -> str:
    """Say which verdicts are others than the approved ones; empty if none is."""
    told = [f"{part} {was} -> {now[part]}" for part, was in approved.items() if part in now and now[part] != was]
    return f"flipped: {', '.join(told)}" if told else ""


def _complete(now: Now) -> Words:
    """Return all verdicts; skips the test where one is missing, as nobody can approve what is not known."""
    if now.missing or not now.words:
        pytest.skip(f"cannot be approved: {', '.join(now.missing) or 'the data have no gold for any part'}")
    return now.words


def _beside(now: Now, approved: Words) -> Words:
    """Return what is known now of what is approved, and the rest as approved; skips where nothing is known."""
    if not any(part in approved for part in now.words):
        pytest.skip(f"not compared: {', '.join(now.missing) or f'no verdict that is approved; {HOW}'}")
    return {part: now.words.get(part, was) for part, was in approved.items()}


class ApprovedVerdicts(AbstractSyrupyExtension):
    """Keeps the snapshots of all instances of a data set in one file of JSON lines."""

    file_extension = "jsonl"

    def serialize(
        self,
        data: SerializableData,
        *,
        exclude: PropertyFilter | None = None,  # noqa: ARG002 - syrupy's signature
        include: PropertyFilter | None = None,  # noqa: ARG002 - as above
        matcher: PropertyMatcher | None = None,  # noqa: ARG002 - as above
    ) -> str:
        """Return the line: it is one already."""
        return str(data)

    @classmethod
    def get_location(cls, *, test_location: PyTestLocation, index: SnapshotIndex) -> str:  # noqa: ARG003 - as above
        """Return the file of the instance's data set."""
        return str(_handle(test_location).file)

    @classmethod
    def get_snapshot_name(cls, *, test_location: PyTestLocation, index: SnapshotIndex = 0) -> str:  # noqa: ARG003
        """Return the test's name with the instance's id as the file has it."""
        return f"{test_location.methodname}[{_handle(test_location).key}]"

    @classmethod
    def matches_test_location(cls, *, test_location: PyTestLocation, snapshot_location: str) -> bool:
        """Whether the test's instance is of the file's data set."""
        return snapshot_location == cls.get_location(test_location=test_location, index=0)

    def discover_snapshots(
        self,
        *,
        test_location: PyTestLocation,  # noqa: ARG002 - as above
        ignore_extensions: list[str] | None = None,  # noqa: ARG002 - as above
    ) -> SnapshotCollections:
        """Find none: what a run does not ask (-k, --limit, other data) is not unused, and must not be removed."""
        return SnapshotCollections()

    def delete_snapshots(self, *, snapshot_location: str, snapshot_names: set[str]) -> None:
        """Remove nothing: as none is discovered, none is unused."""

    def read_snapshot_collection(self, *, snapshot_location: str) -> SnapshotCollection:
        """Return no snapshots, as none is discovered."""
        return SnapshotCollection(location=snapshot_location)

    def read_snapshot_data_from_location(
        self,
        *,
        snapshot_location: str,
        snapshot_name: str,
        session_id: str,  # noqa: ARG002 - as above
    ) -> str | None:
        """Return the approved line of an instance."""
        key = snapshot_name.partition("[")[2].removesuffix("]")
        words = read_approved(Path(snapshot_location)).get(key)
        return None if words is None else line_of(key, words)

    @classmethod
    def write_snapshot_collection(
        cls,
        *,
        snapshot_collection: SnapshotCollection,
        name_order: dict[str, int] | None = None,  # noqa: ARG003 - as above
    ) -> None:
        """Put the approved lines into their file."""
        lines = [str(snapshot.data) for snapshot in snapshot_collection]
        write_approved(Path(snapshot_collection.location), {json.loads(line)["id"]: line for line in lines})


def _handle(test_location: PyTestLocation) -> ApprovedHandle:
    item: Any = test_location.item
    handle: ApprovedHandle = item.callspec.params["approved"]
    return handle


def demand_approvable(
    files: Iterable[Path], approving: Approving, *, has_workers: bool, patients: frozenset[str] = frozenset()
) -> None:
    """Raise ``BadInput`` for what would spoil a comparison or an approval, before anything is asked.

    Args:
        files: Of approved verdicts.
        approving: What the session writes to them.
        has_workers: Whether xdist's workers run the tests.
        patients: Ids of all patients' instances; under another site key they are others than those that were approved.
    """
    if approving is not Approving.NOTHING and has_workers:
        raise BadInput(
            "--snapshot-update: not possible with workers, as what one that dies has approved is lost. Leave out -n."
        )
    for file in files:
        approved = read_approved(file)
        if patients and approved and not patients & approved.keys():
            raise BadInput(f"{shown(file)}: holds none of these patients. Was it approved under another site key?")
        if approving is not Approving.NOTHING:
            demand_writable(file)
