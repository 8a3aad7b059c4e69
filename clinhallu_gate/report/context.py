"""What the report tells beside decision and results: how the run was made, and how to make it again."""

from collections.abc import Mapping

from clinhallu_gate.planning.certify import Capability
from clinhallu_gate.records import Record
from clinhallu_gate.report.beside_public import Rates
from clinhallu_gate.vocabulary import Detail


class DataSource(Record):
    """A data set as it was evaluated."""

    name: str
    sha256: str
    instances: int
    left_out: int = 0
    """Rows that could not be used."""


class RunContext(Record):
    """How a run was made. Times and call counts differ between a run and its repetition; they stand only here."""

    run_dir: str
    """The run folder, as a person would type it."""
    command: str
    """The command line that repeats the run."""
    resumed: str | None = None
    """The command line that goes on with it, where its replies lie with the run; else ``command`` does."""
    found: bool = False
    """Whether something of a patient was found where it may be shared."""
    started: str
    """UTC, for people: ``2026-01-31 12:00:00 UTC``."""
    finished: str
    versions: Mapping[str, str]
    """Of the package, vLLM, Python and what else matters, by name."""
    model: str
    """The model's name for people."""
    judge: str
    protocol: str
    data: tuple[DataSource, ...]
    machine: str
    alpha: float = 0.05
    """One-sided error of a PASS."""
    blocking_gates: int = 1
    max_without_gold: float = 0.0
    """Largest share of a figure's instances that may lack the gold which it needs, as of a gate's."""
    calls_made: int
    calls_from_store: int
    notes: tuple[str, ...] = ()
    """Whatever limits what the run says: ``--limit 40: 40 of 240 instances``, ``exploratory run``."""
    searches: Mapping[str, str] = {}
    """What was looked for in patients' files and in what the run leaves, by the name of the search."""
    alarms: tuple[str, ...] = ()
    """What has to be said before any figure is, wherever one is shown."""
    rationale: Mapping[str, str] = {}
    """Why a gate's threshold is what it is, by gate id."""
    not_selected: tuple[str, ...] = ()
    """Ids of blocking gates of the thresholds file that were not selected."""
    partial: bool = False
    """Whether ``--limit`` left instances out."""
    recorded: bool = False
    """Whether the results were made elsewhere, so that no model is asked."""
    detail: Detail = Detail.FULL
    """How much of the data is shown; the results that go with it hold no more than that."""
    public: Rates | None = None
    """The rates of the same model in a run on public data."""
    capability: Capability | None = None
    """What the patients can show; None of data without any."""
    failure: str | None = None
    """Why the evaluation could not be completed, where that is not a matter of single gates."""
