"""Tables that are written row by row, a bounded number of rows in memory."""

from collections.abc import Iterable, Mapping
from itertools import islice
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

_ROWS: Final = 10_000
"""Of one row group: with texts some 20 MB."""


def write_parquet(path: Path, schema: pa.Schema, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write ``rows`` as a Parquet file; columns that a row lacks are null. Raises ``OSError``."""
    with pq.ParquetWriter(path, schema) as writer:
        left = iter(rows)
        while some := list(islice(left, _ROWS)):
            writer.write_batch(pa.RecordBatch.from_pylist(some, schema=schema))
