"""What a person reads of a line at work: a line when something changes, and now and then how far it is."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from clipgrip_line.sentences import Sentence, mark
from clipgrip_line.words import Words

CHANNELS = {
    "folder": mark("folder"),
    "journal": mark("journal"),
    "answers": mark("CSV"),
    "issues": mark("issues"),
    "alarms": mark("alarms"),
    "watch": mark("watch"),
    "json": mark("JSON"),
    "beside": mark("JSON beside pictures"),
    "samples": mark("kept pictures"),
    "sorted": mark("sorted pictures"),
    "webhook": mark("webhook"),
    "mqtt": mark("MQTT"),
}
"""What is said of a channel."""
REASONS = (
    mark("database or disk is full"),
    mark("disk I/O error"),
    mark("database is locked"),
    mark("attempt to write a readonly database"),
    mark("Connection refused"),
    mark("Connection reset by peer"),
    mark("Network is unreachable"),
    mark("No route to host"),
    mark("Host is down"),
    mark("Stale file handle"),
    mark("Transport endpoint is not connected"),
    mark("Name or service not known"),
    mark("Temporary failure in name resolution"),
)
"""How systems say what lines meet most; anything else stays in the system's words."""


def to_stdout(line: str) -> None:
    """With the time in front; whoever has closed the output does not stop the line."""
    try:
        print(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {line}", flush=True)
    except (OSError, ValueError):
        sys.stdout = open("/dev/null" if sys.platform != "win32" else "nul", "w")  # noqa: SIM115


class Notes:
    """Sentences in one language; safe to use from several threads."""

    def __init__(self, say: Words, write: Callable[[str], None] = to_stdout) -> None:
        self.say, self._write = say, write
        self._lock = threading.Lock()

    def note(self, sentence: str) -> None:
        """One line."""
        with self._lock:
            self._write(self.say.translated(sentence))

    def changed(self, channel: str, reason: str) -> None:
        """Something does not work now, or works again."""
        say = self.say
        name = say(CHANNELS[channel])
        if reason:
            why = say.translated(reason)
            self.note(say("{name}: {why}. What waits is kept and tried again.", name=name, why=why))
        else:
            self.note(say("{name}: works again.", name=name))

    def begun(self, folder: Path, out: Path, version: str) -> None:
        """That it runs, and how to end it."""
        self.note(
            Sentence(
                "watching {folder} with version {version}; answers go to {out}. Stop with Ctrl-C: nothing is lost.",
                folder=folder,
                version=version,
                out=out,
            )
        )
