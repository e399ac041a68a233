"""The errors a user can meet. Each says what is wrong, where, what is allowed and what to do."""

from __future__ import annotations

from collections.abc import Iterable

from clipgrip_line.misspelled import near
from clipgrip_line.sentences import Sentence, shortlist

MOST_NAMED = 60
"""Names that an error lists; of thousands the nearest says more."""


class ClipgripError(Exception):
    """Base of all errors that are the input's fault, not the program's.

    ``LineError("{path} is a file. Give a folder.", path=path)`` is English, and can be said in the reader's language:
    ``words.translated(error.sentence)``. Without values its text is marked, or for Python alone.
    """

    exit_code = 2
    """Of the command that it ends."""
    http_status = 400
    """Of the request that it refuses."""

    def __init__(self, text: str = "", /, **values: object) -> None:
        self.sentence = Sentence(text, **values) if values else text
        super().__init__(self.sentence)


class DataError(ClipgripError, ValueError):
    """Images, class names or labels cannot be used as they are; also what scikit-learn's users catch."""


class BackboneError(ClipgripError):
    """A model cannot be found, read or used."""


class LineError(ClipgripError):
    """A bundle, an image or a setting at the line cannot be used."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``' Did you mean "grip"?'`` or an empty string, to end an error about an unknown name."""
    found = near(name, known)
    return "" if found is None else Sentence(' Did you mean "{name}"?', name=found)


def among(name: str, known: Iterable[str]) -> dict[str, str]:
    """The values ``{known}`` and ``{nearest}`` of an error about an unknown name."""
    known = tuple(known)
    listed = ", ".join(known) if len(known) <= MOST_NAMED else shortlist(known, MOST_NAMED)
    return {"known": listed, "nearest": nearest(name, known)}
