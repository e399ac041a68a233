"""The text of project.toml, from the declaration of the settings."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from clipgrip.cli.closed import choices
from clipgrip.cli.options import more
from clipgrip.config import Project, Settings

HEAD = """\
# A clipgrip project. Start it with:  clipgrip run --config project.toml
# Paths are relative to this file. What stands behind a # counts only without it.
"""
RECOMMENDED = (
    '# backbone = "openai/clip-vit-base-patch32"  # for photographs; see: clipgrip models\n'
)
TAIL = """\
# [refinement]                # numbers of the refinement (clipgrip.Refinement); they make another run
# neighbours = 3
"""
WIDTH = 30


def project_text(given: Mapping[str, Any], notes: Mapping[str, str] | None = None) -> str:
    """Every setting with its value here, else its default, else an example behind a ``#``; notes above a setting."""
    files = [name for name in Project.model_fields if name not in Settings.model_fields]
    others = [name for name in Settings.model_fields if name != "refinement"]
    blocks = (_lines(files, given, notes or {}), _lines(others, given, notes or {}))
    return "\n".join([HEAD, *("".join(block) for block in blocks), TAIL])


def _lines(
    names: Iterable[str], given: Mapping[str, Any], notes: Mapping[str, str]
) -> Iterator[str]:
    for name in names:
        field, example = Project.model_fields[name], more(name)["example"]
        if name in notes:
            yield f"# {notes[name]}\n"
        text = f"{name} = {_toml(given.get(name, field.default))}"
        if name not in given and example:
            text = f"# {name} = {example}"
        allowed = choices(field.annotation)
        known = f" One of {', '.join(allowed)}." if allowed else ""
        yield f"{text:<{WIDTH}} # {field.description}{known}\n"
        if name == "backbone":
            yield RECOMMENDED


def _toml(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
