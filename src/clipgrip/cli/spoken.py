"""The language and form of what is said before the options are read, or where they cannot be."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import pairwise
from typing import cast

from clipgrip.cli.shared import LANG
from clipgrip.words import LANGUAGES, Language, Words


def words_of(arguments: Sequence[str]) -> Words:
    """In the last language that stands after ``--lang``, else that of the environment, else English."""
    named = os.environ.get(LANG, "")
    for word, following in pairwise([*arguments, ""]):
        option, equals, value = word.partition("=")
        if option == "--lang":
            named = value if equals else following
    return Words(cast(Language, named if named in LANGUAGES else "en"))


def wants_json(arguments: Sequence[str]) -> bool:
    """Whether ``--json`` is among them."""
    return "--json" in arguments
