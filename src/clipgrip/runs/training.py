"""Trainings in work are written into runs.db now and then, so that a killed one goes on in its middle."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from clipgrip.runs.store import RunStore
from clipgrip.training.state import TrainingState

SECONDS = 20.0
"""The most work, apart from the step in work, that a kill may cost."""


@dataclass
class StoredTraining:
    """A keeper of trainings over the run's database."""

    store: RunStore
    run: str
    _since: float = field(default_factory=time.monotonic)

    def recall(self, number: int) -> TrainingState | None:
        """The state of round ``number`` that was kept last."""
        self._since = time.monotonic()
        return self.store.training(self.run, number)

    def offer(self, number: int, state: Callable[[], TrainingState]) -> None:
        """Keep the state when the last one is old."""
        if time.monotonic() - self._since >= SECONDS:
            self.store.keep_training(self.run, number, state())
            self._since = time.monotonic()
