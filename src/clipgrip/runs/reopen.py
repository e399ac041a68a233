"""A stored run, opened again without its command: from runs.db, the cache and the images."""

from __future__ import annotations

from pathlib import Path

import torch

from clipgrip.backbone.optional_cache import cache_of
from clipgrip.data.task import Task
from clipgrip.errors import BackboneError, RunError
from clipgrip.runs.embedding import embed_manifest, model_of
from clipgrip.runs.events import Listener
from clipgrip.runs.outcome import Outcome, assemble, settings_of
from clipgrip.runs.store import open_store


def reopen(folder: Path, listener: Listener | None = None) -> Outcome:
    """The newest run in a folder, as far as it is done.

    Raises:
        RunError: the folder holds no run, or one that was stopped before its first round.
        BackboneError: the model is not here, or is another one than the run's.
    """
    hear = listener or Listener()
    with open_store(folder) as store:
        run = store.run()
        if run is None or run.finished is None:
            raise RunError(
                f"the run in {folder} is not finished. Run the same clipgrip run command again to finish it."
            )
        settings, manifest = settings_of(run), store.manifest(run.id)
        backbone = model_of(settings)
        if backbone.fingerprint != run.backbone_fingerprint:
            raise BackboneError(
                f'the run in {folder} was made with another model than "{settings.backbone}" as it is here now. '
                "Bring back the same model, or run anew."
            )
        embedded = embed_manifest(
            backbone,
            manifest,
            cache=cache_of(backbone),
            on_progress=lambda done, total: hear.progress("embed", done, total),
        )
        for issue in embedded.issues[:3]:
            hear.note(f"{issue.path}: {issue.detail}; left out of the report")
        seen = set(run.facts["data"]["seen"])
        candidates = torch.tensor([name not in seen for name in manifest.classes.display])
        task = Task(embedded.embeds.pool_labels, candidates)
        return assemble(
            folder, store, run, backbone, embedded.manifest, embedded.embeds, task, hear
        )
