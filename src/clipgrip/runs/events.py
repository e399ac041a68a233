"""What a run reports while it works; the command line shows it, Python users may ignore it."""

from __future__ import annotations

from typing import Any

from clipgrip.words import ENGLISH, Words


class Listener:
    """Ignores all reports; override the methods of interest."""

    say: Words = ENGLISH
    """The language of the reasons in issues.csv."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` pieces of a stage: ``hash``, ``embed``, ``pixels``, ``round`` or ``answer``.

        ``embed:NAME`` is the stage in which the model or eye of that name embeds.
        """

    def planned(self, rounds: int) -> None:
        """Called before the first round with the number of rounds."""

    def note(self, text: str) -> None:
        """A sentence that the user should read."""

    def step(self, text: str) -> None:
        """A sentence about the current step; the result repeats what matters of it."""
        self.note(text)

    def detail(self, text: str) -> None:
        """A sentence about details, for ``-v``."""

    def round_done(self, facts: dict[str, Any]) -> None:
        """A round is finished and stored; ``facts`` as in metrics.json."""
