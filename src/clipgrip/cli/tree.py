"""Every command in the order of use: its name, what it is for in a few words, and where it is.

Only what is called is imported, so help, completion and errors of the command line come at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from clipgrip.words import mark


class Entry(NamedTuple):
    """One command: the words that call it, a line for the list, and ``module:function`` below ``clipgrip.cli``."""

    name: str
    summary: str
    at: str
    former: Mapping[str, str] = {}
    """Old names of options, and the names that took their place."""


class Group(NamedTuple):
    """Commands about one thing."""

    name: str
    summary: str
    entries: tuple[Entry, ...]
    alone: str = ""
    """The command that is meant where none of its commands is named."""
    once: bool = False
    """Whether the name alone was that command once, so that it is advised against."""


class Panel(NamedTuple):
    """Commands that stand together in the list."""

    title: str
    entries: tuple[Entry | Group, ...]


LABELS = Group(
    "labels",
    mark("Which images to label first; learn from answers"),
    (
        Entry(
            "suggest",
            mark("Choose the images to label first, as a sheet to fill"),
            "suggest:suggest",
            {"--budget": "--count"},
        ),
        Entry("learn", mark("Learn anew with what people answered in a review"), "learn:learn"),
    ),
)
AUDIT = Group(
    "audit",
    mark("Prove how many answers are right, and automate"),
    (
        Entry(
            "plan",
            mark("Plan a pilot: images to answer, criteria that stay"),
            "pilot:plan",
            {"--images": "--count"},
        ),
        Entry(
            "draw",
            mark("Draw random images to answer, as a sheet to fill"),
            "audit:draw",
            {"--n": "--count"},
        ),
        Entry(
            "read", mark("Say what the answers of a filled sheet prove so far"), "audit_read:read"
        ),
        Entry(
            "automate", mark("Let the model label at a promised error rate"), "automate:automate"
        ),
    ),
    alone="draw",
    once=True,
)
WATCH = Group(
    "watch",
    mark("Watch a model at work; say when its images change"),
    (
        Entry("look", mark("Label new images, and say whether they changed"), "watch:look"),
        Entry("status", mark("Say where a line stands: light, alarms"), "watch:show"),
        Entry("answer", mark("Answer an alarm: who, and what was found"), "watch:answer"),
    ),
    alone="look",
)
MODELS = Group(
    "models",
    mark("Models that can be used, and how to bring one here"),
    (
        Entry("list", mark("List the models, and say which are on this machine"), "models:list_"),
        Entry("add", mark("Check and copy a model that was brought by hand"), "models:add"),
        Entry("remove", mark("Delete a model that was added"), "models:remove"),
    ),
    alone="list",
)
BENCH = Group(
    "bench",
    mark("Measure methods on images whose labels are known"),
    (
        Entry(
            "grid",
            mark("Run the paper's grid: prompts, paradigms, strategies"),
            "bench:grid",
            {
                "--prompts": "--prompt",
                "--paradigms": "--paradigm",
                "--strategies": "--strategy",
                "--presets": "--preset",
                "--seeds": "--repeats",
            },
        ),
        Entry(
            "stress",
            mark("Plant wrong pseudolabels and see what stands them"),
            "stress:stress",
            {"--seeds": "--repeats"},
        ),
    ),
    alone="grid",
    once=True,
)
PANELS = (
    Panel(
        mark("Start"),
        (
            Entry("init", mark("Write project.toml and classes.csv for a folder"), "init:init"),
            Entry("demo", mark("See it work on images that come with it, offline"), "demo:demo"),
        ),
    ),
    Panel(
        mark("Everyday"),
        (
            Entry("run", mark("Label images, learn from the sure answers, report"), "run:run"),
            Entry(
                "review",
                mark("Open the page where people check and correct answers"),
                "review:review",
            ),
            Entry("predict", mark("Label new images with what a run learned"), "predict:predict"),
            Entry("report", mark("Write a run's report, or one for the board"), "report:report"),
            Entry(
                "compare", mark("Compare several runs, and join their answers"), "compare:compare"
            ),
            Entry(
                "versions", mark("List rounds and bundles: audited, promised"), "versions:versions"
            ),
            LABELS,
            Entry("bundle", mark("Pack a model into one file for the line"), "bundle:bundle"),
        ),
    ),
    Panel(
        mark("Trust"),
        (
            AUDIT,
            WATCH,
            Entry("names", mark("Say which class names fit, and try other words"), "names:names"),
        ),
    ),
    Panel(
        mark("Models and machine"),
        (
            MODELS,
            Entry(
                "embed",
                mark("Write the embeddings of images as a file, which run takes too"),
                "embed:embed",
            ),
            Entry("doctor", mark("Check this machine: versions, memory, models"), "doctor:doctor"),
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
            if isinstance(entry, Group):
                found += [(entry.name, inner.name) for inner in entry.entries]
    return found
