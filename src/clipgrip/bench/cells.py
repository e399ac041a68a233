"""Which cells a grid has."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

PARADIGMS = ("UL", "SSL", "TRZSL")
STRATEGIES = ("zero-shot", "supervised", "fpl", "ifpl", "grip")


@dataclass(frozen=True)
class Cell:
    """One training and its measurement; zero-shot has no prompt and no preset."""

    prompt: str
    paradigm: str
    strategy: str
    preset: str
    seed: int


def cells(
    prompts: Sequence[str],
    paradigms: Sequence[str],
    strategies: Sequence[str],
    presets: Sequence[str],
    seeds: int,
) -> list[Cell]:
    """Every combination that means something.

    Zero-shot stands once for all prompts, supervised tuning only where there are labels.
    """
    made: dict[Cell, None] = {}
    for paradigm, strategy, prompt, preset, seed in itertools.product(
        paradigms, strategies, prompts, presets, range(seeds)
    ):
        if strategy == "zero-shot":
            made[Cell("", paradigm, strategy, "", seed)] = None
        elif strategy != "supervised" or paradigm != "UL":
            made[Cell(prompt, paradigm, strategy, preset, seed)] = None
    return list(made)
