"""Write a frozen list: which instances a later run shall be about, whatever is added to the data by then."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from clinhallu_gate.datasets.dataset import DataOptions
from clinhallu_gate.datasets.frozen import FrozenData
from clinhallu_gate.datasets.frozen_list import FrozenFile, write_frozen
from clinhallu_gate.datasets.load import freeze_data
from clinhallu_gate.datasets.period import Period
from clinhallu_gate.errors import BadInput
from clinhallu_gate.pipeline.passing import cache_or_passing


@dataclass(frozen=True, slots=True)
class FrozenList:
    """What was written."""

    file: Path
    data: FrozenData

    @property
    def line(self) -> str:
        """Return it as one line."""
        instances = sum(len(each.instances) for each in self.data.sets)
        names = ", ".join(each.name for each in self.data.sets)
        key = "" if self.data.site_key is None else f", under the site's key {self.data.site_key[:8]}"
        counts = f"{instances:,} instances of {self.data.patients:,} patients or images of {names}"
        return f"{self.file}: {counts}{key}. Runs take exactly these with --frozen {self.file}."


def freeze(
    specs: Sequence[str],
    out: Path,
    *,
    period: Period | None = None,
    data_root: Path | None = None,
    allow_bad_rows: int = 0,
    private_cache: Path | None = None,
    allow_hosts: tuple[str, ...] = (),
    allow_unsigned_gold: bool = False,
) -> FrozenList:
    """Freeze data.

    Args:
        specs: As ``--data`` names them.
        out: The file; it is not overwritten.
        period: Only studies of these days.
        data_root: A downloaded copy of the benchmark.
        allow_bad_rows: How many rows that cannot be used may be left out.
        private_cache: Where patients' images and fetched studies are kept; None keeps none of them.
        allow_hosts: Hosts other than this machine whose DICOMweb server may be asked.
        allow_unsigned_gold: Whether gold that was drafted and that nobody signed is frozen as it is.

    Raises:
        BadInput: Data that cannot be used, or a file that is there or cannot be written.
    """
    if out.exists():
        raise BadInput(f"--out: {out} is there already; name another file.")
    try:
        with cache_or_passing(private_cache, out) as images:
            options = DataOptions(
                data_root,
                allow_bad_rows,
                private_cache=images,
                allow_unsigned_gold=allow_unsigned_gold,
                period=period,
                allow_hosts=allow_hosts,
            )
            data = freeze_data(specs, options)
    except OSError as error:  # a disk that is full, say
        raise BadInput(f"{private_cache or out.parent}: cannot be written: {error.strerror or error}.") from None
    since, until = (None, None) if period is None else (period.since, period.until)
    content = FrozenFile(site_key=data.site_key, since=since, until=until, datasets=data.sets)
    write_frozen(out, content)
    return FrozenList(out, data)
