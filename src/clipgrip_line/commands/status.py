"""How a line goes, watched or served: code 0 where all is well, 1 where it was stopped, hangs or is in trouble."""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip_line.errors import LineError
from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import Sentence

if TYPE_CHECKING:
    from clipgrip_line.words import Words

ROOM = 1 << 20
"""Free bytes below which a disk is full: no database can grow there."""


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "out", type=Path, help="the folder given to watch as --out, or to serve as --state"
    )
    parser.add_argument(
        "--alive",
        action="store_true",
        help="code 1 only where it was stopped or hangs: a server that is away is no reason to start anew",
    )


def run(args: argparse.Namespace) -> int:
    """Print how it goes; monitoring and health checks read the exit code."""

    say = words_of(args)
    facts, sentence, ended, wrong = (
        _served(args, say) if is_service(args.out) else _watched(args, say)
    )
    troubles = [*ended, *([] if args.alive else [*full_disk(args.out), *wrong])]
    if args.json:
        sentences = [str(one) for one in troubles]
        print(document({**facts, "healthy": not troubles, "troubles": sentences}))
        return int(bool(troubles))
    print(sentence)
    for one in troubles:
        print(say.translated(one))
    return int(bool(troubles))


def full_disk(folder: Path) -> list[str]:
    """Said from here, as a process on a full disk can write down nothing."""
    usage = shutil.disk_usage(folder)
    if usage.free >= ROOM or not usage.total:  # some shares do not say how large they are
        return []
    return [Sentence("the disk of {folder} is full, so nothing can be kept there", folder=folder)]


StatusView = tuple[dict[str, Any], str, list[str], list[str]]
"""Facts, the line for people, why it does not run, and what else is not well."""


def is_service(folder: Path) -> bool:
    """Whether the folder is a service's, and not that of a watch."""
    from clipgrip_line.folder.status import NAME as WATCH
    from clipgrip_line.service.ledger import NAME as SERVICE

    return (folder / SERVICE).is_file() and not (folder / WATCH).is_file()


def _served(args: argparse.Namespace, say: Words) -> StatusView:
    from clipgrip_line.service import outside

    facts = outside.facts_of(args.out)
    sentence = say(
        "{pictures} pictures answered, {waiting} pictures waiting for a person; version {version}",
        pictures=facts["answered"],
        waiting=facts["waiting"],
        version=facts["version"],
    )
    ended = [] if facts["running"] else [outside.ENDED]
    return facts, sentence, ended, outside.troubles_of(facts)


def _watched(args: argparse.Namespace, say: Words) -> StatusView:
    facts = read_status(args.out)
    sentence = say(
        "{pictures} pictures answered, {refused} files refused, {files} files waiting; version {version}",
        pictures=facts["answered"],
        refused=facts["refused"],
        files=facts["files_waiting"],
        version=facts["version"],
    )
    return facts, sentence, ends_of(facts, time.monotonic(), args.out), troubles_of(facts)


def read_status(out: Path) -> dict[str, Any]:
    """What a watch wrote last; LineError where none did."""
    from clipgrip_line.folder.status import NAME

    try:
        return dict(json.loads((out / NAME).read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise LineError(
            "{out} holds no {name}. Give the folder that clipgrip-line watch got as --out.",
            out=out,
            name=NAME,
        ) from None


def ends_of(facts: dict[str, Any], now: float, out: Path) -> list[str]:
    """Why it does not run. ``now`` is the monotonic clock, which every process of a machine shares."""
    from clipgrip_line.folder.lock import NAME
    from clipgrip_line.folder.status import STALE
    from clipgrip_line.lock import is_held

    if facts["state"] == "done":  # watch --once, with nothing left
        return []
    if facts["state"] != "running":
        return [Sentence("it was stopped")]
    found: list[str] = []
    if not is_held(out / NAME):
        found.append(Sentence("its process is gone: it was killed, or cut from power"))
    if not 0 <= now - float(facts["monotonic"]) < STALE:
        found.append(Sentence("it has said nothing for longer than {n} s", n=int(STALE)))
    return found


def troubles_of(facts: dict[str, Any]) -> list[str]:
    """What is not well while it runs, in sentences."""
    from clipgrip_line.folder.notes import CHANNELS
    from clipgrip_line.service.outside import WITHDRAWN

    found: list[str] = []
    reasons = dict(facts["trouble"])
    reasons |= {name: one["trouble"] for name, one in facts["channels"].items() if one["trouble"]}
    for name, reason in reasons.items():
        found.append(
            Sentence("{name}: {reason}", name=Sentence(CHANNELS[name]), reason=Sentence(reason))
        )
    watch = facts.get("watch", {})
    if watch.get("alarm"):
        found.append(Sentence("watch: it rings; see clipgrip-line alarms"))
    if any(one["withdrawn"] for one in watch.get("promises", ())):
        found.append(Sentence(WITHDRAWN, version=facts["version"]))
    for name, one in facts["channels"].items():
        if one["dead"]:
            text = Sentence(CHANNELS[name])
            found.append(
                Sentence("{name}: {n} dead letters; see --resend", name=text, n=one["dead"])
            )
    return found
