"""Time of the known-value scan: python benchmarks/known_values.py [--values 10000] [--megabytes 200]; prints JSON."""

import argparse
import json
import time

import numpy as np

from clinhallu_gate.datasets.dataset import Identifier
from clinhallu_gate.scan import Search, known_values

SYLLABLES = ("ka", "lo", "mi", "ter", "ov", "ski", "ben", "dra", "zu", "fel")


def identifiers(number: int, drawn: np.random.Generator) -> set[Identifier]:
    """Return names, record numbers, accession numbers and dates of birth, a quarter each."""
    found: set[Identifier] = set()
    while len(found) < number:
        family, given = ("".join(drawn.choice(SYLLABLES, 4)).upper() for _ in range(2))
        year, month, day = drawn.integers(1930, 2010), drawn.integers(1, 13), drawn.integers(1, 29)
        found |= {
            Identifier("name", f"{family}^{given}"),
            Identifier("id", str(drawn.integers(10**6, 10**7))),
            Identifier("accession_number", str(drawn.integers(10**7, 10**8))),
            Identifier("birth_date", f"{year}{month:02d}{day:02d}"),
        }
    return found


def text(megabytes: int, drawn: np.random.Generator) -> bytes:
    """Return words like those of a report: short ones, and digests."""
    words = [drawn.bytes(int(size)).hex() for size in drawn.choice((3, 4, 6, 32), 50_000)]
    piece = ", ".join(drawn.choice(words, 300_000)).encode()
    return piece * (megabytes * 1_000_000 // len(piece) + 1)


def main() -> None:
    """Measure once, and print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=10_000)
    parser.add_argument("--megabytes", type=int, default=200)
    options = parser.parse_args()
    drawn = np.random.default_rng(1)
    searched, data = identifiers(options.values, drawn), text(options.megabytes, drawn)
    began = time.perf_counter()
    search = Search(known_values(searched))
    ready = time.perf_counter()
    hits = search.content(data, "report.html")
    ended = time.perf_counter()
    found = {"values": len(searched), "megabytes": len(data) / 1e6, "hits": len(hits)}
    print(json.dumps({**found, "prepare_s": round(ready - began, 2), "search_s": round(ended - ready, 2)}))


if __name__ == "__main__":
    main()
