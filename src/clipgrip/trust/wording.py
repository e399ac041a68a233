"""Whether a model can read the words of a class: codes mean nothing, and an unknown script is tokenized as bytes."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence

Tokenize = Callable[[Sequence[str]], list[list[int]]]

WORD = re.compile(r"[^\W_]+")
VOWEL = re.compile(r"[aeiouy]", re.IGNORECASE)
LONG_NUMBER = 4
"""Digits from which a number is a code and not a quantity, as 7 is."""
PIECES = {True: 1.25, False: 0.8}
"""Tokens per character from which a text is tokenized as bytes: of scripts whose characters are words or syllables
(True), and of alphabets (False)."""


def is_code(text: str) -> bool:
    """Whether the text is only part numbers or the like, as ``2T7094VA79A05``, ``M-1023`` or ``80417`` are.

    Not if any word can be pronounced, nor if it is only a small number, such as ``7``.
    """
    words = WORD.findall(text)
    digits = sum(char.isdigit() for char in text)
    if not words or digits < 2 or any(_is_spoken(word) for word in words):
        return False
    mixed = any(char.isalpha() for char in text)
    return digits >= LONG_NUMBER or (mixed and sum(map(len, words)) >= LONG_NUMBER)


def unread(texts: Sequence[str], tokenize: Tokenize) -> tuple[str, ...]:
    """The texts in a script that the model's tokenizer splits into bytes, or does not know at all."""
    foreign = [text for text in dict.fromkeys(texts) if _letters(text)]
    if not foreign:
        return ()
    ids = tokenize(["a", *foreign])
    apart = len(ids[0])  # start, end, and one token that a word costs at least
    seen: dict[tuple[int, ...], int] = {}
    for one in ids[1:]:
        seen[tuple(one)] = seen.get(tuple(one), 0) + 1
    pairs = zip(foreign, ids[1:], strict=True)
    return tuple(
        text for text, one in pairs if seen[tuple(one)] > 1 or _in_bytes(text, len(one) - apart)
    )


def _is_spoken(word: str) -> bool:
    if any(ord(char) > 0x7F and char.isalpha() for char in word):
        return True
    return len(word) >= 3 and word.isalpha() and VOWEL.search(word) is not None


def _letters(text: str) -> str:
    """The letters of a text that are not Latin."""
    return "".join(
        c for c in text if c.isalpha() and not _name(c).startswith(("LATIN", "FULLWIDTH"))
    )


def _name(char: str) -> str:
    return unicodedata.name(char, "")


def _in_bytes(text: str, tokens: int) -> bool:
    letters = _letters(text)
    wide = _name(letters[0]).startswith(("CJK", "HIRAGANA", "KATAKANA", "HANGUL"))
    rest = len(WORD.findall(re.sub(r"[^\x00-\x7f]+", " ", text)))
    return (tokens - rest) >= PIECES[wide] * len(letters)
