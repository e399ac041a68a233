"""Japanese words of visual inspection in English, as prompt texts for models that read only English."""

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
    """Whether a text contains kana or kanji."""
    return JAPANESE.search(unicodedata.normalize("NFKC", text)) is not None


def is_foreign(text: str) -> bool:
    """Whether a text contains a letter that is not Latin: most models read only English."""
    return any(
        c.isalpha() and not unicodedata.name(c, "").startswith(("LATIN", "FULLWIDTH LATIN"))
        for c in unicodedata.normalize("NFC", text)
    )


def proposed(name: str) -> str | None:
    """English words for a Japanese class name; None where any part of it is not in the glossary.

    The name is one noun, alone or with words for its size or severity, as in ``深いキズ``.
    """
    rest, words = _plain(name), glossary()
    qualities: list[str] = []
    nouns: list[str] = []
    while rest:
        known = next((rest[:n] for n in range(len(rest), 0, -1) if rest[:n] in words), None)
        if known is None:
            return None
        (qualities if words[known] in QUALITIES else nouns).append(words[known])
        rest = rest[len(known) :]
    if len(nouns) != 1:
        return None
    article, _, noun = nouns[0].partition(" ")
    if not qualities or article not in ("a", "an"):
        return " ".join([*qualities, *nouns])
    return " ".join(["a", *qualities, noun])


@cache
def glossary() -> dict[str, str]:
    """Japanese name -> English words."""
    text = files("clipgrip.data").joinpath("glossary.tsv").read_text("utf-8")
    lines = (line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))
    return {_plain(name): english for names, english in lines for name in names.split("、")}


def _plain(name: str) -> str:
    """The form for look-ups: one width, katakana for hiragana, lower case, no spaces or separators."""
    text = re.sub(r"[\s・_\-/（）()]+", "", unicodedata.normalize("NFKC", name)).lower()
    return "".join(chr(ord(c) + 96) if "\u3041" <= c <= "\u3096" else c for c in text)
