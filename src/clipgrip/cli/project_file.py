"""The text of project.toml, from the declaration of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clipgrip.cli.closed import choices
from clipgrip.cli.options import more
from clipgrip.config import Project, Settings
from clipgrip.words import ENGLISH, Words, mark

HEAD = (
    mark("A clipgrip project. Start it with: clipgrip run --config project.toml"),
    mark("Paths are relative to this file. What stands behind a # counts only without it."),
)
BETTER = "openai/clip-vit-base-patch32"
FOR_PHOTOGRAPHS = mark("for photographs; see: clipgrip models")
REFINEMENT = mark("numbers of the refinement (clipgrip.Refinement); they make another run")
WIDTH = 30


def project_text(
    given: Mapping[str, Any], notes: Mapping[str, str] | None = None, say: Words = ENGLISH
) -> str:
    """Every setting with its value here, else its default, else an example behind a ``#``; notes above a setting."""
    files = [name for name in Project.model_fields if name not in Settings.model_fields]
    others = [name for name in Settings.model_fields if name != "refinement"]
    head = "".join(f"# {say(line)}\n" for line in HEAD)
    blocks = ("".join(_lines(names, given, notes or {}, say)) for names in (files, others))
    tail = f"{'# [refinement]':<{WIDTH}} # {say(REFINEMENT)}\n# neighbours = 3\n"
    return "\n".join([head, *blocks, tail])


def _lines(
    names: Iterable[str], given: Mapping[str, Any], notes: Mapping[str, str], say: Words
) -> Iterator[str]:
    for name in names:
        field, example = Project.model_fields[name], more(name)["example"]
        if name in notes:
            yield f"# {notes[name]}\n"
        text = f"{name} = {json.dumps(given.get(name, field.default), ensure_ascii=False)}"
        if name not in given and example:
            text = f"# {name} = {example}"
        allowed = choices(field.annotation)
        known = say(" One of {names}.", names=", ".join(allowed)) if allowed else ""
        yield f"{text:<{WIDTH}} # {say(field.description or '')}{known}\n"
        if name == "backbone":
            yield f'# backbone = "{BETTER}"  # {say(FOR_PHOTOGRAPHS)}\n'
