"""Alarms and withdrawn promises posted to a URL: each until it has arrived, in order, over restarts too."""

from __future__ import annotations

import logging
import os
import threading

from clipgrip_line.clock import now, written
from clipgrip_line.folder.outlet import Refused, Trouble
from clipgrip_line.folder.webhook import Webhook
from clipgrip_line.service.ledger import Ledger

log = logging.getLogger(__name__)
SECRET = "CLIPGRIP_WEBHOOK_SECRET"
FIRST, LONGEST = 1.0, 300.0
"""Seconds between attempts: doubled after each that fails."""


class Bell(threading.Thread):
    """Posts what `notice` holds and has not been sent."""

    def __init__(self, ledger: Ledger, url: str) -> None:
        super().__init__(name="bell", daemon=True)
        self.ledger, self._webhook = ledger, Webhook(url, os.environ.get(SECRET, ""))
        self.failing = ""
        self._stopping = threading.Event()

    def run(self) -> None:
        """The loop."""
        pause = FIRST
        while not self._stopping.wait(pause):
            try:
                pause = FIRST if self.ring() else min(LONGEST, pause * 2)
            except Exception:
                log.exception("the webhook could not be seen to")

    def stop(self) -> None:
        """Ends after the present attempt; what has not arrived is posted at the next start."""
        self._stopping.set()

    def ring(self) -> bool:
        """Post what waits, oldest first; whether all of it has arrived."""
        rows = self.ledger.reader.execute(
            "SELECT number, body FROM notice WHERE sent IS NULL ORDER BY number LIMIT 20"
        ).fetchall()
        for number, body in rows:
            if self._stopping.is_set() or not self._posted(number, body):
                return False
            self._sent(number)
        self.failing = ""
        return True

    def _sent(self, number: int) -> None:
        query = "UPDATE notice SET sent = ? WHERE number = ?"
        self.ledger.do(lambda db: db.execute(query, (written(now()), number)))

    def _posted(self, number: int, body: str) -> bool:
        """As answers are posted: a redirect, which would lose the body, is no arrival."""
        try:
            self._webhook.post(body.encode(), f"notice-{number}")
        except (Trouble, Refused) as error:
            if not self.failing:
                log.warning("the webhook is not reached: %s", error)
            self.failing = str(error)
            return False
        return True
