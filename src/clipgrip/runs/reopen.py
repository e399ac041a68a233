"""A stored run, opened again without its command: from runs.db, the cache and the images."""

from __future__ import annotations

from pathlib import Path

from clipgrip.runs.events import Listener
from clipgrip.runs.outcome import Outcome, assemble
from clipgrip.runs.prepare import prepare_stored
from clipgrip.runs.store import open_store
from clipgrip.sentences import Sentence


def reopen(folder: Path, listener: Listener | None = None) -> Outcome:
    """The newest run in a folder, as far as it is done.

    Raises:
        RunError: the folder holds no run, or one that was stopped before its first round.
        BackboneError: the model is not here, or is another one than the run's.
    """
    listener = listener or Listener()
    with open_store(folder) as store:
        run = store.finished_run(folder)
        prepared = prepare_stored(folder, store, run, listener)
        for issue in prepared.issues[:3]:
            listener.note(
                Sentence(
                    "{path}: {detail}; left out of the report", path=issue.path, detail=issue.detail
                )
            )
        return assemble(folder, store, run, prepared, listener)
