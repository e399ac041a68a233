"""Which classes may occur among a run's images, as somebody said: what that means for its answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clipgrip.words import Words, mark


def occurring_sentences(metrics: Mapping[str, Any], say: Words) -> list[str]:
    """How many may, which of them labels added, and how the others are answered; nothing where nobody said so."""
    absent, classes = metrics["data"].get("absent"), metrics["data"]["classes"]
    if not absent:
        return []
    chosen = metrics["settings"]["may_occur"]
    added = [name for name in classes if name not in absent and name not in chosen]
    text = mark(
        "{n} of {classes} classes may occur here, as you said. The images here are taken for no other; of new images "
        "the names alone say whether they are of another."
    )
    more = mark("Labels show that {names} occur too, so they are among them.")
    counts = {"n": say.number(len(classes) - len(absent)), "classes": say.number(len(classes))}
    return [say(text, **counts), *([say(more, names=say.names(added))] if added else [])]
