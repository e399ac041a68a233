"""What a setting takes, in words, for the errors that refuse a value."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from clipgrip.errors import nearest
from clipgrip.sentences import Sentence, mark


def shown(value: Any, most: int = 80) -> str:
    """A value as a person writes it in a setting, cut where it is long."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):  # a date of TOML
        text = str(value)
    return text if len(text) <= most else f"{text[:most]}..."


def number_kind(kind: Any, least: float | None = None, most: float | None = None) -> Sentence:
    """``a whole number from 1 to 1000``: what a setting that is a number takes."""
    name = Sentence("a whole number") if kind is int else Sentence("a number")
    if least is not None and most is not None:
        return Sentence("{name} from {least} to {most}", name=name, least=least, most=most)
    if least is not None:
        return Sentence("{name} of at least {least}", name=name, least=least)
    return name if most is None else Sentence("{name} of at most {most}", name=name, most=most)


def bounds(metadata: Sequence[Any]) -> tuple[Any, Any]:
    """The least and the most that a setting's declaration names, None where it names none."""
    named = [{n: getattr(one, n) for n in ("ge", "le") if hasattr(one, n)} for one in metadata]
    found = {name: value for one in named for name, value in one.items()}
    return found.get("ge"), found.get("le")


def refusal(name: str, value: Any, annotation: Any, metadata: Sequence[Any]) -> Sentence:
    """``rounds = 0 is not allowed. Give a whole number from 1 to 1000.``, and the nearest of several words."""
    kinds = [one for one in get_args(annotation) if one is not NoneType]
    kind = kinds[0] if kinds and get_origin(annotation) is not dict else annotation
    hint = ""
    if words := [one for one in kinds if isinstance(one, str)]:
        wanted = Sentence("one of {words}", words=", ".join(words))
        hint = nearest(str(value), words)
    elif kind in (int, float):
        wanted = number_kind(kind, *bounds(metadata))
    elif kind is bool:
        wanted = Sentence("true or false")
    elif get_origin(kind) is dict:
        text = mark("a table: [{name}] on a line of its own, and below it names and numbers")
        wanted = Sentence(text, name=name)
    elif kind is Path:
        wanted = Sentence("the name of a file or folder in quotes")
    else:
        wanted = Sentence("a text in quotes")
    text = mark("{name} = {value} is not allowed. Give {wanted}.{hint}")
    return Sentence(text, name=name, value=shown(value), wanted=wanted, hint=hint)
