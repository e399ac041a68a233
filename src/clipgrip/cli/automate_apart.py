"""What clipgrip audit automate says of groups that were drawn apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def group_line(scope: dict[str, Any], step: dict[str, Any] | None) -> str:
    """A group that was drawn apart: what is proven, and what its next answers would bring."""
    seen = f"{scope['wrong']} wrong of {scope['audited']} audited"
    if scope["threshold"] is None:
        proven = "nothing proven yet"
    elif step is None:
        return f"  {scope['group']}: proven, all {scope['images']} images, {seen}"
    else:
        proven = f"confidence at least {scope['threshold']:.4f}, {scope['images']} images, {seen}"
    return f"  {scope['group']}: {proven}; {_step(step)}"


def _step(step: dict[str, Any] | None) -> str:
    if step is None:
        return "too few images for a proof, people decide"
    if step["right_answers"] is None:
        return "stop, no number of answers proves more"
    more = f"{step['right_answers']} more right answers in a row would prove {step['images']} images more"
    return more if step["pays"] else f"stop, {more}: too many for what they add"


def go_on_apart(facts: dict[str, Any], run: Path, answers: Path) -> list[str]:
    """How an audit that draws groups apart goes on, or that it stops."""
    if facts["stop"]:
        return ["stop here: more answers take more images from the model than they add"]
    paying = [step for step in facts["further"].values() if step["pays"]]
    draws = sum(step["draws"] for step in paying)
    terms = "".join(
        f" --{name.replace('_', '-')} {facts[name]:g}"
        for name, usual in (("max_error", 0.02), ("confidence", 0.95))
        if facts[name] != usual
    )
    about = "" if facts["about"] == "delivered" else f" --about {facts['about']}"
    return [
        f"{draws} more answers in {len(paying)} groups pay; the images of the others may be left out",
        f"draw on: clipgrip audit draw {run}{terms}{about} --answers {answers} --out NEW.csv",
        "  (it begins with the answers given so far and draws only where they pay)",
    ]
