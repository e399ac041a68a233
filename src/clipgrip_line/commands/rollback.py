"""Go back to the version before; a running service does so within a second."""

from __future__ import annotations

import argparse
from pathlib import Path

from clipgrip_line.commands.promote import DONE, add_reason
from clipgrip_line.errors import LineError
from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import mark

GONE = mark(
    "version {version} is not there any more ({path}), so nothing was changed. Promote its bundle again."
)


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("state", type=Path, help="the folder that serve has as --state")
    parser.add_argument(
        "--to", default="", metavar="VERSION", help="which version [default: the one before]"
    )
    add_reason(parser)


def run(args: argparse.Namespace) -> int:
    """Write the change."""
    from clipgrip_line.commands.serve import person
    from clipgrip_line.service import versions

    say = words_of(args)
    with versions.opened(args.state) as db:
        version = versions.earlier(db, args.to)
        if not versions.path_of(args.state, version).is_file():
            raise LineError(GONE, version=version, path=versions.path_of(args.state, version))
        versions.change_to(db, versions.ROLLBACK, version, args.by or person(), args.why)
    print(document({"version": version}) if args.json else say(DONE, version=version))
    return 0
