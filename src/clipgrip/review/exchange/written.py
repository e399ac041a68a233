"""What an export holds, and what it does not."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import IO, Any

from clipgrip.data.images import UndecodableImage
from clipgrip.data.reading import read_row
from clipgrip.data.sources import has_picture
from clipgrip.review.exchange.content import ExportContent, ExportLine
from clipgrip.words import ENGLISH, Words, mark

NAMED = 5
"""File names that stand beside a reason."""
GONE = mark("the image file is gone")
FACELESS = mark("an embedding has no image file")
OTHER = mark("the image file is another one by now")
PACKED = mark("the image lies in a Parquet or tar file and is no file of its own")
UNREADABLE = mark("the image file cannot be read")
HIDDEN = mark("FiftyOne does not see files whose names begin with a dot")
UNTYPED = mark("FiftyOne takes no file whose name has no ending of an image")
ODD = mark("the name of the file is no text that JSON can hold")
TWINS = mark("FiftyOne cannot tell images apart whose names differ only in the ending; rename one")
UNREAD = mark(
    "FiftyOne reads nothing of a data set that holds files whose names have no ending of an image: {names}. Other "
    "readers take them."
)
UNPACKED = mark(
    "These images lie in Parquet or tar files: {names}. Readers of COCO look for files of these names, so unpack them "
    "first, or export class folders."
)
RENAMED = mark(
    "These classes cannot have a folder of their name on every system and for every reader: {names}. folders.csv in "
    "the ZIP says which is which, and clipgrip takes such folders for their classes."
)


@dataclass
class Written:
    """What an export holds, and what it does not."""

    images: int
    """All images of the review."""
    labels: int = 0
    """Labels in the file."""
    left: list[tuple[str, str]] = field(default_factory=list)
    """(path, reason) of each image that belongs into it and is not there."""
    renamed: list[str] = field(default_factory=list)
    """Classes whose folder has another name, with that name."""
    untyped: list[str] = field(default_factory=list)
    """Paths in the file that keep FiftyOne from reading it."""
    packed: list[str] = field(default_factory=list)
    """Paths in the file of images that are no files of their own."""

    def summary(self, say: Words) -> dict[str, Any]:
        """What the page says of it: counts, and what was left out with the first names."""
        reasons = dict.fromkeys(why for _, why in self.left)
        by_reason = {why: [path for path, one in self.left if one == why] for why in reasons}
        return {
            "images": self.images,
            "labels": self.labels,
            "note": self._note(say),
            "table": [
                {"text": say(why), "n": len(paths), "first": paths[:NAMED]}
                for why, paths in by_reason.items()
            ],
        }

    def _note(self, say: Words) -> str:
        if self.renamed:
            return say(RENAMED, names=say.names(self.renamed))
        if self.packed:
            return say(UNPACKED, names=say.names(self.packed[:NAMED]))
        return say(UNREAD, names=say.names(self.untyped[:NAMED])) if self.untyped else ""


@dataclass(frozen=True)
class Options:
    """What a reader may choose. ``prefix``: Label Studio's path to the folder of the images, None for small pictures
    inside the file. ``say``: in whose language a file says what it lacks."""

    prefix: str | None = None
    say: Words = ENGLISH


def not_there(line: ExportLine) -> str:
    """Why an image has no file; empty where it has."""
    if line.gone:
        return GONE
    return "" if has_picture(line.row.source) else FACELESS


def bytes_of(line: ExportLine) -> tuple[bytes, str]:
    """The content of an image, or why there is none: what lies there now may be another picture."""
    if why := not_there(line):
        return b"", why
    try:
        return read_row(line.row), ""
    except UndecodableImage as error:
        return b"", OTHER if error.reason == "changed" else UNREADABLE


Writer = Callable[[ExportContent, IO[bytes], Options], Written]


def as_json(value: Any) -> bytes:
    """Readable JSON; what cannot be encoded is shown escaped."""
    return json.dumps(value, ensure_ascii=False, indent=1).encode("utf-8", "backslashreplace")


def left_out(written: Written) -> list[dict[str, str]]:
    """For the file itself."""
    return [{"path": path, "why": why} for path, why in written.left]
