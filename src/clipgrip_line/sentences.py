"""A sentence that knows what it was made of, so that it can be said again in the reader's language."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from collections.abc import Mapping, Sequence

NOUNS = (
    "answers|bands|blocks|bytes|cells|characters|classes|columns|deliveries|digits|draws"
    "|embeddings|entries|errors|files|folders|groups|hours|images|labels|letters|lines|messages"
    "|minutes|months|names|numbers|parts|paths|pictures|pixels|points|positions"
    "|processors|pseudolabels|remarks|rounds|rows|scans|seconds|seeds|stations|tables"
    "|terms|texts|times|tokens|trainings|tries|values"
)
"""What sentences count."""
VERBS = {
    "appear": "appears",
    "are": "is",
    "become": "becomes",
    "were": "was",
    "have": "has",
    "do": "does",
    "count": "counts",
    "differ": "differs",
    "lie": "lies",
    "make": "makes",
    "need": "needs",
}
NAMES = ("folder", "klass", "label", "name", "path", "range", "request", "text", "version")
"""Values that a person named; "1" there is no number."""
BETWEEN = (
    "audited|class|daily|dead|different|drawn|folder|further|golden|known|labeled|more"
    "|new|other|prompt|right|test|trustworthy|worst|wrong"
)
"""What may stand between a number and what it counts."""
_COUNTED = re.compile(
    rf"(\{{(\w+)(?:[:!][^{{}}]*)?\}}(?: (?:{BETWEEN})){{0,2}} )"
    rf"({NOUNS})\b(?: ({'|'.join(VERBS)})\b)?"
)
_SOME = re.compile(
    r"(\{(\w+)(?:[:!][^{}]*)?\} of (?:the |these )?(?:\{\w+\} )?(?:\w+ ){0,2}?"
    rf"(?:{NOUNS})(?: of the run| under review| hardly)? )({'|'.join(VERBS)})\b"
)
"""Some of several: the verb alone goes with the number."""
_FORMS = re.compile(r"\{(\w+)\|([^|{}]*)\|([^{}]*)\}")
"""Both forms of what goes with a number, as `both_forms` writes them."""


def mark(text: str) -> str:
    """The text itself; says to the test of the catalogue that it is translated where it is used."""
    return text


class Sentence(str):
    """English text, made of a template and its values; `clipgrip.words.Words.translated` says it in another language.

    A value may be a sentence too. What is cut or combined is plain text again, and stays English.
    """

    __slots__ = ("template", "values")

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, /, **values: object) -> Sentence:
        """``Sentence("{path} is a file.", path=path)``."""
        shown = {name: _shown(value) for name, value in values.items()}
        made = super().__new__(
            cls, _agreeing(template, values).format(**shown) if values else template
        )
        made.template, made.values = template, values
        return made

    def __reduce__(self) -> tuple[object, ...]:
        return _remade, (self.template, dict(self.values))


def _shown(value: object) -> object:
    """Of an error of the system what it says, without its number and the path, which a sentence names itself."""
    return value.strerror if isinstance(value, OSError) and value.strerror else value


def combined(parts: Sequence[str], between: str = "; ") -> Sentence:
    """Several sentences as one; each, and what stands between them, can still be said in another language."""
    values = {f"part{n}": part for n, part in enumerate(parts)}
    template = "{between}".join(f"{{{name}}}" for name in values)
    return Sentence(template, **values, between=Sentence(between))


def shortlist(names: Sequence[str], most: int = 5) -> Sentence:
    """The first ``most`` names, and how many more there are."""
    first, rest = combined(names[:most], ", "), len(names) - most
    return first if rest <= 0 else Sentence("{listed} and {rest} more", listed=first, rest=rest)


def quoted(value: object) -> str:
    """A path or text as one argument on this machine's command line, for commands to copy."""
    text = str(value)
    return subprocess.list2cmdline([text]) if os.name == "nt" else shlex.quote(text)


def _remade(template: str, values: Mapping[str, object]) -> Sentence:
    return Sentence(template, **values)


def _agreeing(template: str, values: Mapping[str, object]) -> str:
    """``{n} image is`` for ``{n} images are`` where ``n`` is 1: English alone has a form for one of a thing.

    Where the rest of a sentence goes with the number too, it has both forms: ``{n|it is|they are}``.
    """
    ones = {
        name
        for name, value in values.items()
        if (value == "1" and name not in NAMES) or (type(value) is int and value == 1)
    }

    def agreed(found: re.Match[str]) -> str:
        return f"{found[1]}{_of_one(found)}" if found[2] in ones else found[0]

    def some(found: re.Match[str]) -> str:
        return f"{found[1]}{VERBS[found[3]]}" if found[2] in ones else found[0]

    template = _FORMS.sub(lambda found: found[2 if found[1] in ones else 3], template)
    return _COUNTED.sub(agreed, _SOME.sub(some, template)) if ones else template


def both_forms(template: str) -> str:
    """``{n} {n|image is|images are}`` for ``{n} images are``: for scripts, which know the numbers."""

    def both(found: re.Match[str]) -> str:
        before, name = found[1], found[2]
        several = found[0][len(before) :]
        return found[0] if name in NAMES else f"{before}{{{name}|{_of_one(found)}|{several}}}"

    return _COUNTED.sub(both, template)


def _of_one(found: re.Match[str]) -> str:
    """Noun and verb of what is counted, for one of it."""
    _, _, noun, verb = found.groups()
    stem = noun[:-2] if noun == "classes" else noun[:-1]
    stem = f"{noun[:-3]}y" if noun.endswith("ies") else stem
    return f"{stem} {VERBS[verb]}" if verb else stem
