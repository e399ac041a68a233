"""What a file from another tool says: a label for an image, or something that is no answer, with its reason."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clipgrip.errors import ClipgripError, DataError, nearest
from clipgrip.words import Sentence, Words, mark

LONGEST = 500
"""Characters of a name or a reason that are shown of a file."""


@dataclass(frozen=True)
class Claimed:
    """A label that a file claims for an image: by path or, where the file knows it, by content hash."""

    path: str
    label: str
    where: str
    sha256: str = ""
    of_part: bool = False
    """Whether the file says it of a part of the image."""
    of_model: bool = False
    """Whether it was a model's answer that a person was to decide; perhaps nobody has looked yet."""


@dataclass(frozen=True)
class Left:
    """Something in the file that is no answer. ``reason`` is a key of `REASONS`."""

    reason: str
    where: str
    name: str
    """The file name, as far as it is known."""
    what: str = ""
    """The label, the kind, or what is wrong."""
    sha256: str = ""
    known: Sequence[str] = ()
    """Of which one may have been meant."""

    def shown(self, say: Words) -> str:
        """The file name with what is special about it."""
        name, what = short(self.name), short(say.translated(self.what))
        return f"{name}: {what}" if what and name else name or what

    @property
    def problem(self) -> Sentence:
        """A line that says where it stands."""
        what, where = short(self.what), short(self.where)
        if isinstance(what, Sentence) and what.startswith(f"{where}: "):
            return what
        detail = Sentence(REASONS[self.reason].detail, name=short(self.name), what=what)
        hint = nearest(what, self.known)
        return Sentence("{where}: {detail}{hint}", where=where, detail=detail, hint=hint)


def short(text: str) -> str:
    """As it is, or the beginning of what is no name of anything; a sentence that holds such is said in English then."""
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


@dataclass(frozen=True)
class LeftOutReason:
    """Why something is no answer."""

    text: str
    """For the page; the English sentence is the key of the catalogue."""
    detail: str
    harmless: bool = False
    """Nothing that anybody has to look after."""
    spoils: bool = False
    """The image gets no answer from this file, whatever else the file says of it."""


THE_FILE = Sentence("the file")
"""What stands in the place of a file name, of a file that came through the page."""
REASONS = {
    "no-image": LeftOutReason(mark("no such image in this review"), mark('no image "{name}" in this review')),
    "ambiguous": LeftOutReason(
        mark("several images have this name; the file has to give more of the path"),
        mark('several images are called "{name}"; give more of the path'),
    ),
    "elsewhere": LeftOutReason(
        mark("an image of the run that is not under review: a test image, or its file is gone"),
        mark('"{name}" is not under review: it is a test image, or its file is gone'),
    ),
    "class": LeftOutReason(mark("no class of this review"), mark('unknown class "{what}".'), spoils=True),
    "disagree": LeftOutReason(
        mark("people disagree: the file has different labels for one image"),
        mark('"{name}" has two different labels'),
        spoils=True,
    ),
    "ticks": LeftOutReason(
        mark("more than one class is ticked"),
        mark('"{name}" has more than one class ticked ({what})'),
        spoils=True,
    ),
    "questions": LeftOutReason(
        mark("several questions of the file have answers named like classes; export only one"),
        mark('"{name}": the questions {what} all have answers named like classes; export only one of them'),
        spoils=True,
    ),
    "skipped": LeftOutReason(mark("skipped by the person who looked"), mark('"{name}" was skipped')),
    "kind": LeftOutReason(
        mark("another kind of label than one class for the whole image"),
        mark('"{name}": {what} is not read; only one class for the whole image is'),
    ),
    "folder": LeftOutReason(mark("not in a folder of a class"), mark('"{name}" is not in a folder of a class')),
    "folders": LeftOutReason(
        mark("in folders of several classes"), mark('"{name}" is in folders of several classes ({what})')
    ),
    "no-picture": LeftOutReason(mark("no image file"), mark('"{name}" is no image file')),
    "unreadable": LeftOutReason(mark("cannot be read"), mark('"{name}" cannot be read ({what})')),
    "malformed": LeftOutReason(mark("not as this format has it"), "{what}"),
    "other": LeftOutReason(
        mark("an answer to another question, or another field"),
        mark('"{name}": {what} is another question or field'),
        harmless=True,
    ),
    "draft": LeftOutReason(
        mark("begun, but not handed in"), mark('"{name}" has only a draft'), harmless=True
    ),
    "no-label": LeftOutReason(mark("no label in the file"), mark('"{name}" has no label'), harmless=True),
    "model": LeftOutReason(
        mark("decided by the model, not by a person"),
        mark('"{name}" was decided by the model'),
        harmless=True,
    ),
    "litter": LeftOutReason(mark("a file of the system"), mark('"{name}" is a file of the system'), harmless=True),
}  # fmt: skip


def malformed(error: ClipgripError, where: str, name: str = "") -> Left:
    """A row that is not as its format has it, with the sentence of the error."""
    return Left("malformed", where, name, error.sentence)


Read = Claimed | Left
Known = Callable[[str], bool]
"""Whether a text names a class of the review."""
Reader = Callable[[bytes, Known], Iterator[Read]]


def parsed(data: bytes, kind: type, what: str) -> Any:
    """The JSON value of a file. DataError: no JSON, or another kind of value at its top."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise DataError(
            "the file is not JSON ({error}). Give {what}.", error=error, what=what
        ) from None
    if not isinstance(value, kind):
        raise DataError(
            "the file holds no {name} at its top. Give {what}.", name=kind.__name__, what=what
        )
    return value


def part(value: Any, key: str, kind: type, where: str) -> Any:
    """A part that has to be there. DataError: it is missing, or of another kind."""
    found = value.get(key) if isinstance(value, dict) else None
    if not isinstance(found, kind):
        raise DataError('{where}: "{key}" is missing or of another kind.', where=where, key=key)
    return found


def maybe(value: Any, key: str, where: str) -> list[Any]:
    """A list that may be missing. DataError: it is there and no list."""
    if isinstance(value, dict) and value.get(key) is None:
        return []
    return part(value, key, list, where)
