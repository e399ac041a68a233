"""Which files have stopped growing: equal size and time in two listings, by the monotonic clock alone."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Literal

from clipgrip_line.folder.scan import Entry

SLOWEST = 300.0
"""Seconds between looks at a file that the system does not let us read."""


SETTLED = 5.0
"""Seconds after which a picture is taken that lacks nothing but what its file says follows it."""
Stays = Literal["new", "settled", "lasting"]
"""How long a file has stayed as it is: so long that only what nobody needs is missing, or that no more will come."""


@dataclass
class Sight:
    """A file that is not done, as it was seen last."""

    entry: Entry
    since: float
    """When it was first seen as it is."""
    due: float
    """When it is looked at next."""
    tries: int = 0
    listed: bool = False
    """Whether it was said already that it cannot be read."""


class Sightings:
    """What is known of the files of one folder, from listing to listing."""

    def __init__(self, is_done: Callable[[Entry], bool], poll: float, give_up: float) -> None:
        """``is_done`` asks the journal; ``give_up``: seconds after which a file that stays as it is is refused."""
        self._is_done, self._poll, self._give_up = is_done, poll, give_up
        self._open: dict[str, Sight] = {}
        self._done: dict[str, Entry] = {}

    def __len__(self) -> int:
        return len(self._open)

    def ready(self, entries: Sequence[Entry], now: float) -> list[Entry]:
        """Those of a whole listing that are as they were in the one before, the longest waiting first."""
        present = {entry.path: entry for entry in entries}
        self._open = {path: sight for path, sight in self._open.items() if path in present}
        self._done = {path: entry for path, entry in self._done.items() if path in present}
        found: list[Sight] = []
        for path, entry in present.items():
            if self._settled(entry):
                self._open.pop(path, None)
                continue
            sight = self._open.get(path)
            if sight is None or sight.entry != entry:
                self._open[path] = Sight(entry, now, now)
            elif now >= sight.due:
                found.append(sight)
        return [one.entry for one in sorted(found, key=lambda one: (one.since, one.entry.path))]

    def _settled(self, entry: Entry) -> bool:
        if self._done.get(entry.path) == entry:
            return True
        if entry.path in self._open or not self._is_done(entry):
            return False
        self._done[entry.path] = entry
        return True

    def done_paths(self) -> Collection[str]:
        """Of the files that the last listing showed, those that need no further look."""
        return self._done.keys()

    def done(self, entry: Entry) -> None:
        """The file as it is needs no further look."""
        self._open.pop(entry.path, None)
        self._done[entry.path] = entry

    def changed(self, entry: Entry, now: float) -> None:
        """It was written to while it was read: it is growing still."""
        self._open[entry.path] = Sight(entry, now, now)

    def stays(self, entry: Entry, now: float) -> Stays:
        """How long it has stayed as it is since it was looked at first."""
        sight = self._open.get(entry.path)
        if sight is None or sight.tries == 0:
            return "new"
        passed = now - sight.since
        if passed >= self._give_up:
            return "lasting"
        return "settled" if passed >= SETTLED else "new"

    def waits(self, entry: Entry, now: float) -> Sight:
        """It cannot be used yet: it is looked at again, and at the latest when its patience ends."""
        sight = self._open.setdefault(entry.path, Sight(entry, now, now))
        sight.tries += 1
        most = SLOWEST if sight.listed else max(self._give_up / 4, self._poll)
        sight.due = now + min(self._poll * 2.0 ** min(sight.tries - 1, 20), most)
        end = sight.since + self._give_up
        if now < end:
            sight.due = min(sight.due, end)
        return sight

    def failed(self, entry: Entry, now: float, *, patient: bool) -> bool:
        """It did not decode, or could not be read; True where that has lasted long enough to be said."""
        stays = self.stays(entry, now)
        sight = self.waits(entry, now)
        if stays != "lasting" or sight.listed:
            return False
        sight.listed = True
        if not patient:
            self.done(entry)
        return True
