"""Classes and images of a place, and those of a sheet that are gone, counted without reading an image."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip.sentences import Sentence, mark

if TYPE_CHECKING:
    from clipgrip.data.rows import Row

GONE = mark(
    "{n} of these images are not where they were ({first}, for example), so nobody can look at them. Bring them back, "
    "or run again on the images that there are."
)


def gone_lines(rows: Iterable[Row]) -> list[str]:
    """What is to be said where images of a sheet have no file any more; nothing where all are there."""
    from clipgrip.data.sources import is_gone

    gone = [row.path for row in rows if is_gone(row.source)]
    return [Sentence(GONE, n=len(gone), first=gone[0])] if gone else []


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
