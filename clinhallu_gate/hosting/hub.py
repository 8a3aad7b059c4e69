"""Which commit a hub id stands for: asked of the hub, or of the local cache where the hub cannot be reached."""

import json
import re
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import BadInput
from clinhallu_gate.hub_faults import hub_faults

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
#: Ends of the names of files that hold weights.
_WEIGHTS: Final = (".safetensors", ".bin", ".pt", ".pth", ".gguf")
_TIMEOUT_S: Final = 10.0


def resolved_commit(repo: str, revision: str | None, *, offline: bool = False) -> str:
    """Return the commit of ``repo`` at ``revision`` (branch, tag or commit; None is the default branch).

    With ``offline`` the hub is not asked, and the local cache has to hold the model with its weights.

    Raises:
        BadInput: There is no such repository or revision, it may not be read, or it can neither be asked nor found.
    """
    if offline:
        return _whole_in_cache(repo, revision)
    if revision and _COMMIT.fullmatch(revision):
        return revision
    return _asked(repo, revision) or _cached(repo, revision) or _unresolved(repo)


def _asked(repo: str, revision: str | None) -> str | None:
    from huggingface_hub import HfApi  # noqa: PLC0415 - takes 0.3 s to import, and few runs need it
    from huggingface_hub.errors import (  # noqa: PLC0415 - as above
        GatedRepoError,
        RepositoryNotFoundError,
        RevisionNotFoundError,
    )

    try:
        return HfApi().model_info(repo, revision=revision, timeout=_TIMEOUT_S).sha
    except GatedRepoError as error:
        raise BadInput(f"--model: {repo} is gated; accept its terms on the hub and set HF_TOKEN.") from error
    except RepositoryNotFoundError as error:
        raise BadInput(f"--model: the hub has no public model {repo!r} (for a private one set HF_TOKEN).") from error
    except RevisionNotFoundError as error:
        raise BadInput(f"--model: {repo} has no revision {revision!r} on the hub.") from error
    except hub_faults():
        return None


def _cached(repo: str, revision: str | None) -> str | None:
    from huggingface_hub import try_to_load_from_cache  # noqa: PLC0415 - as in _asked

    found = try_to_load_from_cache(repo, "config.json", revision=revision)
    return Path(found).parent.name if isinstance(found, str) else None


def _whole_in_cache(repo: str, revision: str | None) -> str:
    """Return the commit of a model that a server can load from the local cache alone."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - as in _asked
    from huggingface_hub.errors import LocalEntryNotFoundError  # noqa: PLC0415 - as in _asked

    try:
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        raise _not_whole(repo, revision, "is not in the local cache") from None
    if not _has_weights(folder):
        raise _not_whole(repo, revision, "is in the local cache, but not all of it")
    return folder.name


def _has_weights(folder: Path) -> bool:
    """Whether a snapshot holds a configuration and every file of weights that its index names, or any without one."""
    if not (folder / "config.json").is_file():
        return False
    indices = list(folder.glob("*.index.json"))
    wanted = {file for index in indices for file in json.loads(index.read_bytes())["weight_map"].values()}
    found = {path.name for suffix in _WEIGHTS for path in folder.glob(f"*{suffix}") if path.is_file()}
    return bool(found) and wanted <= found


def _not_whole(repo: str, revision: str | None, why: str) -> BadInput:
    at = f" --revision {revision}" if revision else ""
    return BadInput(
        f"--model: {repo} {why}, and the hub is not asked, as the data are of patients (phi). "
        f"Download it first: hf download {repo}{at}"
    )


def _unresolved(repo: str) -> str:
    raise BadInput(f"--model: {repo} is not in the local cache and the hub cannot be reached; give a folder instead.")
