"""Every command in the order of use: its name, what it is for in a few words, and where it is.

Only what is called is imported, so help, completion and errors of the command line come at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from clipgrip.words import mark


class Leaf(NamedTuple):
    """One command: the words that call it, a line for the list, and ``module:function`` below ``clipgrip.cli``."""

    name: str
    summary: str
    at: str = ""
    """The function and its module are called as the command where this is empty."""
    former: Mapping[str, str] = {}
    """Old names of options, and the names that took their place."""


class Branch(NamedTuple):
    """Commands about one thing."""

    name: str
    summary: str
    entries: tuple[Leaf, ...]
    alone: str = ""
    """The command that is meant where none of its commands is named."""
    once: bool = False
    """Whether the name alone was that command once, so that it is advised against."""


class Panel(NamedTuple):
    """Commands that stand together in the list."""

    title: str
    entries: tuple[Leaf | Branch, ...]


LABELS = Branch(
    "labels",
    mark("Which images to label first; learn from answers"),
    (
        Leaf(
            "suggest",
            mark("Choose the images to label first, as a sheet to fill"),
            former={"--budget": "--count"},
        ),
        Leaf("learn", mark("Learn anew with what people answered in a review")),
    ),
)
AUDIT = Branch(
    "audit",
    mark("Prove how many answers are right, and automate"),
    (
        Leaf(
            "plan",
            mark("Plan a pilot: images to answer, criteria that stay"),
            "pilot:plan",
            former={"--images": "--count"},
        ),
        Leaf(
            "draw",
            mark("Draw random images to answer, as a sheet to fill"),
            "audit:draw",
            former={"--n": "--count"},
        ),
        Leaf(
            "read", mark("Say what the answers of a filled sheet prove so far"), "audit_read:read"
        ),
        Leaf(
            "automate",
            mark("Let the model label at a promised error rate"),
            former={"--per-class": "--by-class"},
        ),
    ),
    alone="draw",
    once=True,
)
WATCH = Branch(
    "watch",
    mark("Watch a model at work; say when its images change"),
    (
        Leaf("look", mark("Label new images, and say whether they changed"), "watch:look"),
        Leaf("status", mark("Say where a line stands: light, alarms"), "watch:show"),
        Leaf("answer", mark("Answer an alarm: who, and what was found"), "watch:answer"),
    ),
    alone="look",
)
MODELS = Branch(
    "models",
    mark("Models that can be used, and how to bring one here"),
    (
        Leaf("list", mark("List the models, and say which are on this machine"), "models:list_"),
        Leaf("add", mark("Check and copy a model that was brought by hand"), "models:add"),
        Leaf("remove", mark("Delete a model that was added"), "models:remove"),
    ),
    alone="list",
)
BENCH = Branch(
    "bench",
    mark("Measure methods on images whose labels are known"),
    (
        Leaf(
            "grid",
            mark("Run the paper's grid: prompts, paradigms, strategies"),
            "bench:grid",
            former={
                "--prompts": "--prompt",
                "--paradigms": "--paradigm",
                "--strategies": "--strategy",
                "--presets": "--preset",
                "--seeds": "--repeats",
            },
        ),
        Leaf(
            "stress",
            mark("Plant wrong pseudolabels and see what stands them"),
            former={"--seeds": "--repeats"},
        ),
    ),
    alone="grid",
    once=True,
)
PANELS = (
    Panel(
        mark("Start"),
        (
            Leaf("init", mark("Write project.toml and classes.csv for a folder")),
            Leaf("demo", mark("See it work on images that come with it, offline")),
        ),
    ),
    Panel(
        mark("Everyday"),
        (
            Leaf("run", mark("Label images, learn from the sure answers, report")),
            Leaf("review", mark("Open the page where people check and correct answers")),
            Leaf("predict", mark("Label new images with what a run learned")),
            Leaf("report", mark("Write a run's report, or one for the board")),
            Leaf("compare", mark("Compare several runs, and join their answers")),
            Leaf("versions", mark("List rounds and bundles: audited, promised")),
            LABELS,
            Leaf(
                "bundle",
                mark("Pack a model into one file for the line"),
                former={"--ok": "--ok-class"},
            ),
        ),
    ),
    Panel(
        mark("Trust"),
        (
            AUDIT,
            WATCH,
            Leaf("names", mark("Say which class names fit, and try other words")),
        ),
    ),
    Panel(
        mark("Models and machine"),
        (
            MODELS,
            Leaf("embed", mark("Write the embeddings of images as a file, which run takes too")),
            Leaf("doctor", mark("Check this machine: versions, memory, models")),
        ),
    ),
    Panel(mark("Developers"), (BENCH,)),
)
FORMER: Mapping[str, tuple[str, str]] = {
    "suggest": ("labels", "suggest"),
    "next": ("labels", "learn"),
    "pilot": ("audit", "plan"),
    "automate": ("audit", "automate"),
    "stress": ("bench", "stress"),
}
"""Old names of commands, hidden, and the group and command that took their place."""


def paths() -> list[tuple[str, ...]]:
    """The words of every command and group, in the order of the list."""
    found: list[tuple[str, ...]] = []
    for panel in PANELS:
        for entry in panel.entries:
            found.append((entry.name,))
            if isinstance(entry, Branch):
                found += [(entry.name, inner.name) for inner in entry.entries]
    return found
