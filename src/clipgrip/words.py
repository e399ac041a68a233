"""Translations of fixed sentences; the English sentence is the key of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import cast

from clipgrip.errors import ConfigError, among
from clipgrip_line import words as line
from clipgrip_line.sentences import Sentence as Sentence
from clipgrip_line.sentences import mark as mark
from clipgrip_line.words import LANGUAGES as LANGUAGES
from clipgrip_line.words import Language as Language


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English sentence -> translation, also for sentences of clipgrip_line. Empty for English."""
    if language not in LANGUAGES:
        raise ConfigError(
            'no screens or reports in "{language}". Known: {known}.{nearest}',
            language=language,
            **among(language, LANGUAGES),
        )
    if language == "en":
        return {}
    text = files("clipgrip").joinpath("locale", f"{language}.json").read_text("utf-8")
    return {**line.catalogue(language), **json.loads(text)}


class Words(line.Words):
    """As `clipgrip_line.words.Words`, with the sentences of this package too."""

    def __init__(self, language: Language) -> None:
        super().__init__(language, catalogue(language))


ENGLISH = Words("en")


def in_every_language(sentence: str) -> dict[str, str]:
    """Language -> sentence, for readers whose language is not known yet."""
    return {one: Words(cast(Language, one)).translated(sentence) for one in LANGUAGES}
