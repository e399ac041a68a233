"""How the images of a plan are drawn, as commands to copy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from clipgrip.cli.promise_lines import options_of
from clipgrip.sentences import Sentence, quoted

if TYPE_CHECKING:
    from clipgrip.pilot.plan import Pilot, Plan


def draw_from(source: Path | None) -> str:
    """The command that draws, as far as the run is known."""
    from clipgrip.runs.store import NAME

    is_run = source is not None and (source / NAME).is_file()
    return f"clipgrip audit draw {quoted(source) if is_run else 'RUN'}"


def drawing_lines(wanted: Pilot, worked: Plan, draws: str) -> list[str]:
    """How to draw for the precision alone, and for all of the plan; ``draws`` begins the command."""
    errors = [one.max_error for one in wanted.criteria if one.max_error is not None]
    terms = options_of(errors[0], 0.95, "delivered") if errors else ""
    to_measure = f"{draws} --to-measure --count {worked.to_measure}"
    command = f"{draws} --count {worked.images}{terms}"
    lines: list[str] = [
        Sentence(
            "  the precision alone: about {images} images, drawn by: {command}",
            images=worked.to_measure,
            command=to_measure,
        ),
        Sentence("  draw them by: {command}", command=command),
    ]
    if errors:
        lines.append(
            Sentence(
                "  or plan {images} answers on the page Random audit before the first one: either way the promise is "
                "read there with nothing kept back",
                images=worked.images,
            )
        )
    return lines
