"""Words of visual inspection, Japanese to English: what a model that reads only English can be given."""

from __future__ import annotations

import re
import unicodedata
from functools import cache
from importlib.resources import files

QUALITIES = frozenset(
    {"dark", "bright", "large", "small", "deep", "shallow"}
    | {"long", "short", "thick", "thin", "slight", "severe"}
)
JAPANESE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def is_japanese(text: str) -> bool:
    """Whether it has a kana or a kanji."""
    return JAPANESE.search(unicodedata.normalize("NFKC", text)) is not None


def is_foreign(text: str) -> bool:
    """Whether it has a letter that is not Latin: most models of images and texts read only English."""
    return any(
        c.isalpha() and not unicodedata.name(c, "").startswith(("LATIN", "FULLWIDTH LATIN"))
        for c in unicodedata.normalize("NFC", text)
    )


def proposed(name: str) -> str | None:
    """English words for a Japanese class name; None where the glossary has none.

    A word may stand with others that say how large or severe it is, as in ``深いキズ``; what is left over makes a name
    unknown.
    """
    rest, words = _plain(name), glossary()
    how: list[str] = []
    what: list[str] = []
    while rest:
        known = next((rest[:n] for n in range(len(rest), 0, -1) if rest[:n] in words), None)
        if known is None:
            return None
        (how if words[known] in QUALITIES else what).append(words[known])
        rest = rest[len(known) :]
    if len(what) != 1:
        return None
    article, _, noun = what[0].partition(" ")
    if not how or article not in ("a", "an"):
        return " ".join([*how, *what])
    return " ".join(["a", *how, noun])


@cache
def glossary() -> dict[str, str]:
    """Japanese name -> English words."""
    text = files("clipgrip.data").joinpath("glossary.tsv").read_text("utf-8")
    lines = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {_plain(name): english for names, english in lines for name in names.split("、")}


def _plain(name: str) -> str:
    """Full and half width alike, hiragana as katakana, without spaces and separators."""
    text = re.sub(r"[\s・_\-/（）()]+", "", unicodedata.normalize("NFKC", name)).lower()
    return "".join(chr(ord(c) + 96) if "\u3041" <= c <= "\u3096" else c for c in text)
