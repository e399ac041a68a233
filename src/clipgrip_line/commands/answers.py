"""Carry people's answers home, as labels that clipgrip review --import takes."""

from __future__ import annotations

import argparse
from pathlib import Path

from clipgrip_line.sentences import mark

DONE = mark("{n} answers of people: {out}")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "state",
        type=Path,
        nargs="?",
        default=Path("line"),
        help="the folder that serve has as --state [default: line]",
    )
    parser.add_argument(
        "--out", type=Path, default=Path("labels.csv"), help="table to write [default: labels.csv]"
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="write the pictures there too, for a run with new images",
    )


def run(args: argparse.Namespace) -> int:
    """Write the table, and the pictures where they are asked for."""
    from clipgrip_line.cli import document, words_of
    from clipgrip_line.files import check_new, write_text_atomic
    from clipgrip_line.service import people, versions

    say = words_of(args)
    check_new(args.out)
    with versions.opened(args.state) as db:
        called = people.write_pictures(db, args.images) if args.images is not None else None
        table = people.labels_csv(db, called)
    write_text_atomic(args.out, table)
    n = table.count("\n") - 1
    facts = {"answers": n, "out": args.out, "images": len(called or {})}
    print(document(facts) if args.json else say(DONE, n=n, out=args.out))
    return 0
