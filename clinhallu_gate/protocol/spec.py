"""A protocol: everything that decides what the model is asked and how its reply is read; data, named and hashed."""

import hashlib
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Literal

import yaml
from pydantic import Field, ValidationError

from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.records import Record, Sampling
from clinhallu_gate.vocabulary import ANSWER, Arm, Part, Stage

_HOME = files("clinhallu_gate.protocol")
NAMES = ("standard", "prefill")


class SamplingSpec(Record):
    """How replies are drawn."""

    temperature: float = Field(ge=0)
    top_p: float = Field(gt=0, le=1)
    max_tokens: int = Field(gt=0)


class TraceSpec(Record):
    """How a trace is written and when a stage counts as empty."""

    headers: dict[Stage | Literal["answer"], str]
    min_words: int = Field(ge=1)


class Protocol(Record):
    """A protocol as its file says it, with the texts of its templates."""

    name: str
    system: str
    user: str
    given: Literal["continuation", "prefill"]
    sampling: SamplingSpec
    trace: TraceSpec
    arms: dict[Arm, dict[Stage, Literal["gold", "baseline"]]]

    @cached_property
    def sha256(self) -> str:
        """Digest of all of it; runs of different digests refuse to be compared."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @cached_property
    def sampling_record(self) -> Sampling:
        """The sampling as calls carry it."""
        return Sampling(
            max_tokens=self.sampling.max_tokens, temperature=self.sampling.temperature, top_p=self.sampling.top_p
        )

    def asked(self, arm: Arm) -> tuple[Part, ...]:
        """Return the parts that the model itself writes in ``arm``, in order."""
        given = self.arms[arm]
        return (*(stage for stage in Stage if stage not in given), ANSWER)

    def waits_for(self, arm: Arm) -> Arm | None:
        """Return the arm whose trace ``arm`` is given a stage of, if any."""
        return Arm.BASELINE if "baseline" in self.arms[arm].values() else None


def load_protocol(name: str) -> Protocol:
    """Load a packaged protocol by name, or one from a YAML file whose templates lie beside it.

    Raises:
        BadInput: No such protocol, or a file that is none.
    """
    if name in NAMES:
        return _parse(f"protocol {name}", (_HOME / f"{name}.yaml").read_text("utf-8"), None)
    path = Path(name)
    if not path.is_file():
        raise BadInput(not_one_of("--protocol", name, NAMES, noun="a protocol or a file"))
    return _parse(name, path.read_text("utf-8"), path.parent)


def _parse(where: str, text: str, folder: Path | None) -> Protocol:
    try:
        data = yaml.safe_load(text)
        return Protocol(**{**data, **{key: _template(data[key], folder) for key in ("system", "user")}})
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise BadInput(f"{where}: {key}: {first['msg']} (got {first['input']!r}).") from None
    except (yaml.YAMLError, KeyError, TypeError, OSError) as error:
        raise BadInput(f"{where}: not a protocol: {' '.join(str(error).split())}.") from None


def _template(name: str, folder: Path | None) -> str:
    beside = folder / name if folder else None
    return beside.read_text("utf-8") if beside and beside.is_file() else (_HOME / name).read_text("utf-8")
