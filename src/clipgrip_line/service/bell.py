"""Alarms and withdrawn promises posted to a URL: each until it has arrived, in order, over restarts too.

One that the receiver refuses for good is a dead letter: kept, counted, and no longer in the way of those behind it.
"""

from __future__ import annotations

import logging
import os
import sqlite3
import threading

from clipgrip_line.clock import now, written
from clipgrip_line.folder.outlet import Refused, Trouble
from clipgrip_line.folder.webhook import Webhook
from clipgrip_line.service.ledger import Ledger

log = logging.getLogger(__name__)
SECRET = "CLIPGRIP_WEBHOOK_SECRET"
FIRST, LONGEST = 1.0, 300.0
"""Seconds between attempts: doubled after each that fails."""
WAITS = "sent IS NULL AND refused IS NULL"


class Bell(threading.Thread):
    """Posts what `notice` holds and has not been sent."""

    def __init__(self, ledger: Ledger, url: str) -> None:
        super().__init__(name="bell", daemon=True)
        self.ledger, self._webhook = ledger, Webhook(url, os.environ.get(SECRET, ""))
        self.failing = ""
        self._unsaved: dict[int, tuple[str, str]] = {}
        """What became of messages, which the disk has refused to keep so far: they are not posted again for it."""
        self._stopping = threading.Event()

    def run(self) -> None:
        """The loop."""
        pause = FIRST
        while not self._stopping.wait(pause):
            try:
                pause = FIRST if self.ring() else min(LONGEST, pause * 2)
            except Exception:
                pause = min(LONGEST, pause * 2)
                log.exception("the webhook could not be seen to")

    def stop(self) -> None:
        """Ends after the present attempt; what has not arrived is posted at the next start."""
        self._stopping.set()

    def ring(self) -> bool:
        """Post what waits, oldest first; whether none of it waits any more."""
        rows = self.ledger.reader.execute(
            f"SELECT number, body FROM notice WHERE {WAITS} ORDER BY number LIMIT 20"
        ).fetchall()
        for number, body in rows:
            if self._stopping.is_set() or not self._posted(number, body):
                return False
        self.failing = ""
        return True

    def _posted(self, number: int, body: str) -> bool:
        """As answers are posted: a redirect, which would lose the body, is no arrival."""
        if number in self._unsaved:
            self._noted(number, *self._unsaved[number])
            return True
        try:
            self._webhook.post(body.encode(), f"notice-{number}")
        except Trouble as error:
            if not self.failing:
                log.warning("the webhook is not reached: %s", error)
            self.failing = error.reason
            return False
        except Refused as error:
            log.warning("the webhook refuses message %d for good: %s", number, error)
            self._noted(number, "refused", str(error))
            return True
        self._noted(number, "sent", written(now()))
        return True

    def _noted(self, number: int, column: str, text: str) -> None:
        self._unsaved[number] = (column, text)
        query = f"UPDATE notice SET {column} = ? WHERE number = ?"
        self.ledger.do(lambda db: db.execute(query, (text, number)))
        del self._unsaved[number]


def revive(ledger: Ledger) -> None:
    """Dead letters wait again."""
    ledger.do(lambda db: db.execute("UPDATE notice SET refused = NULL WHERE sent IS NULL"))


def letters(db: sqlite3.Connection) -> tuple[int, int]:
    """How many messages wait, and how many were refused for good."""
    waiting, dead = db.execute(
        f"SELECT coalesce(sum({WAITS}), 0), coalesce(sum(refused IS NOT NULL), 0) FROM notice"
    ).fetchone()
    return waiting, dead
