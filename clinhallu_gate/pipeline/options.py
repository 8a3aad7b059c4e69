"""What a user asked for, before anything was looked at."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of a run as they were given; None where the model's entry or a default decides."""

    model: str | None = None
    endpoints: tuple[str, ...] = ()
    judge: str | None = None
    judge_endpoints: tuple[str, ...] = ()
    judge_revision: str | None = None
    judge_beside: bool = False
    """Host model and judge at the same time; else one is stopped before the other is started."""
    data: tuple[str, ...] = ()
    data_root: Path | None = None
    allow_bad_rows: int = 0
    since: str | None = None
    """First day of the studies that are taken, as given."""
    until: str | None = None
    frozen: Path | None = None
    """List of the instances that are taken."""
    allow_unsigned_gold: bool = False
    from_results: Path | None = None
    protocol: str = "standard"
    prompt_pack: Path | None = None
    labels: Path | None = None
    thresholds: Path | None = None
    baseline: Path | None = None
    public_run: Path | None = None
    """A finished run of the same model on public data."""
    limit: int | None = None
    repeats: int = 1
    """Traces per instance and arm."""
    no_early_stop: bool = False
    """Ask every instance, whatever the thresholds file says."""
    run_dir: Path | None = None
    private_cache: Path | None = None
    """Where images of patients, and studies from an archive, are kept for several runs; None: in ``RUN.private``."""
    store: Path | None = None
    fresh: bool = False
    concurrency: int | None = None
    call_timeout_s: float = 600.0
    """Longest wait for one reply; a trace of a large model on a busy server takes minutes."""
    model_revision: str | None = None
    api_key: str | None = field(default=None, repr=False)
    """What endpoints are sent as a bearer token; never written anywhere."""
    judge_api_key: str | None = field(default=None, repr=False)
    """The same for the judge's endpoints: one server's key is not shown to another."""
    allow_hosts: tuple[str, ...] = ()
    """Hosts other than this machine that data of patients may be sent to."""
    serve_flags: Mapping[str, str] = field(default_factory=dict)
    """Flags of the hosted servers that the command line sets, such as ``--tensor-parallel-size``."""
    no_decision: bool = False
    report_detail: str | None = None
    accepted_values: Path | None = None
    """Table of patients' values that are no hit of the known-value scan in one file, as they stand there by chance."""
    preflight: str = "headers"
    """How closely patients' files are looked at before anything runs."""
    root: Path = Path()
    """Where relative names of the model's defaults and the ``reports`` folder lie."""
    command: str = ""
    """The command line, for whoever repeats the run."""

    def short(self, path: Path) -> str:
        """Return ``path`` as one would type it at the root, where it lies below."""
        absolute, root = path.absolute(), self.root.absolute()
        return str(absolute.relative_to(root)) if absolute.is_relative_to(root) else str(path)
