"""The language and form of what is said before the options are read, or where they cannot be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from clipgrip.words import LANGUAGES, Language, Words
from clipgrip_line.parsing import named_language


def words_of(arguments: Sequence[str]) -> Words:
    """In the last language that stands after ``--lang``, else that of the environment, else English."""
    named = named_language(arguments)
    return Words(cast(Language, named if named in LANGUAGES else "en"))


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` is among them."""
    return "--json" in arguments
