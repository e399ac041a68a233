"""What the watch of a folder says, and a person's answer to its alarm."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip_line.errors import LineError
from clipgrip_line.sentences import mark

if TYPE_CHECKING:
    from clipgrip_line.folder.journal import Journal
    from clipgrip_line.words import Words

QUIET = mark("no alarm so far.")
NOTHING_RINGS = mark("no alarm rings in {out}, so there is none to answer.")
HEARD = mark("kept: {verdict}. The watch goes by it from its next look on.")
ANSWERED = mark("{at}: {what}; {since}. Answered: {response}")
RINGS = mark("{at}: {what}; {since}. RINGS. {advice}")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("out", type=Path, help=mark("the folder given to watch as --out"))
    parser.add_argument(
        "--answer",
        choices=("fixed", "normal", "nothing"),
        help=mark(
            "answer the alarm that rings: the cause is removed, this is normal from now on, or no cause was found"
        ),
    )
    parser.add_argument("--note", default="", help=mark("what was found; kept with the answer"))
    parser.add_argument(
        "--by", default="", help=mark("who answers [default: the user of this machine]")
    )


def run(args: argparse.Namespace) -> int:
    """List the alarms, the oldest first; code 1 where one rings without an answer."""
    from clipgrip_line.cli import document, words_of
    from clipgrip_line.folder.asking import opened

    say = words_of(args)
    with closing(opened(args.out)) as journal:
        if args.answer is not None:
            return _answered(args, journal, say)
        found = _alarms(journal, say)
    rings = any(one["response"] is None for one in found)
    if args.json:
        print(document({"alarms": found}))
        return int(rings)
    for one in found:
        about = {"at": one["rang_at"], "what": one["what"], "since": one["since_when"]}
        if one["response"] is None:
            print(say(RINGS, **about, advice=one["advice"]))
        else:
            print(say(ANSWERED, **about, response=one["said"]))
    if not found:
        print(say(QUIET))
    return int(rings)


def _alarms(journal: Journal, say: Words) -> list[dict[str, Any]]:
    from clipgrip_line.folder.asking import classes_of
    from clipgrip_line.monitoring.facts import alarm_facts
    from clipgrip_line.monitoring.watched import all_alarms
    from clipgrip_line.trust.watch_words import response_words

    return [
        {
            **alarm_facts(one, classes_of(journal, version), say),
            "version": version,
            "response": one.response,
            "said": response_words(one.response, say),
        }
        for version, one in all_alarms(journal.reader)
    ]


def _answered(args: argparse.Namespace, journal: Journal, say: Words) -> int:
    from clipgrip_line.cli import document
    from clipgrip_line.clock import now, written
    from clipgrip_line.commands.serve import person
    from clipgrip_line.folder.monitor import reply
    from clipgrip_line.trust.watch_words import VERDICTS

    ringing = [one for one in _alarms(journal, say) if one["response"] is None]
    if not ringing:
        raise LineError(NOTHING_RINGS, out=args.out)
    by, number = args.by or person(), ringing[-1]["number"]
    reply(journal, number, args.answer, args.note, by, written(now()))
    facts = {"alarm": number, "verdict": args.answer, "note": args.note, "by": by}
    verdict = say(VERDICTS[args.answer])
    print(document(facts) if args.json else say(HEARD, verdict=verdict))
    return 0
