"""What a picture shows, and the sentences that are true of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.surfaces import SURFACE_CLASSES
from pretraining.drawing import COLOURS, PATTERNS, SHAPES
from pretraining.words import ADJECTIVES, FILLER, TEMPLATES

NAMES: dict[str, tuple[str, ...]] = {
    "digit": tuple("0123456789"),
    "letter": tuple("abcdefghijklmnopqrstuvwxyz"),
    "shape": SHAPES,
    "colour": tuple(COLOURS),
    "pattern": PATTERNS,
    "surface": SURFACE_CLASSES,
}
KINDS = tuple(NAMES)
STYLES = ("plain", "handwritten", "printed", "brushed", "turned", "hammered", "cast", "ground")
DIGIT_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SPOKEN: dict[tuple[str, str], tuple[str, ...]] = {
    **{("digit", str(value)): (str(value), word) for value, word in enumerate(DIGIT_WORDS)},
    ("surface", "no defect"): ("no defect", "no defect", "good surface", "clean surface"),
}
ANY = -1
FIELDS = ("kind", "name", "style", "colour")
Facts = NDArray[np.int16]
"""One number per field of a scene; in a caption, -1 means "does not say"."""


@dataclass(frozen=True)
class Scene:
    """What can be said about one picture."""

    kind: str
    name: str
    style: str = "plain"
    colour: str = "gray"

    def facts(self) -> Facts:
        """The scene as numbers (4,)."""
        name = NAMES[self.kind].index(self.name)
        colour = tuple(COLOURS).index(self.colour)
        return np.array([KINDS.index(self.kind), name, STYLES.index(self.style), colour], np.int16)


def scene(facts: Facts) -> Scene:
    """The scene behind ``Scene.facts``."""
    kind = KINDS[int(facts[0])]
    return Scene(kind, NAMES[kind][int(facts[1])], STYLES[int(facts[2])], tuple(COLOURS)[facts[3]])


def caption(about: Scene, rng: np.random.Generator) -> tuple[str, Facts]:
    """A random true sentence, and which facts it states."""
    pool = TEMPLATES["any"] if rng.random() < 0.2 else TEMPLATES[about.kind]
    template = pool[int(rng.integers(len(pool)))]
    spoken = SPOKEN.get((about.kind, about.name), (about.name,))
    text = template.format(
        name=spoken[int(rng.integers(len(spoken)))],
        style=about.style,
        colour=about.colour,
        adjective=ADJECTIVES[int(rng.integers(len(ADJECTIVES)))],
    )
    said = [True, *("{" + field in template for field in FIELDS[1:])]
    said[0] = said[1]
    return _filled(text, rng), np.where(said, about.facts(), ANY).astype(np.int16)


def _filled(text: str, rng: np.random.Generator) -> str:
    """Now and then words without meaning before or after, so that the name stands anywhere."""
    draw = rng.random()
    if draw < 0.25:
        text = " ".join([*_words(int(rng.integers(1, 19)), rng), text])
    elif draw < 0.35:
        text = " ".join([text, *_words(int(rng.integers(1, 9)), rng)])
    return text


def _words(count: int, rng: np.random.Generator) -> list[str]:
    return [FILLER[int(i)] for i in rng.integers(len(FILLER), size=count)]


def all_sentences() -> list[str]:
    """Text for the tokenizer: each template with each name, then every filler word."""
    lines = [
        template.format(name=said, style=style, colour=colour, adjective="photo")
        for kind, names in NAMES.items()
        for template in (*TEMPLATES[kind], *TEMPLATES["any"])
        for name in names
        for said in SPOKEN.get((kind, name), (name,))
        for style, colour in zip(STYLES, COLOURS, strict=False)
    ]
    return [*lines, *(f"{word} {word}" for word in FILLER * 40), *(ADJECTIVES * 40)]


def true_of(captions: NDArray[np.int16], scenes: NDArray[np.int16]) -> NDArray[np.bool_]:
    """Which caption (column) is true of which picture (row): all that it says fits."""
    said = captions[None]
    return ((said == ANY) | (said == scenes[:, None])).all(axis=2)
