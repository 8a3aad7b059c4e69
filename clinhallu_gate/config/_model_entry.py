"""One model as the registry describes it: where it is, and how vLLM serves it or which API answers for it."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn
from urllib.parse import urlsplit

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from clinhallu_gate.records import Record

#: vLLM's flag for the number of images in a request: ``{"image": 5}``, or ``{"image": {"count": 5}}``.
_LIMIT: Final = "--limit-mm-per-prompt"
_VARIABLE: Final = re.compile(r"[A-Z_][A-Z0-9_]*")


class ModelDefaults(Record):
    """What a run of this model uses where the command line names nothing."""

    data: tuple[str, ...] = ()
    """Names or paths, as ``--data`` takes them."""
    judge: str | None = None
    """As ``--judge`` takes it."""
    thresholds: str | None = None
    """As ``--thresholds`` takes it."""


class ModelEntry(Record):
    """One model that can be hosted, or that an API offers."""

    name: str
    """What ``--model`` names and the report shows."""
    source: str
    """A hub id, the absolute path of a checkpoint folder, or the model's name at its API."""
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
    endpoint: str | None = None
    """Base URL of the OpenAI-compatible API that offers the model, as its provider documents it."""
    api_key_env: str | None = None
    """Name of the environment variable that holds the API's key."""
    defaults: ModelDefaults = ModelDefaults()
    tried: bool = False
    """Whether this package was run with this model by those who wrote the entry."""
    published: str | None = None
    """Name of the model in the table of published results."""
    notes: str = ""

    @property
    def folder(self) -> Path | None:
        """Return the checkpoint folder, or None for a model of the hub or of an API."""
        path = Path(self.source)
        return path if path.is_absolute() else None

    @property
    def api_only(self) -> bool:
        """Whether the model cannot be hosted: its API (``endpoint``, else ``--endpoint``) is asked."""
        return self.endpoint is not None or self.api_key_env is not None

    @property
    def max_images(self) -> int | None:
        """Return how many images a request may hold, as ``--limit-mm-per-prompt`` says; None if it does not."""
        words = [word for arg in self.serve_args for word in arg.split("=", 1)]
        if _LIMIT not in words[:-1]:
            return None
        try:
            limit = json.loads(words[words.index(_LIMIT) + 1])["image"]
            return int(limit["count"] if isinstance(limit, dict) else limit)
        except (ValueError, KeyError, TypeError):  # vLLM itself refuses it, or takes its own default
            return None

    @field_validator("endpoint")
    @classmethod
    def _is_an_address(cls, value: str | None) -> str | None:
        if value is not None and ("@" in value or "?" in value):
            _refuse("holds more than an address (not shown, as it may be a key). Valid: https://HOST/PATH")
        if value is not None and not _is_http(value):
            _refuse(f"{value!r} is not the address of an API. Valid: https://HOST/PATH")
        return value

    @field_validator("api_key_env")
    @classmethod
    def _is_a_variable(cls, value: str | None) -> str | None:
        if value is not None and not _VARIABLE.fullmatch(value):
            _refuse("is not a variable's name in capitals, such as MY_API_KEY (not shown, as it may be a key)")
        return value


def _is_http(value: str) -> bool:
    try:
        url = urlsplit(value)
        return url.scheme in ("http", "https") and bool(url.hostname) and not url.fragment and url.port != 0
    except ValueError:  # a port that is no number, a broken IPv6 address
        return False


def _refuse(message: str) -> NoReturn:
    raise PydanticCustomError("entry", "{message}", {"message": message})
