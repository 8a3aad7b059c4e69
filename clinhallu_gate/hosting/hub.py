"""Which commit a hub id stands for: asked of the hub, or of the local cache where the hub cannot be reached."""

import re
from pathlib import Path
from typing import Final

from clinhallu_gate.errors import BadInput
from clinhallu_gate.hub_faults import hub_faults

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_TIMEOUT_S: Final = 10.0


def resolved_commit(repo: str, revision: str | None) -> str:
    """Return the commit of ``repo`` at ``revision`` (branch, tag or commit; None is the default branch).

    Raises:
        BadInput: There is no such repository or revision, it may not be read, or it can neither be asked nor found.
    """
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


def _unresolved(repo: str) -> str:
    raise BadInput(f"--model: {repo} is not in the local cache and the hub cannot be reached; give a folder instead.")
