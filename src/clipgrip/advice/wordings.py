"""Other words for a class: from the glossary of inspection, from its name, and plain variants; other templates."""

from __future__ import annotations

import re
from collections.abc import Iterable

from clipgrip.data.classes import canonical, prompt_text
from clipgrip.data.glossary import glossary, is_japanese, proposed
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, Template, as_templates

TEMPLATES = (
    DEFAULT_TEMPLATE,
    "{}.",
    "a close-up photo of a {}.",
    "a photo of a surface with {}.",
    "an inspection photo of {}.",
)
"""Templates worth a try for things and their surfaces."""
VARIANTS = ("{} on the surface", "a surface with {}", "a close-up of {}")
"""For a bare word: what already says where it is seen, or is a code, gains nothing."""
DENIES = ("without", "no ", "free of")
MOST = 6
"""Wordings proposed for a class."""
SMALL = frozenset(
    ("a", "an", "the", "of", "on", "in", "with", "and", "or", "from", "part", "surface")
)


def wordings(name: str, prompt: str, others: Iterable[str] = ()) -> tuple[str, ...]:
    """Texts that could stand for the class instead of ``prompt``, the likeliest first.

    The glossary's English for a Japanese name or prompt; its entries that share a word with them, but none with
    ``others``, the prompts of the other classes: "steel" in each of them speaks of no defect; the name itself; the
    prompt with the surface or part that it is seen on.
    """
    foreign = [text for text in (name, prompt) if is_japanese(text)]
    found = [english for text in foreign if (english := proposed(text))]
    own = {*_words(name), *_words(prompt), *(w for text in found for w in _words(text))}
    found += _related(own - {word for text in others for word in _words(text)})
    if not is_japanese(name):
        found.append(prompt_text(name))
    plain = [text for text in (*found, prompt) if not is_japanese(text)][::-1]
    bare = next((text for text in plain if _is_bare(text) and text != prompt), prompt)
    if _is_bare(bare):
        found += [variant.format(bare) for variant in VARIANTS]
    distinct = dict.fromkeys(canonical(text) for text in found)
    return tuple(text for text in distinct if text.casefold() != prompt.casefold())[:MOST]


def templates_beside(template: Template) -> tuple[str, ...]:
    """Templates other than those that are used already."""
    used = as_templates(template)
    return tuple(one for one in TEMPLATES if one not in used)


def _is_bare(text: str) -> bool:
    """Whether it is a word or two, and neither a code nor in a script that the glossary reads."""
    digits = any(char.isdigit() for char in text)
    return 0 < len(text.split()) <= 3 and not digits and not is_japanese(text)


def _related(words: set[str]) -> list[str]:
    """Entries of the glossary with the same words, those with the most in common first; none that deny them."""
    shared = {
        text: len(words & set(_words(text)))
        for text in dict.fromkeys(glossary().values())
        if not any(word in text for word in DENIES)
    }
    return sorted((text for text in shared if shared[text]), key=lambda text: -shared[text])[:4]


def _words(text: str) -> list[str]:
    """Its English words that mean something, in one form for scratch, scratches and scratched."""
    found = re.findall(r"[a-z]{3,}", text.lower())
    return [re.sub(r"(es|ed|s)$", "", word) for word in found if word not in SMALL]
