"""The loop of the hot folder: list, load what has stopped growing, answer, write down, hand on."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from clipgrip_line.folder.courier import Backoff, reason_of
from clipgrip_line.folder.item import printable
from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.loading import Failed, Loaded, load, seen
from clipgrip_line.folder.notes import CHANNELS, Notes
from clipgrip_line.folder.originals import Originals
from clipgrip_line.folder.recording import Found
from clipgrip_line.folder.scan import Entry, scan
from clipgrip_line.folder.settings import FolderSettings, Outlets
from clipgrip_line.folder.sightings import Sightings
from clipgrip_line.folder.status import StatusFile
from clipgrip_line.folder.tally import Tally
from clipgrip_line.sentences import Sentence, mark

if TYPE_CHECKING:
    from clipgrip_line.folder.monitor import Monitor
    from clipgrip_line.folder.recording import Watchable
    from clipgrip_line.monitoring.seeing import Answering

TABLES = ("answers", "issues", "alarms")
"""What waits for them is never given up."""
BURIED = mark("{name}: the spool is full; {n} of the oldest messages became dead letters.")
FORGOTTEN = mark(
    "{name}: {n} of the oldest dead letters were forgotten, as more than --spool are kept."
)
Content = tuple[dict[str, Any], "Watchable"]

LONGEST = 10.0
"""Seconds of answering between two listings."""
EVERY = 60.0
"""Seconds between two lines that say how far it is."""
QUIET_TURNS = 5
"""Turns without anything new, and `give_up` seconds, after which `Watch.once` ends."""


class Watch:
    """One folder under one model."""

    def __init__(
        self,
        model: Answering,
        settings: FolderSettings,
        journal: Journal,
        originals: Originals,
        outlets: Outlets,
        notes: Notes,
        monitor: Monitor,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._model, self._settings, self._journal = model, settings, journal
        self._originals, self.outlets, self._notes, self._now = originals, outlets, notes, now
        self._monitor = monitor
        self._sightings = Sightings(self._is_done, settings.poll, settings.give_up)
        self._status = StatusFile(settings.out)
        self._backoff = Backoff(min(1.0, settings.poll), 30.0)
        self._pool = ThreadPoolExecutor(min(4, os.cpu_count() or 1))
        self._trouble: dict[str, str] = {}
        self._is_once = False
        self._odd: set[str] = set()
        self._tally = Tally(settings, journal)
        self.stop = threading.Event()
        """Set it, and the loop ends after the batch at work."""

    def run(self) -> None:
        """Until `stop`."""
        for courier in self.outlets.remote:
            courier.start()
        last, since = self._tally.files(), self._now()
        while not self.stop.is_set():
            began = self._now()
            self.turn()
            if self._now() - since >= EVERY and last != self._tally.files():
                last, since = self._tally.files(), self._now()
                self._notes.note(self.summary())
            self.stop.wait(max(self._settings.poll, min(self._now() - began, 60.0)))
        self.end()

    def once(self) -> None:
        """What lies there now. A file that does not decode is waited for as always: it may still be written."""
        self._is_once, quiet, last = True, 0, self._now()
        patience = self._settings.give_up + 2 * self._settings.poll  # until the last look at it
        while not self.stop.is_set():
            done = self.turn()
            quiet, last = (0, self._now()) if done else (quiet + 1, last)
            if not len(self._sightings) and not self._trouble:
                break
            if quiet >= QUIET_TURNS and self._now() - last >= patience:
                break
            self.stop.wait(self._settings.poll)
        self.outlets.bring()
        for courier in self.outlets.remote:
            courier.finish(self._settings.patience, self.stop)
        self.end()

    def end(self) -> None:
        """Hand on what can be, and say what is left."""
        self._pool.shutdown()
        self._changed("watch", self._monitor.look())
        self._monitor.save()
        self.outlets.bring()
        for courier in self.outlets.remote:
            courier.stop(self._settings.patience)
        self._show("done" if self._is_once and not self.left() else "stopped", force=True)
        self._notes.note(self.summary())

    def left(self) -> int:
        """Files without an answer, and deliveries that wait."""
        return len(self._sightings) + self._tally.owed(self.outlets.all())

    def turn(self) -> int:
        """One listing and what follows from it; how many files are done with it."""
        done = 0
        try:
            listing = scan(self._settings.folder, self._settings.out)
        except OSError as error:
            self._changed("folder", reason_of(error))
        else:
            self._changed("folder", _unread(listing.unread))
            self._skipped(listing.odd)
            ready = self._sightings.ready(listing.entries, self._now())
            done = self._worked(ready)
        if not done:
            self._changed("watch", self._monitor.look())
        self.outlets.bring(most=LONGEST)
        for courier in self.outlets.all():
            if courier.outlet.name not in TABLES:
                self._trim(courier.outlet.name)
        with contextlib.suppress(sqlite3.Error):  # the next batch names it
            self._journal.compact(self._sightings.done_paths())
        self._show("running")
        return done

    def _skipped(self, odd: Sequence[str]) -> None:
        """Said once of each."""
        for path in sorted(set(odd) - self._odd):
            self._notes.note(
                Sentence(
                    "{path}: no file, but a pipe, a socket, a device or a linked folder. It is left out.",
                    path=printable(path),
                )
            )
        self._odd = set(odd)

    def _worked(self, ready: Sequence[Entry]) -> int:
        done, until = 0, self._now() + LONGEST
        for start in range(0, len(ready), self._settings.batch):
            late = self._now() > until or self.stop.is_set() or self._backoff.wait(self._now())
            if late:
                break
            try:
                done += self._batch(ready[start : start + self._settings.batch])
            except (sqlite3.Error, OSError) as error:
                self._backoff.failed(self._now())
                self._changed("journal", reason_of(error))
                break
            self._backoff.worked()
            self._changed("journal", "")
            self._show("running")
        self._originals.hold(())
        return done

    def _batch(self, entries: Sequence[Entry]) -> int:
        read = partial(load, self._settings.folder, model=self._model, knows=self._journal.knows)
        stays = [self._sightings.stays(one, self._now()) for one in entries]
        loaded = list(self._pool.map(read, entries, stays))
        fresh = {
            one.image: one for one in loaded if isinstance(one, Loaded) and one.pixels is not None
        }
        contents = self._contents(fresh)
        found = [one for file in loaded for one in self._found(file, contents)]
        at = datetime.now().astimezone().isoformat(timespec="seconds")
        for one, kind in zip(
            found, self._journal.record(found, at, self.outlets.owed), strict=True
        ):
            self._noted(one, kind)
        for image, file in fresh.items():
            self._monitor.gallery.put(image, file.data)
        self._changed("watch", self._monitor.look())
        self._originals.hold([one for one in loaded if isinstance(one, Loaded)])
        self.outlets.bring(most=LONGEST)
        return len(found)

    def _contents(self, fresh: Mapping[str, Loaded]) -> dict[str, Content | str]:
        """By image, its answer and what the watch sees of it, or why there is none."""
        results = dict(zip(fresh, seen(self._model, list(fresh.values())), strict=True))
        pictures = {image: one for image, one in results.items() if not isinstance(one, str)}
        decided = self._monitor.decided(list(pictures.values()))
        contents = [
            (one.answer.as_json(), watchable)
            for one, watchable in zip(decided, self._monitor.watchable(decided), strict=True)
        ]
        failed = {image: one for image, one in results.items() if isinstance(one, str)}
        return {**failed, **dict(zip(pictures, contents, strict=True))}

    def _found(self, file: Loaded | Failed, contents: Mapping[str, Content | str]) -> list[Found]:
        """What is written down of a file: its answer, that its content is known, a refusal, or nothing yet."""
        one, now = file.entry, self._now()
        where, say = (one.path, one.size, one.mtime), self._notes.say
        if isinstance(file, Loaded):
            content = contents.get(file.image, (None, None))
            if isinstance(content, str):
                return [Found(*where, reason=say.translated(content))]
            return [Found(*where, image=file.image, content=content[0], seen=content[1])]
        if file.changed:
            self._sightings.changed(one, now)
        elif file.cut:
            self._sightings.waits(one, now)
        elif self._sightings.failed(one, now, patient=file.unreadable):
            reason = say.translated(file.reason)  # for the table, which people read
            return [Found(*where, reason=reason, final=not file.unreadable)]
        return []

    def _is_done(self, entry: Entry) -> bool:
        return self._journal.is_done(entry.path, entry.size, entry.mtime)

    def _noted(self, found: Found, kind: str) -> None:
        self._tally.add(found, kind)
        if found.final:
            self._sightings.done(Entry(found.path, found.size, found.mtime))
        if found.reason:
            shown = printable(found.path)
            self._notes.note(
                Sentence("{path}: {reason}. Listed, and left out.", path=shown, reason=found.reason)
            )

    def _changed(self, what: str, reason: str) -> None:
        if self._trouble.get(what, "") == reason:
            return
        if reason:
            self._trouble[what] = reason
        else:
            del self._trouble[what]
        self._notes.changed(what, reason)

    def _trim(self, channel: str) -> None:
        most = self._settings.spool
        try:
            gone, forgotten = self._journal.trim(channel, most, f"more than {most} waited")
        except sqlite3.Error:  # the next batch names it
            return
        for n, text in ((gone, BURIED), (forgotten, FORGOTTEN)):
            if n:
                self._notes.note(Sentence(text, name=Sentence(CHANNELS[channel]), n=n))

    def _show(self, state: str, *, force: bool = False) -> None:
        now = self._now()
        if force or self._status.is_due(now):
            self._status.show(self.facts(state), now)

    def facts(self, state: str = "stopped") -> dict[str, Any]:
        """What ``status.json`` holds."""
        facts = self._tally.facts(len(self._sightings), self.outlets.all())
        trouble = dict(self._trouble)
        about = {"state": state, "version": self._model.version, "trouble": trouble}
        return {**about, **facts, "watch": self._monitor.facts(self._notes.say)}

    def summary(self) -> str:
        """How far it is."""
        return self._tally.summary(len(self._sightings), self.outlets.all())


def _unread(folders: Sequence[tuple[str, OSError]]) -> str:
    if not folders:
        return ""
    return Sentence(
        "{path}: {reason}", path=printable(folders[0][0]), reason=reason_of(folders[0][1])
    )
