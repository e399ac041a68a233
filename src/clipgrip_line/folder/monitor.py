"""The watch inside a watched folder: new contents are bet on, alarms are said, a broken promise falls."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Sequence
from functools import partial
from typing import Any

from clipgrip_line.folder.journal import Journal
from clipgrip_line.folder.notes import Notes
from clipgrip_line.folder.recording import Watchable
from clipgrip_line.folder.samples import is_drawn
from clipgrip_line.monitoring.facts import watch_facts
from clipgrip_line.monitoring.gallery import Gallery
from clipgrip_line.monitoring.seeing import Answering, Seen
from clipgrip_line.monitoring.watching import Watching
from clipgrip_line.sentences import Sentence
from clipgrip_line.trust.reference import Reference
from clipgrip_line.words import Words

FEWEST = 3
"""Newest images that are held for an alarm however large they are: no page shows them."""


class Monitor:
    """Looks after each batch, on the loop's own thread: what falls holds from the next batch on."""

    def __init__(
        self,
        journal: Journal,
        model: Answering,
        reference: Reference | None,
        notes: Notes,
        *,
        alpha: float,
        drawn: float,
        people_at_alarm: bool,
    ) -> None:
        """``drawn``: the share of contents that people may be asked about. NotKept: the disk refused."""
        self._journal, self._model, self._notes, self._drawn = journal, model, notes, drawn
        self.gallery = Gallery(newest=FEWEST)
        self._watching = Watching(journal, alpha, self.gallery, people_at_alarm=people_at_alarm)
        fallen = journal.reader.execute(
            "SELECT scope FROM withdrawal WHERE version = ?", (model.version,)
        ).fetchall()
        with journal.quiet():
            journal.remember(
                f"classes {model.version}", json.dumps(model.classes, ensure_ascii=False)
            )
            self._watching.follow(model, reference)
        self._shown: dict[str, Any] = {
            "alarm": self._alarm(),
            "fallen": {name for (name,) in fallen},
        }
        self._say()  # a promise that people's answers refuted while nothing watched has fallen now

    def decided(self, seen: Sequence[Seen]) -> list[Seen]:
        """Left to people where the promise has fallen, or an alarm asks for it."""
        return [self._watching.decided(one, self._model.version) for one in seen]

    def watchable(self, seen: Sequence[Seen]) -> list[Watchable]:
        """What is kept of each for the watch, and for the question to people."""
        try:
            codes = self._watching.codes(seen)
        except Exception:  # an answer does not wait for the watch
            codes = [None] * len(seen)
        return [
            Watchable(one.label, one.sure, code, self._is_drawn(one))
            for one, code in zip(seen, codes, strict=True)
        ]

    def _is_drawn(self, one: Seen) -> bool:
        answer = one.answer
        return answer.decided == "model" and is_drawn(answer.image_id, self._drawn)

    def look(self) -> str:
        """Bet on what came, hear what people answered, say what is new; why it could not, else an empty text."""
        try:
            with self._journal.quiet():
                self._listen()
                while self._watching.look():
                    pass
            self._say()
        except sqlite3.Error as error:
            return str(error)
        except Exception as error:  # a fault of the watch stops no answer
            return f"{type(error).__name__}: {error}"
        return ""

    def save(self) -> None:
        """Write down how far it is; after a kill it would bet on the last images again, and have the same wealth."""
        with contextlib.suppress(sqlite3.Error), self._journal.quiet():
            self._watching.save()

    def facts(self, say: Words) -> dict[str, Any]:
        """For status.json."""
        return watch_facts(self._watching.status, self._model.classes, say)

    def _listen(self) -> None:
        """What people said to alarms, with ``clipgrip-line alarms``."""
        rows = self._journal.reader.execute(
            "SELECT alarm, verdict, note, by, at FROM reply ORDER BY alarm"
        ).fetchall()
        for alarm, verdict, note, by, at in rows:
            if self._alarm() == alarm:
                self._watching.answer(verdict, note, by)
            response = {"verdict": verdict, "note": note, "by": by, "at": at}
            self._journal.do(partial(_heard, alarm, json.dumps(response)))

    def _alarm(self) -> int | None:
        alarm = self._watching.status.alarm
        return None if alarm is None else alarm.number

    def _fallen(self) -> set[str]:
        return {one.name for one in self._watching.status.promises if one.withdrawn}

    def _say(self) -> None:
        alarm, before = self._alarm(), self._shown["alarm"]
        facts = self.facts(self._notes.say)
        if alarm != before and facts["alarm"] is not None:
            text = Sentence(
                "ALARM: {what}, {since}. {advice}",
                what=facts["alarm"]["what"],
                since=facts["alarm"]["since_when"],
                advice=facts["alarm"]["advice"],
            )
            self._notes.note(text)
        elif alarm is None and before is not None:
            self._notes.note(Sentence("the alarm was answered"))
        for name in sorted(self._fallen() - self._shown["fallen"]):
            self._notes.note(
                Sentence(
                    "PROMISE WITHDRAWN ({name}): people's answers refute it. Its images go to people from now on.",
                    name=name,
                )
            )
        self._shown = {"alarm": alarm, "fallen": self._fallen()}


def _heard(alarm: int, response: str, db: sqlite3.Connection) -> None:
    """An alarm of a version that answers no more has no watch to go by it, and is answered all the same."""
    query = "UPDATE alarm SET response=? WHERE number=? AND response IS NULL"
    db.execute(query, (response, alarm))
    db.execute("DELETE FROM reply WHERE alarm=?", (alarm,))


def reply(journal: Journal, alarm: int, verdict: str, note: str, by: str, at: str) -> None:
    """Leave an answer to an alarm for the watch, which hears it at its next look; NotKept where that cannot be kept."""
    row = (alarm, verdict, note, by, at)
    journal.do(lambda db: db.execute("INSERT OR REPLACE INTO reply VALUES(?,?,?,?,?)", row))
