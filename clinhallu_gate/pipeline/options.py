"""What a user asked for, before anything was looked at."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run as they were given; None where the model's entry or a default decides."""

    model: str | None = None
    endpoints: tuple[str, ...] = ()
    judge: str | None = None
    data: tuple[str, ...] = ()
    protocol: str = "standard"
    thresholds: Path | None = None
    baseline: Path | None = None
    limit: int | None = None
    run_dir: Path | None = None
    store: Path | None = None
    fresh: bool = False
    concurrency: int | None = None
    call_timeout_s: float = 600.0
    """Longest wait for one reply; a trace of a large model on a busy server takes minutes."""
    model_revision: str | None = None
    api_key: str | None = field(default=None, repr=False)
    """What endpoints are sent as a bearer token; never written anywhere."""
    no_decision: bool = False
    root: Path = Path()
    """Where relative names of the model's defaults and the ``reports`` folder lie."""
    command: str = ""
    """The command line, for whoever repeats the run."""

    def short(self, path: Path) -> str:
        """Return ``path`` as one would type it at the root, where it lies below."""
        absolute, root = path.absolute(), self.root.absolute()
        return str(absolute.relative_to(root)) if absolute.is_relative_to(root) else str(path)
