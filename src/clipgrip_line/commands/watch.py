"""Answer every picture that appears in a folder, each content once, and hand the answers on."""

from __future__ import annotations

import argparse
import os
import signal
import sqlite3
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip_line.causes import cause
from clipgrip_line.commands.keeping import add_keeping
from clipgrip_line.errors import LineError
from clipgrip_line.parsing import document, number_within, positive, words_of
from clipgrip_line.sentences import mark

if TYPE_CHECKING:
    from clipgrip_line.folder.assembly import Wishes
    from clipgrip_line.folder.settings import FolderSettings
    from clipgrip_line.folder.watch import Watch

SECRET = "CLIPGRIP_WEBHOOK_SECRET"
USER, PASSWORD = "CLIPGRIP_MQTT_USER", "CLIPGRIP_MQTT_PASSWORD"


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("bundle", type=Path, help="the file that clipgrip bundle wrote")
    parser.add_argument("folder", type=Path, help="where pictures appear; sub-folders are lots")
    parser.add_argument(
        "--out",
        type=Path,
        required=True,
        help="folder for answers-DAY.csv, issues-DAY.csv, json/, status.json and the journal",
    )
    parser.add_argument("--once", action="store_true", help="answer what lies there, and end")
    _add_patience(parser)
    parser.add_argument(
        "--json-beside", action="store_true", help="also write NAME.json beside each picture"
    )
    parser.add_argument(
        "--sort",
        choices=("copy", "link"),
        help="also put copies, or links where the disk allows, into OUT/sorted/ok, ng and person",
    )
    parser.add_argument(
        "--move",
        action="store_true",
        help="move the originals there; each is removed only once its copy was read back",
    )
    add_keeping(parser)
    _add_watch(parser)
    _add_servers(parser)


def _add_patience(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--poll",
        type=_seconds,
        default=1.0,
        metavar="SECONDS",
        help="between two looks; a file counts once two show it alike [default: 1]",
    )
    parser.add_argument(
        "--give-up",
        type=_seconds,
        default=60.0,
        metavar="SECONDS",
        help="after which a file that does not change and does not decode is listed [default: 60]",
    )
    parser.add_argument(
        "--batch", type=positive, default=16, metavar="N", help="pictures at a time [default: 16]"
    )


def _add_servers(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--webhook",
        metavar="URL",
        help="post every answer there as JSON; signed with the secret in CLIPGRIP_WEBHOOK_SECRET, "
        "if it is set",
    )
    parser.add_argument(
        "--mqtt",
        metavar="URL",
        help="publish them, as mqtt://host:1883/topic or mqtts://; user and password in "
        "CLIPGRIP_MQTT_USER and CLIPGRIP_MQTT_PASSWORD",
    )
    parser.add_argument(
        "--mqtt-ca", metavar="FILE", help="certificates that the broker is trusted by"
    )
    parser.add_argument(
        "--spool",
        type=positive,
        default=100_000,
        metavar="N",
        help="what waits for a server or a disk at most; the oldest beyond are dead letters [default: 100000]",
    )
    parser.add_argument("--resend", action="store_true", help="try dead letters once more")


def _add_watch(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--alpha",
        type=_budget,
        default=0.01,
        metavar="P",
        help="probability that an alarm ever rings while nothing has changed [default: 0.01]",
    )
    parser.add_argument(
        "--people-at-alarm",
        action="store_true",
        help="while an alarm rings, a person decides every picture",
    )


def run(args: argparse.Namespace) -> int:
    """Watch until Ctrl-C or SIGTERM; with --once code 1 where something is left."""
    from clipgrip_line.folder.assembly import check_places, watching
    from clipgrip_line.folder.notes import Notes, to_stdout
    from clipgrip_line.model import Model
    from clipgrip_line.trust import reference

    settings, wishes = settings_of(args), wishes_of(args)
    check_places(settings.folder, settings.out)
    model = Model.open(args.bundle)
    known = reference.read(args.bundle, len(model.classes))
    notes = Notes(words_of(args), (lambda _: None) if args.json else to_stdout)
    try:
        with watching(model, settings, wishes, notes, reference=known) as watch:
            end_by_signal(watch)
            if args.once:
                watch.once()
            else:
                notes.begun(settings.folder, settings.out, model.version)
                watch.run()
            left = watch.left()
            if args.json:
                print(document(watch.facts()))
    except sqlite3.Error as error:
        raise LineError(
            "the journal in {out} cannot be used: {reason}. See to the disk, or give another --out.",
            out=args.out,
            reason=cause(error),
        ) from None
    return int(args.once and left > 0)


def settings_of(args: argparse.Namespace) -> FolderSettings:
    """What was asked for."""
    from clipgrip_line.folder.settings import FolderSettings

    return FolderSettings(
        args.folder,
        args.out,
        args.poll,
        args.give_up,
        args.batch,
        args.spool,
        alpha=args.alpha,
        people_at_alarm=args.people_at_alarm,
    )


def wishes_of(args: argparse.Namespace) -> Wishes:
    """Where answers go; LineError where wishes exclude each other."""
    from clipgrip_line.folder.assembly import Wishes
    from clipgrip_line.folder.mqtt import broker_of
    from clipgrip_line.folder.webhook import checked_url

    if args.move and args.sort:
        raise LineError(mark("--move and --sort were both given. Give one of them."))
    return Wishes(
        beside=args.json_beside,
        sort="move" if args.move else args.sort,
        webhook=checked_url(args.webhook) if args.webhook else "",
        secret=os.environ.get(SECRET, ""),
        broker=broker_of(args.mqtt, args.mqtt_ca),
        user=os.environ.get(USER, ""),
        password=os.environ.get(PASSWORD, ""),
        authority=args.mqtt_ca,
        keep_bytes=args.keep,
        keep_rate=args.keep_share,
        revive=args.resend,
    )


def end_by_signal(watch: Watch) -> None:
    """Ctrl-C, SIGTERM and, on Windows, Ctrl-Break let the batch at work be finished; a second one ends it at once."""

    def end(number: int, _: object) -> None:
        watch.stop.set()
        signal.signal(
            number, signal.SIG_DFL
        )  # where a dead share holds us fast; nothing is lost either

    for name in ("SIGINT", "SIGTERM", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), end)


def _seconds(text: str) -> float:
    return number_within(text, 0.01, 86_400.0, mark("a number of seconds from 0.01 to 86400"))


def _budget(text: str) -> float:
    return number_within(text, 1e-6, 0.5, mark("a probability from 0.000001 to 0.5"))
