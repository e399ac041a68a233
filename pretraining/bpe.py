"""Byte-pair merges learned from text, with ties broken by spelling so that they never vary."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import pairwise

from transformers import CLIPTokenizer

Merge = tuple[str, str]
END_OF_WORD = "</w>"


def learn(lines: Iterable[str], *, count: int) -> list[Merge]:
    """Up to ``count`` merges, the most frequent pair first, until every word is one token."""
    words = {_symbols(word): times for word, times in sorted(_words(lines).items())}
    merges: list[Merge] = []
    while len(merges) < count and (pairs := _pairs(words)):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        words = {_merged(symbols, best): times for symbols, times in words.items()}
    return merges


def _words(lines: Iterable[str]) -> Counter[str]:
    """Words in the byte letters of CLIP's tokenizer, and how often each occurs."""
    plain = CLIPTokenizer().backend_tokenizer
    found: Counter[str] = Counter()
    for line, times in Counter(lines).items():
        for word, _ in plain.pre_tokenizer.pre_tokenize_str(plain.normalizer.normalize_str(line)):
            found[word] += times
    return found


def _symbols(word: str) -> tuple[str, ...]:
    return (*word[:-1], word[-1] + END_OF_WORD)


def _pairs(words: dict[tuple[str, ...], int]) -> Counter[Merge]:
    pairs: Counter[Merge] = Counter()
    for symbols, times in words.items():
        for pair in pairwise(symbols):
            pairs[pair] += times
    return pairs


def _merged(symbols: tuple[str, ...], pair: Merge) -> tuple[str, ...]:
    return tuple(_joined(symbols, pair))


def _joined(symbols: tuple[str, ...], pair: Merge) -> Iterator[str]:
    at = 0
    while at < len(symbols):
        fits = symbols[at : at + 2] == pair
        yield "".join(pair) if fits else symbols[at]
        at += 2 if fits else 1
