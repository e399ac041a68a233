"""What refinement makes of pools of many kinds, beside other published ways: gain over zero-shot, harm, the worst.

    python -m benchmarks.pools [--seeds 1] [--every 1] [--ways clipgrip Sinkhorn ...] [--pools] [--go-on]

Half of the sets may choose a rule or a number (`choose`), the other half judges it (`held`). Figures are points of
accuracy over the pool; strangers do not count. Each pool's row is kept, and ``--go-on`` goes on from there.
"""

from __future__ import annotations

import argparse
import time
from itertools import islice

from benchmarks.pools.measure import Row, Trial, all_pools, measured, table
from benchmarks.pools.rivals import WAYS
from benchmarks.record import machine, record
from benchmarks.resumed import Rows
from clipgrip.method import REVISION
from clipgrip.pseudolabel.refine.settings import DEFAULT


def main() -> None:
    """Measure, print the table, and write ``results/pools.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--every", type=int, default=1, help="take every n-th pool")
    parser.add_argument("--name", default="pools", help="name of the results")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=list(WAYS))
    parser.add_argument("--pools", action="store_true", help="print each pool")
    parser.add_argument("--go-on", action="store_true", help="keep what an earlier call measured")
    chosen = parser.parse_args()
    ways, began = {name: WAYS[name] for name in chosen.ways}, time.perf_counter()
    asked = {"revision": REVISION, "settings": DEFAULT.values(), "ways": chosen.ways}
    asked |= {"seeds": chosen.seeds, "every": chosen.every}
    done = Rows.of(chosen.name, asked, go_on=chosen.go_on)
    rows = done.rows
    print(machine())
    for pool in islice(all_pools(chosen.seeds), len(rows) * chosen.every, None, chosen.every):
        done.add(measured(Trial.of(pool), ways))
        if chosen.pools:
            print(_line(rows[-1], chosen.ways), flush=True)
    tables = {name: table(rows, name) for name in ways}
    print_tables(tables)
    print(f"{len(rows)} pools, {time.perf_counter() - began:.0f} s")
    record(
        chosen.name, {"seeds": chosen.seeds, "every": chosen.every, "tables": tables, "rows": rows}
    )


def print_tables(tables: dict[str, dict[str, dict[str, float]]]) -> None:
    """A line per group of pools, a column per way: mean gain, per cent harmed, worst."""
    print(f"{'mean / % harmed / worst':<24}" + "".join(f"{name:>24}" for name in tables))
    for group in next(iter(tables.values())):
        cells = "".join(f"{_cell(one[group]):>24}" for one in tables.values())
        print(f"{group:<24}{cells}")


def _cell(one: dict[str, float]) -> str:
    return f"{one['mean']:+.1f} / {one['harmed']:.0f} / {one['worst']:+.1f}"


def _line(row: Row, ways: list[str]) -> str:
    gains = " ".join(f"{name} {row[name]:+5.1f}" for name in ways)
    start = f"{row['set']:<24} {row['condition']:<16} {row['images']:5} {row['classes']:4}"
    return f"{start} {row['zero_shot']:5.1f}  {gains}"


if __name__ == "__main__":
    main()
