"""A stored run, opened again without its command: from runs.db, the cache and the images."""

from __future__ import annotations

from pathlib import Path

from clipgrip.errors import PromptError
from clipgrip.runs.checkpoint import NAME, PromptFacts, read, read_eyes, read_head
from clipgrip.runs.events import Listener
from clipgrip.runs.eyes import Beside
from clipgrip.runs.outcome import Outcome, assemble
from clipgrip.runs.prepare import prepare_stored
from clipgrip.runs.store import StoredRun, open_store
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
        prepared = prepare_stored(folder, store, run, listener, beside=_joined_by(folder, run))
        for issue in prepared.issues[:3]:
            listener.note(
                Sentence(
                    "{path}: {detail}; left out of the report", path=issue.path, detail=issue.detail
                )
            )
        written = _written(folder, run, prepared.ready.method.fingerprint())
        return assemble(folder, store, run, prepared, listener, written=written)


def _written(folder: Path, run: StoredRun, method_id: str) -> PromptFacts | None:
    """What the prompt in the run's folder says, whose head counts: made again it would be another's answers.

    Newer code teaches another head from the same labels, and so do fewer images. None where the run was stopped before
    its files were written, or where they are damaged and the same code, ``method_id``, makes them again.
    """
    if not (folder / NAME).is_file():
        return None
    try:
        _, facts = read(folder / NAME)
        read_head(folder, facts)
        read_eyes(folder, facts)
    except PromptError:
        if run.facts.get("method_id") == method_id:
            return None
        raise
    return facts if facts.run == run.id else None


def _joined_by(folder: Path, run: StoredRun) -> Beside | None:
    """How the run joined what its eyes see, which counts as its head does; None where no file says so."""
    try:
        _, facts = read(folder / NAME)
        return read_eyes(folder, facts) if facts.run == run.id else None
    except PromptError:  # of damaged files `_written` says more
        return None
