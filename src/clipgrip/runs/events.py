"""What a run tells while it goes on; the command line draws it, Python users may ignore it."""

from __future__ import annotations

from typing import Any

from clipgrip.words import ENGLISH, Words


class Listener:
    """Hears everything and does nothing; override what is of interest."""

    say: Words = ENGLISH
    """In whose language tables say why."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` pieces of a stage: ``hash``, ``embed``, ``pixels``, ``round`` or ``answer``.

        ``embed:NAME`` where the eye of that name is at work beside the model.
        """

    def planned(self, rounds: int) -> None:
        """How many rounds there will be, before the first begins."""

    def note(self, text: str) -> None:
        """A sentence that the user should read."""

    def step(self, text: str) -> None:
        """A sentence about what is done now; the result says again what matters of it."""
        self.note(text)

    def detail(self, text: str) -> None:
        """A sentence about how it is done, for who asks (``-v``)."""

    def round_done(self, facts: dict[str, Any]) -> None:
        """A round is finished and stored; ``facts`` as in metrics.json."""
