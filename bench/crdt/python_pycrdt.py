# SPDX-License-Identifier: MIT
"""pycrdt, Yrs under Python: map sets that are transactions of their own, and the paper trace."""

from __future__ import annotations

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pycrdt import Doc, Map, Text

SETS = 10_000
REPETITIONS = 3 if os.environ.get("LATTICE_BENCH_QUICK") == "1" else 5


def map_sets() -> float:
    """Milliseconds of 10,000 sets, each with its update."""
    doc: Doc = Doc()
    cells = doc.get("cells", type=Map)
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    begin = time.perf_counter()
    for index in range(SETS):
        cells[f"k{index % 100}"] = index
    seconds = time.perf_counter() - begin
    doc.unobserve(subscription)
    if len(updates) != SETS or cells["k99"] != SETS - 1:
        sys.exit("wrong result in python/10000 map sets")
    return seconds * 1e3


def paper_local() -> float | None:
    """Milliseconds of the trace, one transaction and one update for each edit."""
    path = Path(os.environ.get("LATTICE_TRACES", "../shared/traces")) / "automerge-paper.json.gz"
    if not path.exists():
        print(f"{path}: not there, its case is left out", file=sys.stderr)
        return None
    trace = json.loads(gzip.decompress(path.read_bytes()))
    doc: Doc = Doc()
    text = doc.get("text", type=Text)
    updates: list[bytes] = []
    subscription = doc.observe(lambda event: updates.append(event.update))
    begin = time.perf_counter()
    for transaction in trace["txns"]:
        with doc.transaction():
            for position, deleted, inserted in transaction["patches"]:
                if deleted:
                    del text[position : position + deleted]
                if inserted:
                    text.insert(position, inserted)
    seconds = time.perf_counter() - begin
    doc.unobserve(subscription)
    if str(text) != trace["endContent"]:
        sys.exit("wrong result in python/paper local")
    return seconds * 1e3


# The trace takes long here, so it is run once a round.
CASES: dict[str, tuple[int, Callable[[], float | None]]] = {
    "python/10000 map sets": (REPETITIONS, map_sets),
    "python/paper local": (1, paper_local),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", default="", help="only the cases that begin so")
    prefix = parser.parse_args().case
    for case, (repetitions, run) in CASES.items():
        if case.startswith(prefix):
            figures = [figure for _ in range(repetitions) if (figure := run()) is not None]
            if figures:
                print(json.dumps({"case": case, "ms": min(figures)}), flush=True)


if __name__ == "__main__":
    main()
