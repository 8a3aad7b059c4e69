"""A phantom study: its findings, drawn at random from a seed."""

import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from clinhallu_gate.datasets.phantom.atlas import SIDES, SIZES, STRATUM, Kind, Stratum

#: Shares of studies with no, one and two findings.
_FINDINGS = (0.08, 0.62, 0.3)


@dataclass(frozen=True, slots=True)
class Finding:
    """One finding, or several alike at the same place."""

    kind: str
    side: str
    zone: str
    size: str
    count: int = 1
    frame: int = 1
    """1-based number of the image that shows it."""


@dataclass(frozen=True, slots=True)
class Study:
    """What a phantom shows. Kinds are distinct within a study, so that a claim can be held against one finding."""

    stratum: str
    frames: int
    findings: tuple[Finding, ...]

    @property
    def atlas(self) -> Stratum:
        """Return the atlas entry of the study's modality."""
        return STRATUM[self.stratum]

    def finding(self, kind: str) -> Finding | None:
        """Return the finding of ``kind``, if the study has one."""
        return next((finding for finding in self.findings if finding.kind == kind), None)

    def as_facts(self) -> dict[str, Any]:
        """Return the study as plain JSON values."""
        return {"stratum": self.stratum, "frames": self.frames, "findings": [asdict(f) for f in self.findings]}

    @classmethod
    def from_facts(cls, facts: Mapping[str, Any]) -> "Study":
        """Read back what ``as_facts`` wrote. Raises ``KeyError`` or ``TypeError`` on other input."""
        return cls(facts["stratum"], facts["frames"], tuple(Finding(**finding) for finding in facts["findings"]))


def random_study(stratum: Stratum, rng: random.Random) -> Study:
    """Draw a study of ``stratum``."""
    frames = rng.randint(*stratum.frames)
    number = rng.choices((0, 1, 2), weights=_FINDINGS)[0]
    findings: list[Finding] = []
    for kind in rng.sample(stratum.kinds, number):
        findings.append(random_finding(kind, frames, rng, taken=findings))
    return Study(stratum.name, frames, tuple(findings))


def random_finding(kind: Kind, frames: int, rng: random.Random, *, taken: list[Finding]) -> Finding:
    """Draw a finding of ``kind`` at a place that none of ``taken`` holds."""
    held = {(finding.side, finding.frame) for finding in taken}
    places = [(side, frame) for side in SIDES for frame in range(1, frames + 1) if (side, frame) not in held]
    side, frame = rng.choice(places)
    count = rng.randint(1, 3) if kind.countable else 1
    return Finding(kind.name, side, rng.choice(kind.zones), rng.choice(SIZES), count, frame)
