"""A loaded data set, and what may be said about how to load it."""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from clinhallu_gate.datasets.frozen_list import Frozen
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.datasets.problems import Problem
from clinhallu_gate.datasets.signed import Laid
from clinhallu_gate.records import INSTANCE, Instance

#: Images of an instance where nothing is known of the model: as many as MedFrameQA's questions have at most.
MAX_IMAGES: Final = 5


def nothing(_: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class DataOptions:
    """How data are loaded."""

    data_root: Path | None = None
    """Folder with a downloaded copy of the benchmark; None asks the hub."""
    allow_bad_rows: int = 0
    """How many rows that cannot be used may be left out."""
    cache: Path | None = None
    """Folder for images that had to be redrawn or unpacked; None is the user's own cache."""
    private_cache: Path | None = None
    """The same for images of patients (``phi``), which never enter the shared cache."""
    allow_unsigned_gold: bool = False
    """Whether gold that a model drafted and nobody signed is taken."""

    period: Period | None = None
    """Only studies of these days are taken from manifests."""
    frozen: Frozen | None = None
    """Only the instances of this list are taken."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that may be asked for data of patients."""
    tell: Callable[[str], None] = nothing
    """Hears how far a long fetch is."""
    named: frozenset[str] = frozenset()
    """Strata and tags of patients that may be told however few bear them: those that a policy names."""
    max_images: int = MAX_IMAGES
    """How many images a model takes at once: of longer DICOM series as many are drawn."""
    option: str = "--data"
    """What names them, for people; empty for an argument of a command."""


class Alias(NamedTuple):
    """What a name in a run stands for; only the site may know."""

    name: str
    what: Literal["instance", "cluster", "group"]
    stands_for: str


class Identifier(NamedTuple):
    """A value that tells who a patient is."""

    what: Literal["name", "id", "accession_number", "birth_date"]
    value: str


@dataclass(frozen=True, slots=True)
class DrawnImage:
    """How an image that a model is sent was drawn from DICOM."""

    instance: str
    """Id of the instance."""
    file: str
    """Relative to the manifest's folder."""
    frame: int
    """From 1."""
    sop_instance_uid: str
    transfer_syntax: str
    """As the standard calls it."""
    window: str
    """What brightness stands for."""
    steps: tuple[str, ...]
    """What was done, in order."""
    sha256: str
    """Digest of the PNG file that is sent."""


@dataclass(frozen=True, slots=True)
class Selected:
    """How many rows were taken on purpose, and how many were not."""

    rows: int
    """All that there were."""
    outside: int = 0
    """Of studies outside the period."""
    unlisted: int = 0
    """Not on the frozen list: new ones."""
    gone: int = 0
    """On the frozen list and not there, or not to be used."""
    changed: int = 0
    """On the frozen list with another content, and left out."""


@dataclass(frozen=True, slots=True)
class Dataset:
    """Named data, with a digest of its content."""

    name: str
    sha256: str
    instances: Sequence[Instance]
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, repr=False)
    """By instance id: the row as it was read, gold traces included; empty for generated data."""
    sources: Mapping[str, str] = field(default_factory=dict)
    """Where it comes from: hub repository to commit, or what was read to its folder or file."""
    released: bool = False
    """Whether it is a set of the benchmark, and no data of a user's that bear its name."""
    gold_model: str = ""
    """What wrote the gold traces, where that is known."""
    left_out: tuple[Problem, ...] = ()
    """Why rows were left out, where that was allowed."""
    selected: Selected | None = None
    """What a period or a frozen list left of it; None where neither was given."""
    gold_of: Mapping[str, Laid] = field(default_factory=dict, repr=False)
    """By instance id: whose word its gold is; empty where all of it is as it was released."""
    unsigned: tuple[Problem, ...] = ()
    """Rows with gold that nobody signed, or that was signed for another content, and why."""
    aliases: tuple[Alias, ...] = field(default=(), repr=False)
    """The pseudonyms of patients in it."""
    patient_ids: Mapping[str, str] = field(default_factory=dict, repr=False)
    """By instance id: PatientID in the headers of its files, where there is one."""
    files: tuple[Path, ...] = field(default=(), repr=False)
    """DICOM files that were read for it."""
    identifiers: frozenset[Identifier] = field(default=frozenset(), repr=False)
    """What identifies patients in the headers that were read; nothing that may be shared holds any of it."""
    pictured: Mapping[str, tuple[str, ...]] = field(default_factory=dict, repr=False)
    """By instance id, of those with DICOM: digests of the study (``Study.source``) and of images beside it; the same
    however many images a model takes."""
    drawn: tuple[DrawnImage, ...] = field(default=(), repr=False)
    """What was drawn from DICOM, instance by instance, in the order of their images."""
    notes: tuple[str, ...] = ()
    """What the report should say of how it was loaded; no word of any row."""


def content_digest(instances: Iterable[Instance]) -> str:
    """Return the SHA-256 of all that instances hold, pixels through their digests; where files lie is no content."""
    digest = hashlib.sha256()
    for instance in instances:
        digest.update(INSTANCE.dump_json(instance, exclude={"images": {"__all__": {"data", "path"}}}))
    return digest.hexdigest()
