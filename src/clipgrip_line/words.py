"""Fixed text in the reader's language: the English sentence is the key of the catalogue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from clipgrip_line.causes import cause
from clipgrip_line.errors import LineError, among
from clipgrip_line.sentences import Sentence as Sentence
from clipgrip_line.sentences import mark as mark

Language = Literal["en", "ja"]
LANGUAGES: tuple[str, ...] = get_args(Language)


@cache
def catalogue(language: str) -> Mapping[str, str]:
    """English sentence -> sentence. Empty for English."""
    if language not in LANGUAGES:
        raise LineError(
            'no screens or reports in "{language}". Known: {known}.{nearest}',
            language=language,
            **among(language, LANGUAGES),
        )
    if language == "en":
        return {}
    text = files("clipgrip_line").joinpath("locale", f"{language}.json").read_text("utf-8")
    return dict(json.loads(text))


class Words:
    """``say("{n} images", n=3)`` in one language, and its numbers, lists and dates."""

    def __init__(self, language: Language, texts: Mapping[str, str] | None = None) -> None:
        """``texts`` are a wider catalogue than this package's own."""
        self.language = language
        self._texts = catalogue(language) if texts is None else texts

    def __call__(self, text: str, /, **values: object) -> str:
        """The sentence with its values. KeyError where the catalogue lacks it."""
        if self.language == "en":
            return Sentence(text, **values)
        known = self._texts[text]
        return known.format(**values) if values else known

    def translated(self, text: str) -> str:
        """What was said in English, such as a note or an error; as it is where nobody translated it."""
        if self.language == "en":
            return str(text)
        if not isinstance(text, Sentence):
            return self._texts.get(text, text)
        inner = {name: self._value(value) for name, value in text.values.items()}
        known = self._texts.get(text.template, text.template)
        return known.format(**inner) if inner else known

    def _value(self, value: object) -> object:
        """A sentence within another, or an error, of which its own or one that is known is said."""
        value = cause(value) if isinstance(value, BaseException) else value
        return self.translated(value) if isinstance(value, Sentence) else value

    def number(self, n: float) -> str:
        """With thousands separators."""
        return f"{n:,.0f}"

    def percent(self, share: float | None, digits: int = 1) -> str:
        """A share from 0 to 1; a dash where there is none."""
        return "–" if share is None else f"{100 * share:.{digits}f}%"

    def points(self, change: float | None) -> str:
        """A difference of two shares, with its sign."""
        if change is None:
            return "–"
        return self("{change} points", change=self.signed(change))

    def signed(self, change: float | None) -> str:
        """Percentage points with a typographic sign, no unit."""
        if change is None:
            return "–"
        size = f"{abs(100 * change):.1f}"
        return size if size == "0.0" else ("+" if change > 0 else "−") + size

    def span(self, interval: Sequence[float]) -> str:
        """Both ends of an interval of shares."""
        low, high = interval
        return self("{low} to {high}", low=self.percent(low), high=self.percent(high))

    def names(self, names: Sequence[str], limit: int = 6) -> str:
        """A list to read aloud; what is over ``limit`` is counted."""
        listed = self(", ").join(names[:limit])
        rest = len(names) - limit
        return self("{listed} and {rest} more", listed=listed, rest=rest) if rest > 0 else listed

    def date(self, iso: str) -> str:
        """Day and minute of an ISO time; what cannot be read stays as it is."""
        try:
            when = datetime.fromisoformat(iso)
        except ValueError:
            return iso
        return f"{when:%Y-%m-%d %H:%M}"

    def seconds(self, seconds: Any) -> str:
        """A duration in the unit a person would take."""
        value = float(seconds)
        if value < 60:
            return self("{n} s", n=f"{value:.1f}")
        if value < 3600:
            return self("{n} min", n=f"{value / 60:.1f}")
        return self("{n} h", n=f"{value / 3600:.1f}")
