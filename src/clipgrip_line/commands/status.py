"""How a watched folder goes: code 0 where all is well, 1 where something hangs or is in trouble."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from clipgrip_line.errors import LineError
from clipgrip_line.sentences import Sentence, counted, mark


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("out", type=Path, help="the folder given to watch as --out")
    parser.add_argument(
        "--alive",
        action="store_true",
        help="code 1 only where it was stopped or hangs: a server that is away is no reason to start anew",
    )


def run(args: argparse.Namespace) -> int:
    """Print what status.json says; monitoring and health checks read the exit code."""
    from clipgrip_line.cli import document, words_of
    from clipgrip_line.folder.tally import FILES, PICTURES
    from clipgrip_line.words import Words

    facts = read_status(args.out)
    troubles = [*ends_of(facts, time.monotonic()), *([] if args.alive else troubles_of(facts))]
    say: Words = words_of(args)
    if args.json:
        print(
            document({**facts, "healthy": not troubles, "troubles": [str(one) for one in troubles]})
        )
        return int(bool(troubles))
    print(
        say.translated(
            Sentence(
                "{pictures} answered, {refused} refused, {files} waiting; version {version}",
                pictures=counted(facts["answered"], *PICTURES),
                refused=counted(facts["refused"], *FILES),
                files=counted(facts["files_waiting"], *FILES),
                version=facts["version"],
            )
        )
    )
    for one in troubles:
        print(say.translated(one))
    return int(bool(troubles))


def read_status(out: Path) -> dict[str, Any]:
    """What a watch wrote last; LineError where none did."""
    from clipgrip_line.folder.status import NAME

    try:
        return dict(json.loads((out / NAME).read_text("utf-8")))
    except (FileNotFoundError, NotADirectoryError, ValueError):
        raise LineError(
            mark("{out} holds no {name}. Give the folder that clipgrip-line watch got as --out."),
            out=out,
            name=NAME,
        ) from None


def ends_of(facts: dict[str, Any], now: float) -> list[str]:
    """Why it does not run. ``now`` is the monotonic clock, which every process of a machine shares."""
    from clipgrip_line.folder.status import STALE

    if facts["state"] == "done":  # watch --once, with nothing left
        return []
    if facts["state"] != "running":
        return [Sentence("it was stopped")]
    if not 0 <= now - float(facts["monotonic"]) < STALE:
        return [Sentence("it has said nothing for longer than {n} s", n=int(STALE))]
    return []


def troubles_of(facts: dict[str, Any]) -> list[str]:
    """What is not well while it runs, in sentences."""
    from clipgrip_line.folder.notes import CHANNELS

    found: list[str] = []
    reasons = dict(facts["trouble"])
    reasons |= {name: one["trouble"] for name, one in facts["channels"].items() if one["trouble"]}
    for name, reason in reasons.items():
        found.append(Sentence("{name}: {reason}", name=Sentence(CHANNELS[name]), reason=reason))
    if facts.get("watch", {}).get("light") == "alarm":
        found.append(Sentence("watch: it rings; see clipgrip-line alarms"))
    for name, one in facts["channels"].items():
        if one["dead"]:
            text = Sentence(CHANNELS[name])
            found.append(
                Sentence("{name}: {n} dead letters; see --resend", name=text, n=one["dead"])
            )
    return found
