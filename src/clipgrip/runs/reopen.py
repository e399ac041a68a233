"""Opens a stored run from its folder alone: runs.db, the embedding cache and the images."""

from __future__ import annotations

from pathlib import Path

from clipgrip.errors import PromptError
from clipgrip.runs.checkpoint import NAME, PromptFacts, read, read_eyes, read_head
from clipgrip.runs.events import Listener
from clipgrip.runs.eyes import JoinedEyes
from clipgrip.runs.outcome import Outcome, assemble
from clipgrip.runs.prepare import prepare_stored
from clipgrip.runs.store import StoredRun, open_store
from clipgrip.sentences import Sentence


def reopen(folder: Path, listener: Listener | None = None) -> Outcome:
    """The newest run in a folder.

    Raises:
        RunError: the folder holds no finished run.
        BackboneError: the model is not here, or is another one than the run's.
    """
    listener = listener or Listener()
    with open_store(folder) as store:
        run = store.finished_run(folder)
        prepared = prepare_stored(folder, store, run, listener, beside=_stored_eyes(folder, run))
        for issue in prepared.issues[:3]:
            listener.note(
                Sentence(
                    "{path}: {detail}; left out of the report", path=issue.path, detail=issue.detail
                )
            )
        written = _stored_prompt_facts(folder, run, prepared.ready.method.fingerprint())
        return assemble(folder, store, run, prepared, listener, written=written)


def _stored_prompt_facts(folder: Path, run: StoredRun, method_id: str) -> PromptFacts | None:
    """The facts of the prompt file in the run's folder, so that the head beside it is used and not computed again.

    Newer code, or fewer images, could give another head and so other answers. None where there are no files of this
    run, or where they are damaged and the current method, ``method_id``, is still that of the run.
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


def _stored_eyes(folder: Path, run: StoredRun) -> JoinedEyes | None:
    """How the run joined the embeddings of its eyes, from its files; None where they do not say it."""
    try:
        _, facts = read(folder / NAME)
        return read_eyes(folder, facts) if facts.run == run.id else None
    except PromptError:  # `_stored_prompt_facts` refuses damaged files
        return None
