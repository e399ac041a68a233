"""Classes and images of a place, counted without reading an image."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def counted(source: Path) -> tuple[tuple[str, ...], int]:
    """Class names and number of images of a run, or of a folder with a folder for each class."""
    from clipgrip.data.discover import discover
    from clipgrip.data.layout import class_folders
    from clipgrip.runs.store import NAME, open_store

    if (source / NAME).is_file():
        with open_store(source) as store:
            run = store.run()
            if run is not None:
                manifest = store.manifest(run.id)
                return manifest.classes.display, len(manifest.pool)
    count = sum(_is_image(entry.source) for entry in discover(source).entries)
    return tuple(class_folders(source)), count


def _is_image(source: Any) -> bool:
    from clipgrip.data.images import may_be_image
    from clipgrip.data.sources import FileSource

    return may_be_image(source.path) if isinstance(source, FileSource) else True
