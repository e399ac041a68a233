"""What the watch of a folder says, and a person's answer to its alarm."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip_line.errors import LineError
from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import mark

if TYPE_CHECKING:
    from clipgrip_line.folder.journal import Journal
    from clipgrip_line.words import Words

QUIET = mark("no alarm so far.")
NOTHING_RINGS = mark("no alarm rings in {out}, so there is none to answer.")
HEARD = mark("kept: {verdict}. The watch goes by it from its next look on.")
ANSWERED = mark("{at}: {what}; {since}. Answered: {response}")
RINGS = mark("{at}: {what}; {since}. RINGS. {advice}")
PICTURED = mark("pictures from before and after: {before} and {after}, in {folder}")
BLIND = mark("no pictures of it are kept: the watch had begun anew shortly before.")


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("out", type=Path, help="the folder given to watch as --out")
    parser.add_argument(
        "--answer",
        choices=("fixed", "normal", "nothing"),
        help="answer the alarm that rings: the cause is removed, this is normal from now on, or no cause was found",
    )
    parser.add_argument(
        "--images",
        type=Path,
        metavar="DIR",
        help="write pictures from before and after each alarm there",
    )
    parser.add_argument("--note", default="", help="what was found; kept with the answer")
    parser.add_argument("--by", default="", help="who answers [default: the user of this machine]")


def run(args: argparse.Namespace) -> int:
    """List the alarms, the oldest first; code 1 where one rings without an answer."""
    from clipgrip_line.folder.asking import opened
    from clipgrip_line.places import check_usable

    say = words_of(args)
    if args.images is not None:
        check_usable(args.images)
    with closing(opened(args.out)) as journal:
        if args.answer is not None:
            return _answered(args, journal, say)
        found = _alarms(journal, say)
        if args.images is not None:
            _write_pictures(journal, found, args.images)
    rings = any(one["response"] is None for one in found)
    if args.json:
        print(document({"alarms": found}))
        return int(rings)
    for one in found:
        about = {"at": say.date(one["rang_at"]), "what": one["what"], "since": one["since_when"]}
        if one["response"] is None:
            print(say(RINGS, **about, advice=one["advice"]))
        else:
            print(say(ANSWERED, **about, response=one["said"]))
        if args.images is not None:
            print("  " + _pictured(one, args.images, say))
    if not found:
        print(say(QUIET))
    return int(rings)


def _alarms(journal: Journal, say: Words) -> list[dict[str, Any]]:
    from clipgrip_line.folder.asking import classes_of
    from clipgrip_line.monitoring.facts import alarm_facts
    from clipgrip_line.monitoring.gallery import pictured
    from clipgrip_line.monitoring.watched import all_alarms
    from clipgrip_line.trust.watch_words import response_words

    return [
        {
            **alarm_facts(one, classes_of(journal, version), say),
            **pictured(journal.reader, one),
            "version": version,
            "response": one.response,
            "said": response_words(one.response, say),
        }
        for version, one in all_alarms(journal.reader)
    ]


def _write_pictures(journal: Journal, found: Sequence[dict[str, Any]], folder: Path) -> None:
    """``alarm-3-before-01.jpg`` and so on, in the order of time; their names join what is said of each alarm."""
    from clipgrip_line.files import write_bytes_atomic
    from clipgrip_line.monitoring.gallery import kept_pictures

    for one in found:
        pictures = kept_pictures(journal.reader, one["number"])
        for when in ("before", "after"):
            shown = [pictures[image] for image in one[when] if image in pictures]
            one[when] = [
                f"alarm-{one['number']}-{when}-{n:02}.jpg" for n in range(1, len(shown) + 1)
            ]
            folder.mkdir(parents=True, exist_ok=True)
            for name, data in zip(one[when], shown, strict=True):
                write_bytes_atomic(folder / name, data)


def _pictured(one: dict[str, Any], folder: Path, say: Words) -> str:
    before, after = len(one["before"]), len(one["after"])
    if not before + after:
        return say(BLIND)
    return say(PICTURED, before=before, after=after, folder=folder)


def _answered(args: argparse.Namespace, journal: Journal, say: Words) -> int:
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
