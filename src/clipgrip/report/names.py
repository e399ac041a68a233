"""Class names that do not seem to fit, with pictures of what their texts point at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clipgrip.advice.doubted import how_to_take, in_short, reason
from clipgrip.report.pictures import Picture, of_pool
from clipgrip.report.reading import Reading
from clipgrip.runs.naming import doubted_names, to_tell
from clipgrip.sentences import quoted
from clipgrip.words import Words

SHOWN = 12
"""Names that are shown in pictures, at most."""
PICTURES = 8


@dataclass(frozen=True)
class DoubtedName:
    """One class: why its text is doubted, what it points at, and what people gave it."""

    name: str
    prompt: str
    fit: float
    why: str
    points_at: list[Picture]
    labeled: list[Picture]


@dataclass(frozen=True)
class NamesSection:
    """All of them, and the images that no other text fits: they may be what the doubted names should mean."""

    short: str
    names: list[DoubtedName]
    nameless: list[Picture]
    command: str
    take: str


def names_section(run: Reading, say: Words) -> NamesSection | None:
    """None where no name is doubted, or the model is in doubt as a whole."""
    found = [] if run.guesses else doubted_names(run.metrics)
    if not found:
        return None
    prompts = dict(zip(run.names, run.data.get("prompts") or run.names, strict=False))
    shown = [
        DoubtedName(
            name=one["name"],
            prompt=prompts.get(one["name"], one["name"]),
            fit=one["fit"],
            why=reason(to_tell(one), say),
            points_at=_pictures(run, one["points_at"]),
            labeled=_labeled(run, one["name"]),
        )
        for one in found[:SHOWN]
    ]
    return NamesSection(
        short=in_short([to_tell(one) for one in found], len(run.names), say),
        names=shown,
        nameless=_pictures(run, run.metrics["names"]["nameless"]),
        command=f"clipgrip names {quoted(run.facts.folder)}",
        take=how_to_take(f"clipgrip review {quoted(run.facts.folder)}", say),
    )


def _pictures(run: Reading, hashes: Sequence[str]) -> list[Picture]:
    rows = [run.facts.row_of[one] for one in hashes if one in run.facts.row_of]
    return [of_pool(run, row) for row in rows[:PICTURES]]


def _labeled(run: Reading, name: str) -> list[Picture]:
    if name not in run.names:
        return []
    rows = (run.facts.labels == run.names.index(name)).nonzero().flatten()
    return [of_pool(run, row) for row in rows[:PICTURES].tolist()]
