"""From a file to its bytes, their hash and the pixels for the model, or why not."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip_line.causes import cause
from clipgrip_line.errors import ClipgripError
from clipgrip_line.files import open_file, openable, system_words
from clipgrip_line.folder.scan import Entry
from clipgrip_line.folder.sightings import Stays
from clipgrip_line.pictures.whole import is_whole, lacks_only_more
from clipgrip_line.sentences import Sentence

if TYPE_CHECKING:
    from clipgrip_line.monitoring.seeing import Answering, Seen

MOST_BYTES = 1 << 30
"""A larger file is no picture of a part."""
WRITTEN = Sentence("it is being written")


@dataclass(frozen=True)
class Loaded:
    """A file that was read; ``pixels`` is None where its content was answered before."""

    entry: Entry
    image: str
    data: bytes = field(repr=False)
    pixels: Any = field(repr=False)


@dataclass(frozen=True)
class Failed:
    """A file that could not be used now."""

    entry: Entry
    reason: str
    unreadable: bool = False
    """The system did not let us read it, which says nothing of the content."""
    changed: bool = False
    """It was written to meanwhile."""
    cut: bool = False
    """Its end is missing, though the rest may be enough for a decoder."""


def load(
    folder: Path, entry: Entry, stays: Stays, *, model: Answering, knows: Callable[[str], bool]
) -> Loaded | Failed:
    """Read, hash and decode one file that has stopped growing."""
    if entry.size == 0:
        return Failed(entry, Sentence("an empty file"))
    if entry.size > MOST_BYTES:
        return Failed(entry, Sentence("larger than {most} MiB", most=MOST_BYTES >> 20))
    path = os.path.join(folder, entry.path)
    try:
        with open_file(path) as file:
            data = file.read(entry.size + 1)
        now = os.stat(openable(path))
    except OSError as error:
        return Failed(entry, system_words(error), unreadable=True)
    if (len(data), now.st_size, now.st_mtime_ns) != (entry.size, entry.size, entry.mtime):
        return Failed(entry, WRITTEN, changed=True)
    image = hashlib.sha256(data).hexdigest()
    if knows(image):
        return Loaded(entry, image, data, None)
    try:
        if _may_go_on(data, stays):
            return Failed(entry, WRITTEN, cut=True)
        return Loaded(entry, image, data, model.pixels(data))
    except ClipgripError as error:
        return Failed(entry, error.sentence)
    except MemoryError:
        return Failed(entry, Sentence("decoding it takes more memory than there is"))


def _may_go_on(data: bytes, stays: Stays) -> bool:
    """Whether more of it is to be waited for."""
    if stays == "lasting" or is_whole(data):
        return False
    return stays == "new" or not lacks_only_more(data)


def seen(model: Answering, images: Sequence[Loaded]) -> list[Seen | str]:
    """One batch as the model sees it; where it fails, one by one, and the reason for those at which it fails."""
    from clipgrip_line.monitoring.seeing import see

    if not images:
        return []
    try:
        return list(see(model, [one.pixels for one in images]))
    except Exception as error:  # an engine raises what it likes; the line goes on
        if len(images) == 1:
            return [Sentence("the model failed at it: {reason}", reason=cause(str(error)[:500]))]
    return [result for one in images for result in seen(model, [one])]
