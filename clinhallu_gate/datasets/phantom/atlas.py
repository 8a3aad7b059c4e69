"""The small atlas that phantoms live in: what can be seen in each modality, and the rules that hold there.

It is simplified on purpose, closed, and no medical advice: the oracle must know everything that is true in it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Attribute(StrEnum):
    """What a rule of the atlas is about."""

    APPEARANCE = "appearance"
    COMPOSITION = "composition"
    MANAGEMENT = "management"
    URGENCY = "urgency"


SIDES: Final = ("left", "right")
SIZES: Final = ("small", "large")
COUNT_WORDS: Final = ("one", "two", "three")
FRAME_LIMIT: Final = 4


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of finding and what the atlas knows of it."""

    name: str
    plural: str
    zones: tuple[str, ...]
    look: str
    material: str
    steps: tuple[str, str]
    """Next step when small, when large."""
    urgent: bool
    countable: bool = False

    @property
    def phrase(self) -> str:
        """Return the name with its indefinite article."""
        return f"{'an' if self.name[0] in 'aeiou' else 'a'} {self.name}"

    def step(self, size: str) -> str:
        """Return the next step for a finding of this kind and ``size``."""
        return self.steps[SIZES.index(size)]


@dataclass(frozen=True, slots=True)
class Stratum:
    """A modality: how it is called, where findings can lie, and which there are."""

    name: str
    modality: str
    region: str
    zones: tuple[str, ...]
    kinds: tuple[Kind, ...]
    frames: tuple[int, int] = (1, 1)
    """Fewest and most images of a study."""
    mirrored: bool = False
    """The patient's left is on the viewer's right."""

    def kind(self, name: str) -> Kind:
        """Return the kind called ``name``. Raises ``KeyError``."""
        for kind in self.kinds:
            if kind.name == name:
                return kind
        raise KeyError(name)


_LUNG = ("upper", "middle", "lower")
_BRAIN = ("frontal", "parietal", "occipital")
_DEPTH = ("superficial", "deep")
_FIELD = ("upper", "lower")

STRATA: Final[tuple[Stratum, ...]] = (
    Stratum(
        "radiograph",
        "chest radiograph",
        "lung",
        _LUNG,
        (
            Kind("nodule", "nodules", _LUNG, "round bright spot", "soft tissue", ("repeat imaging", "biopsy"),
                 urgent=False, countable=True),
            Kind("effusion", "effusions", ("lower",), "bright basal band", "fluid", ("observation", "drainage"),
                 urgent=False),
            Kind("pneumothorax", "pneumothoraces", ("upper",), "dark apical crescent", "air", ("oxygen", "drainage"),
                 urgent=True),
            Kind("consolidation", "consolidations", _LUNG, "hazy bright patch", "exudate",
                 ("antibiotics", "admission"), urgent=False),
        ),
        mirrored=True,
    ),
    Stratum(
        "ct",
        "head CT",
        "hemisphere",
        _BRAIN,
        (
            Kind("hematoma", "hematomas", _BRAIN, "bright blob", "blood", ("observation", "surgery"), urgent=True),
            Kind("infarct", "infarcts", _BRAIN, "dark wedge", "dead tissue", ("aspirin", "thrombectomy"), urgent=True),
            Kind("abscess", "abscesses", _BRAIN, "dark core with a bright rim", "pus", ("antibiotics", "drainage"),
                 urgent=True),
            Kind("calcification", "calcifications", _BRAIN, "dense dot", "calcium", ("observation", "repeat imaging"),
                 urgent=False, countable=True),
        ),
        mirrored=True,
    ),
    Stratum(
        "ultrasound",
        "abdominal ultrasound",
        "field",
        _DEPTH,
        (
            Kind("cyst", "cysts", _DEPTH, "black disc", "fluid", ("observation", "drainage"), urgent=False),
            Kind("gallstone", "gallstones", _DEPTH, "bright arc with a shadow", "cholesterol",
                 ("observation", "surgery"), urgent=False, countable=True),
            Kind("hemangioma", "hemangiomas", _DEPTH, "bright even disc", "blood vessels",
                 ("observation", "repeat imaging"), urgent=False),
            Kind("metastasis", "metastases", _DEPTH, "dark ring with a bright centre", "tumor cells",
                 ("chemotherapy", "biopsy"), urgent=True),
        ),
        frames=(2, FRAME_LIMIT),
    ),
    Stratum(
        "histology",
        "histology section",
        "part",
        _FIELD,
        (
            Kind("granuloma", "granulomas", _FIELD, "ring of dark cells", "immune cells", ("culture", "antibiotics"),
                 urgent=False),
            Kind("mitosis", "mitoses", _FIELD, "dark split figure", "chromosomes", ("grading", "referral"),
                 urgent=False, countable=True),
            Kind("necrosis", "necroses", _FIELD, "pale smooth area", "debris", ("observation", "surgery"),
                 urgent=True),
            Kind("hemorrhage", "hemorrhages", _FIELD, "red pool", "red cells", ("observation", "referral"),
                 urgent=True),
        ),
    ),
)  # fmt: skip
STRATUM: Final = {stratum.name: stratum for stratum in STRATA}
KIND: Final = {kind.name: kind for stratum in STRATA for kind in stratum.kinds}
MATERIALS: Final = tuple(sorted({kind.material for kind in KIND.values()}))
STEPS: Final = tuple(sorted({step for kind in KIND.values() for step in kind.steps}))
LOOKS: Final = tuple(kind.look for kind in KIND.values())
ZONES: Final = tuple(dict.fromkeys(zone for stratum in STRATA for zone in stratum.zones))


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule of the atlas: what holds of a kind (of a size, for management)."""

    kind: str
    attribute: Attribute
    size: str | None = None

    @property
    def value(self) -> str:
        """Return what the atlas says: a look, a material, a step, or ``urgent`` / ``not urgent``."""
        kind = KIND[self.kind]
        if self.attribute is Attribute.APPEARANCE:
            return kind.look
        if self.attribute is Attribute.COMPOSITION:
            return kind.material
        if self.attribute is Attribute.URGENCY:
            return "urgent" if kind.urgent else "not urgent"
        if self.size is None:
            raise ValueError("a rule of management needs a size")
        return kind.step(self.size)
