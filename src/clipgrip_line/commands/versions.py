"""List the versions of a line, and every change of the one that answers."""

from __future__ import annotations

import argparse
from pathlib import Path

from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import mark

VERSION = mark("{live} {version}  {file}, {answers} answers, {promise}")
PROMISED = mark("at most {rate} wrong promised")
UNPROMISED = mark("nothing promised")
CHANGE = mark("  {at}  {action} {version} by {by}  {why}")
ACTIONS = {
    "begin": mark("began with"),
    "promote": mark("changed to"),
    "rollback": mark("went back to"),
    "configuration": mark("a station asked for"),
}


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("state", type=Path, help="the folder that serve has as --state")


def run(args: argparse.Namespace) -> int:
    """Print them."""
    from clipgrip_line.service import versions

    say = words_of(args)
    with versions.opened(args.state) as db:
        found, history = versions.listed(db), versions.changes(db)
    if args.json:
        print(document({"versions": found, "changes": [vars(one) for one in history]}))
        return 0
    for one in found:
        promise = one["promise"]
        rate = promise and say(PROMISED, rate=say.percent(promise["rate"]))
        about = {"answers": say.number(one["answers"]), "promise": rate or say(UNPROMISED)}
        print(
            say(
                VERSION,
                live="*" if one["live"] else " ",
                version=one["version"],
                file=one["file"],
                **about,
            )
        )
    for change in history:
        action = say(ACTIONS[change.action])
        about = {"at": say.date(change.at), "by": change.by, "why": change.why}
        print(say(CHANGE, action=action, version=change.version, **about).rstrip())
    return 0
