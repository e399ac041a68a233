"""Let another bundle answer from now on; a running service changes without losing a request."""

from __future__ import annotations

import argparse
from pathlib import Path

from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import mark

DONE = mark("version {version} answers from now on.")
SAME = mark("version {version} answers already.")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("state", type=Path, help="the folder that serve has as --state")
    parser.add_argument("bundle", type=Path, help="the file that clipgrip bundle wrote")
    add_reason(parser)


def add_reason(parser: argparse.ArgumentParser) -> None:
    """Who, and why."""
    parser.add_argument(
        "--by", default="", help="who decides this [default: the user of this machine]"
    )
    parser.add_argument("--why", default="", help="kept with the change")


def run(args: argparse.Namespace) -> int:
    """Try the golden images, copy the bundle, write the change."""
    from clipgrip_line.commands.serve import person
    from clipgrip_line.service import versions

    say = words_of(args)
    with versions.opened(args.state) as db:
        version, present = versions.add(db, args.state, args.bundle), versions.live(db)
        same = present is not None and present.version == version
        if not same:
            versions.change_to(db, versions.PROMOTE, version, args.by or person(), args.why)
    facts = {"version": version, "changed": not same}
    print(document(facts) if args.json else say(SAME if same else DONE, version=version))
    return 0
