"""Carry the pictures that were kept, doubtful ones and others at random, to the next round in one ZIP."""

from __future__ import annotations

import argparse
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip_line.commands.keeping import share, size_of
from clipgrip_line.errors import LineError
from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import quoted

if TYPE_CHECKING:
    from clipgrip_line.folder.collecting import Collected
    from clipgrip_line.folder.samples import Samples


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "dir", type=Path, help="the folder given to watch as --out, or to serve as --state"
    )
    parser.add_argument("--out", type=Path, required=True, help="the ZIP to write, as lot.zip")
    parser.add_argument(
        "--share",
        type=share,
        default=0.5,
        help="share of the budget for random pictures [default: 0.5]",
    )
    parser.add_argument(
        "--budget",
        type=size_of,
        default=size_of("1GB"),
        metavar="SIZE",
        help="size of the ZIP at most; the oldest pictures are left out first [default: 1GB]",
    )
    parser.add_argument(
        "--again", action="store_true", help="also those that were collected before"
    )


def run(args: argparse.Namespace) -> int:
    """Write the ZIP, and say what takes it in."""
    from clipgrip_line.folder.collecting import TABLE
    from clipgrip_line.folder.samples import FOLDER, NAME, Samples, unusable

    folder = args.dir / FOLDER
    if not (folder / NAME).is_file():
        raise LineError(
            "{folder} holds no kept pictures. Give the folder that serve has as --state, or watch as --out; they "
            "keep some unless --keep is 0.",
            folder=args.dir,
        )
    try:
        done = _collected(Samples(folder, 0), args)
    except sqlite3.Error as error:
        raise unusable(folder, error) from None
    say = words_of(args)
    if args.json:
        print(document({**vars(done), "out": args.out}))
        return 0
    print(
        say(
            "{out}: {pictures} pictures, {doubtful} of them doubtful and the others drawn at random.",
            out=args.out,
            pictures=done.images,
            doubtful=done.doubtful,
        )
    )
    command = f"clipgrip labels suggest {quoted(f'{args.out.stem}/{TABLE}')}"
    print(
        say(
            "At the office: unpack it, then {command}, or add its images to the next run.",
            command=command,
        )
    )
    return 0


def _collected(store: Samples, args: argparse.Namespace) -> Collected:
    """Choose and write; LineError where nothing is new."""
    from clipgrip_line.folder.collecting import chosen, collect, least_budget

    with closing(store):
        images = [one for one in store.images() if args.again or not one.collected]
        if not images:
            raise LineError(
                "nothing new was kept in {folder} since the last collect. --again takes all.",
                folder=args.dir,
            )
        taken = chosen(images, args.budget, args.share)
        if not taken:
            raise LineError(
                "--budget is too small for any of the {n} pictures. Give {size}MB or more.",
                n=len(images),
                size=int(least_budget(images, args.share)) // 2**20 + 1,
            )
        return collect(store, taken, args.out)
