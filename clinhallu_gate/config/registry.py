"""The model registry: what ``--model`` may name, and how vLLM is to serve it."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml
from pydantic import Field, ValidationError

from clinhallu_gate.errors import BadInput, not_one_of
from clinhallu_gate.records import Record

PACKAGED: Final = Path(__file__).with_name("models.yaml")
#: Relative folders of the packaged registry start here.
_PACKAGE: Final = Path(__file__).parents[1]
_HUB_ID: Final = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
#: For a model nobody has tried: as many images as the largest question of the benchmark (MedFrameQA: 5), and the
#: longest context that fits into the memory at hand.
_UNTRIED_ARGS: Final = ("--limit-mm-per-prompt", '{"image": 5}', "--max-model-len", "auto")
_NOUN: Final = "a model of the registry, a folder or a hub id"


class ModelDefaults(Record):
    """What a run of this model uses where the command line names nothing."""

    data: tuple[str, ...] = ()
    """Names or paths, as ``--data`` takes them."""
    judge: str | None = None
    """As ``--judge`` takes it."""
    thresholds: str | None = None
    """As ``--thresholds`` takes it."""


class ModelEntry(Record):
    """One model that can be hosted."""

    name: str
    """What ``--model`` names and the report shows."""
    source: str
    """A hub id, or the absolute path of a checkpoint folder."""
    revision: str | None = None
    """Branch, tag or commit on the hub; without it, the hub's default branch."""
    dtype: str = "auto"
    """vLLM's ``--dtype``."""
    serve_args: tuple[str, ...] = ()
    """Further flags of ``vllm serve``, one word each."""
    env: Mapping[str, str] = Field(default_factory=dict)
    """Environment of the server process, on top of what hosting sets."""
    chat_template_kwargs: Mapping[str, Any] = Field(default_factory=dict)
    """Sent with every request, for templates with switches (such as a thinking mode)."""
    startup_timeout_s: float = Field(default=900.0, gt=0)
    """Seconds until the server must answer; a download of the weights counts."""
    defaults: ModelDefaults = ModelDefaults()
    tried: bool = False
    """Whether this package was run with this model by those who wrote the entry."""
    published: str | None = None
    """Name of the model in the table of published results."""
    notes: str = ""

    @property
    def folder(self) -> Path | None:
        """Return the checkpoint folder, or None for a model of the hub."""
        path = Path(self.source)
        return path if path.is_absolute() else None


def resolve_model(name: str, *, extra: Path | None = None) -> ModelEntry:
    """Return the entry for ``name``: of the registry, else an existing folder, else a hub id ``org/name``.

    A hub id or folder that a registry entry has as its source gets that entry, so its flags apply.

    Args:
        name: What stands after ``--model``.
        extra: A registry file of the user's own; its entries come first.

    Raises:
        BadInput: ``name`` is none of these, or a registry file is malformed.
    """
    entries = dict(_read(PACKAGED, _PACKAGE))
    if extra is not None:
        entries.update(_read(extra, extra.resolve().parent))
    if name in entries:
        return entries[name]
    folder = Path(name).expanduser()
    is_folder = bool(name) and folder.is_dir()  # Path("") is the current folder
    if not is_folder and not _HUB_ID.fullmatch(name):
        raise BadInput(not_one_of("--model", name, entries, noun=_NOUN))
    source = str(folder.resolve()) if is_folder else name
    same = (entry for entry in entries.values() if entry.source == source)
    return next(same, None) or _untried(folder.resolve().name if is_folder else name, source)


def registry_names() -> tuple[str, ...]:
    """Return the names of the packaged registry, in its order."""
    return tuple(_read(PACKAGED, _PACKAGE))


def _untried(name: str, source: str) -> ModelEntry:
    return ModelEntry(name=name, source=source, serve_args=_UNTRIED_ARGS)


@cache
def _read(path: Path, base: Path) -> Mapping[str, ModelEntry]:
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        raise BadInput(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    except (ValueError, RecursionError) as error:  # another encoding; a date that is none; a thousand brackets
        raise BadInput(f"{path}: cannot be read as YAML: {error}.") from error
    if not isinstance(content, dict) or not isinstance(content.get("models"), dict):
        raise BadInput(f"{path}: has no mapping 'models' from names to entries.")
    return {name: _entry(path, base, name, fields) for name, fields in content["models"].items()}


def _entry(path: Path, base: Path, name: str, fields: object) -> ModelEntry:
    if not isinstance(fields, dict):
        raise BadInput(f"{path}: models.{name}: {fields!r} is not a mapping.")
    try:
        entry = ModelEntry.model_validate({"name": name, **fields})
    except ValidationError as error:
        raise BadInput(f"{path}: models.{name}.{_complaint(error)}") from error
    if not entry.source.startswith("./"):
        return entry
    return entry.model_copy(update={"source": str((base / entry.source).resolve())})


def _complaint(error: ValidationError) -> str:
    first = error.errors()[0]
    key = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return not_one_of(key, first["loc"][-1], ModelEntry.model_fields, noun="a key of a model entry")
    value = "" if first["type"] == "missing" else f"{first['input']!r}: "
    return f"{key}: {value}{first['msg']}."
