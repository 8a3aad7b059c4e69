"""Named windows per modality, from ``windows.yaml``."""

from functools import cache
from importlib.resources import files
from typing import Annotated, Final

import yaml
from pydantic import Field, TypeAdapter

from clinhallu_gate.records import Record

_FILE: Final = files("clinhallu_gate.datasets.dicom") / "windows.yaml"


class Preset(Record):
    """One named window."""

    center: Annotated[float, Field(allow_inf_nan=False)]
    width: Annotated[float, Field(ge=1, allow_inf_nan=False)]
    body_part: str
    """What it is meant for; ``any`` for all of the body."""


@cache
def presets() -> dict[str, dict[str, Preset]]:
    """Return the presets: modality, name, window."""
    return TypeAdapter(dict[str, dict[str, Preset]]).validate_python(yaml.safe_load(_FILE.read_text("utf-8")))
