"""Data sets from the hub, through the cache that its users know: downloaded once, at a commit that is recorded."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clinhallu_gate.errors import BadInput
from clinhallu_gate.hub_faults import hub_faults


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A repository's files as they were at a commit."""

    folder: Path
    commit: str


def snapshot(repo: str, files: Iterable[str], *, offline: bool = False) -> Snapshot:
    """Return the files (patterns) of a data set's repository, from the hub or, if it cannot be reached, the cache.

    With ``offline`` the hub is not asked.

    ``HF_HOME``, ``HF_HUB_OFFLINE`` and ``HF_TOKEN`` mean what they do everywhere. Raises ``BadInput`` if neither has
    the files.
    """
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - takes 0.3 s to import, and few runs need it
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError  # noqa: PLC0415 - as above

    try:
        folder = Path(
            snapshot_download(repo, repo_type="dataset", allow_patterns=list(files), local_files_only=offline)
        )
    except GatedRepoError as error:
        raise BadInput(f"--data: {repo} is gated; accept its terms on the hub and set HF_TOKEN.") from error
    except RepositoryNotFoundError as error:
        raise BadInput(f"--data: the hub has no public data set {repo!r} (for a private one set HF_TOKEN).") from error
    except hub_faults() as error:
        raise _not_had(repo, offline=offline) from error
    return Snapshot(folder, folder.name)


def _not_had(repo: str, *, offline: bool) -> BadInput:
    why = (
        ", and the hub is not asked, as data of patients (phi) are beside it. Download it first"
        if offline
        else " and could not be downloaded. Download it where the hub can be reached"
    )
    return BadInput(
        f"--data: {repo} is not in the local cache{why} (hf download {repo} --repo-type dataset), or name a folder "
        "that has it with --data-root."
    )
