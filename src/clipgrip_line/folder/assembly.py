"""From what was asked for to the parts of a watched folder."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip_line.errors import LineError
from clipgrip_line.folder.beside import JsonFiles
from clipgrip_line.folder.courier import Backoff, Courier
from clipgrip_line.folder.journal import NAME as JOURNAL
from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.ledger import Deliveries
from clipgrip_line.folder.lock import locked
from clipgrip_line.folder.mqtt import Broker, Mqtt
from clipgrip_line.folder.notes import Notes
from clipgrip_line.folder.originals import Originals
from clipgrip_line.folder.outlet import Outlet
from clipgrip_line.folder.samples import FOLDER as SAMPLES
from clipgrip_line.folder.samples import Samples, SamplesOutlet
from clipgrip_line.folder.scan import is_within
from clipgrip_line.folder.settings import FolderSettings, Outlets
from clipgrip_line.folder.sorting import How, Sorting
from clipgrip_line.folder.tables import (
    ALARMS,
    ANSWERS,
    ISSUES,
    Table,
    alarm_row,
    answer_row,
    issue_row,
)
from clipgrip_line.folder.watch import Watch
from clipgrip_line.folder.webhook import Webhook
from clipgrip_line.places import check_usable
from clipgrip_line.sentences import mark

OF_SERVICE = mark("{folder} is the folder of clipgrip-line serve. Give --out a folder of its own.")

if TYPE_CHECKING:
    from clipgrip_line.monitoring.seeing import Answering
    from clipgrip_line.trust.reference import Reference

SORTED, JSON = "sorted", "json"
"""Folders below --out."""
LOCAL_MOST = 30.0
"""Seconds between two tries of what lies on this machine."""
ANSWERED = ("answers", "samples", "sorted")
"""What only a picture gets that was answered."""
REPEATED = ("json", "beside", "sorted")
"""What a file gets too whose content was answered under another name."""


@dataclass(frozen=True)
class Wishes:
    """Where answers go beside the tables and JSON files of --out."""

    beside: bool = False
    sort: How | None = None
    webhook: str = ""
    secret: str = field(default="", repr=False)
    broker: Broker | None = None
    user: str = ""
    password: str = field(default="", repr=False)
    authority: str | None = None
    keep_bytes: int = 0
    keep_rate: float = 0.05
    revive: bool = False
    """Whether dead letters are tried once more."""


def check_places(folder: Path, out: Path) -> None:
    """LineError where the folder is not there, or what is written would be read again as pictures."""
    if not folder.is_dir():
        raise LineError(
            "{folder} is no folder, or its share is not there. Give the folder that the camera writes to; once the "
            "watch runs, it may go and come back.",
            folder=folder,
        )
    same = folder.resolve() == out.resolve() or (is_within(folder, out) and is_within(out, folder))
    if same or any(is_within(folder, out / one) for one in (SAMPLES, SORTED, JSON)):
        raise LineError(
            "--out {out} holds the watched folder. Give --out another folder, outside of it.",
            out=out,
        )


@contextmanager
def watching(
    model: Answering,
    settings: FolderSettings,
    wishes: Wishes,
    notes: Notes,
    now: Callable[[], float] = time.monotonic,
    reference: Reference | None = None,
) -> Iterator[Watch]:
    """A watch with its outlets, alone on its output folder. ``reference``: what its new images are compared with.

    LineError: the folders cannot be used so, or another process has --out. OSError, sqlite3.Error: the system refused.
    """
    check_places(settings.folder, settings.out)
    check_usable(settings.out)
    settings.out.mkdir(parents=True, exist_ok=True)
    from clipgrip_line.folder.monitor import Monitor
    from clipgrip_line.service.alone import check_owner
    from clipgrip_line.service.ledger import NAME as SERVED

    with ExitStack() as stack:
        stack.enter_context(locked(settings.out))
        check_owner(settings.out, SERVED, OF_SERVICE)
        journal = Journal(settings.out / JOURNAL)
        stack.callback(journal.close)
        journal.begin(os.path.abspath(settings.folder))
        originals = Originals(settings.folder)
        local = _local(settings, wishes, originals, stack)
        remote = _remote(settings, wishes, stack)
        for one in (*local, *remote) if wishes.revive else ():
            journal.revive(one.name)
        outlets = _outlets(local, remote, journal, notes, now)
        journal.recipients = outlets.owed["notice"]
        monitor = Monitor(
            journal,
            model,
            reference,
            notes,
            alpha=settings.alpha,
            drawn=wishes.keep_rate if wishes.keep_bytes else 0.0,
            people_at_alarm=settings.people_at_alarm,
        )
        yield Watch(model, settings, journal, originals, outlets, notes, monitor, now)


def _local(
    settings: FolderSettings, wishes: Wishes, originals: Originals, stack: ExitStack
) -> list[Outlet]:
    out = settings.out
    found: list[Outlet] = [
        Table(out, "answers", ANSWERS, answer_row),
        Table(out, "issues", ISSUES, issue_row),
        Table(out, "alarms", ALARMS, alarm_row),
        JsonFiles(out / JSON, "json", make=True),
    ]
    if wishes.beside:
        found.append(JsonFiles(settings.folder, "beside", make=False))
    if wishes.keep_bytes:
        store = Samples(out / SAMPLES, wishes.keep_bytes, wishes.keep_rate)
        stack.callback(store.close)
        store.tidy()
        found.append(SamplesOutlet(store, originals))
    if wishes.sort is not None:  # the last, as it may move the original away
        found.append(Sorting(out / SORTED, wishes.sort, originals))
    return found


def _remote(settings: FolderSettings, wishes: Wishes, stack: ExitStack) -> list[Outlet]:
    found: list[Outlet] = []
    if wishes.webhook:
        found.append(Webhook(wishes.webhook, wishes.secret))
    if wishes.broker is not None:
        mqtt = Mqtt(
            wishes.broker,
            station_of(settings.out),
            user=wishes.user,
            password=wishes.password,
            authority=wishes.authority,
        )
        stack.callback(mqtt.close)
        found.append(mqtt)
    return found


def _outlets(
    local: Sequence[Outlet],
    remote: Sequence[Outlet],
    journal: Journal,
    notes: Notes,
    now: Callable[[], float],
) -> Outlets:
    names = [one.name for one in (*local, *remote)]
    ledger = Deliveries(journal)
    here = [
        Courier(
            one,
            journal,
            notes.changed,
            in_order=isinstance(one, Table | SamplesOutlet),
            now=now,
            backoff=Backoff(1.0, LOCAL_MOST),
            cross_off=ledger.add,
        )
        for one in local
    ]
    away = [Courier(one, journal, notes.changed, in_order=True, now=now) for one in remote]
    owed = {
        "answer": [name for name in names if name not in ("issues", "alarms")],
        "repeat": [name for name in names if name in REPEATED],
        "refused": [name for name in names if name not in (*ANSWERED, "alarms")],
        "notice": [name for name in names if name in ("alarms", "webhook", "mqtt")],
    }
    return Outlets(here, away, owed, ledger)


def station_of(out: Path) -> str:
    """A name for this machine and output folder that stays the same over restarts."""
    place = f"{socket.gethostname()} {os.path.abspath(out)}"
    return "clipgrip-" + hashlib.sha256(place.encode("utf-8", "replace")).hexdigest()[:12]
