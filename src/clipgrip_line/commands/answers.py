"""People's answers: carry them home as labels, ask for more of them at a watched folder, and take them in there."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip_line.errors import LineError
from clipgrip_line.parsing import document, positive, words_of
from clipgrip_line.sentences import mark, quoted

if TYPE_CHECKING:
    from clipgrip_line.words import Words

DONE = mark("{n} answers of people: {out}")
ASKED = mark(
    "{n} pictures to answer: {out}. Write what each shows into the column label, then: clipgrip-line answers {state} "
    "--import {out}"
)
NOTHING = mark(
    "nothing to ask: no drawn picture waits for an answer. Drawn are --keep-share of all that watch answers itself, "
    "while --keep has room for them."
)
TAKEN = mark(
    "{kept} answers taken in, {again} known before, {empty} lines without a label, {foreign} of pictures that this "
    "line never answered. The watch goes by them from its next look on."
)
ONE_OF = mark("--sheet and --import were both given. Give one of them.")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "state",
        type=Path,
        nargs="?",
        default=Path("line"),
        help="the folder that serve has as --state, or watch as --out [default: line]",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=Path("labels.csv"),
        help="table to write [default: labels.csv]",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="write the pictures there too, for a run with new images",
    )
    parser.add_argument(
        "--sheet",
        type=Path,
        metavar="DIR",
        help="of watch: write pictures there that were drawn to audit the model, and ask.csv to fill in",
    )
    parser.add_argument(
        "--most", type=positive, default=50, metavar="N", help="pictures in it [default: 50]"
    )
    parser.add_argument(
        "--import",
        type=Path,
        dest="table",
        metavar="FILE",
        help="of watch: take in the table that was filled in",
    )
    parser.add_argument("--by", default="", help="who answered [default: the user of this machine]")


def run(args: argparse.Namespace) -> int:
    """Write the table and its pictures, or a sheet, or take one in."""
    from clipgrip_line.folder.journal import NAME as JOURNAL
    from clipgrip_line.service.ledger import NAME as LEDGER

    say = words_of(args)
    if args.sheet and args.table:
        raise LineError(ONE_OF)
    if not (args.sheet or args.table):
        watched = (args.state / JOURNAL).is_file() and not (args.state / LEDGER).is_file()
        return _carried(args, say, watched=watched)
    return _asked(args, say) if args.sheet else _taken(args, say)


def _carried(args: argparse.Namespace, say: Words, *, watched: bool) -> int:
    from clipgrip_line.files import write_text_atomic
    from clipgrip_line.folder import asking
    from clipgrip_line.places import check_new_table, check_usable
    from clipgrip_line.service import people, versions

    check_new_table(args.out)
    if args.images is not None:
        check_usable(args.images)
    called: dict[str, str] | None = None
    if watched:
        with closing(asking.opened(args.state)) as journal:
            if args.images is not None:
                called = asking.write_pictures(journal, args.state, args.images)
            table = people.labels_csv(journal.reader, called)
    else:
        with versions.opened(args.state) as db:
            called = people.write_pictures(db, args.images) if args.images is not None else None
            table = people.labels_csv(db, called)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    write_text_atomic(args.out, table)
    n = table.count("\n") - 1
    facts = {"answers": n, "out": args.out, "images": len(called or {})}
    print(document(facts) if args.json else say(DONE, n=n, out=args.out))
    return 0


def _asked(args: argparse.Namespace, say: Words) -> int:
    from clipgrip_line.folder.asking import SHEET, opened, write_sheet

    with closing(opened(args.state)) as journal:
        n = write_sheet(journal, args.state, args.sheet, args.most)
    out = args.sheet / SHEET
    if args.json:
        print(document({"pictures": n, "out": out if n else None}))
    else:
        print(say(ASKED, n=n, out=quoted(out), state=quoted(args.state)) if n else say(NOTHING))
    return 0


def _taken(args: argparse.Namespace, say: Words) -> int:
    from clipgrip_line.clock import now, written
    from clipgrip_line.commands.serve import person
    from clipgrip_line.folder.asking import opened, take_in

    with closing(opened(args.state)) as journal:
        done = take_in(journal, args.table, args.by or person(), written(now()))
    print(document(vars(done)) if args.json else say(TAKEN, **vars(done)))
    return 0
