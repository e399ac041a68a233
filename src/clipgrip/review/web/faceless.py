"""An embedding without a picture: its id and its nearest neighbours, drawn where the picture would stand."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import torch

from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.words import Words, mark

HEAD = mark("No picture. Nearest images:")
NO_LABEL = "–"
LONGEST = 26
"""Characters of an id that are shown; of a longer one the end, which tells ids apart."""
SMALL, LARGE = 4, 12
"""Neighbours on a small and on a large picture."""
LINE = 30


@dataclass(frozen=True)
class Neighbour:
    """An image that is much like another."""

    path: str
    likeness: float
    """Cosine, of all that sees the images."""
    label: str
    """What people or files say it is; empty where nobody has."""


def neighbours(
    snapshot: ReviewSnapshot, row: int, n: int, *, labeled: bool = False
) -> list[Neighbour]:
    """The images that are most like one, or the ``labeled`` among them; no label of the random audit is shown."""
    classifier, states = snapshot.round.classifier, snapshot.states
    embeds = classifier.embeds.float()
    if classifier.beside is not None:
        embeds = torch.cat([embeds, classifier.beside.float()], dim=1)
    likeness = torch.nn.functional.cosine_similarity(embeds, embeds[row : row + 1])
    known = states.labeled & ~states.audit
    names = snapshot.classes.names
    apart = torch.from_numpy(~known) if labeled else torch.zeros(len(embeds), dtype=torch.bool)
    apart[row] = True
    likeness[apart] = -torch.inf
    nearest = likeness.topk(min(n, int((~apart).sum())))
    return [
        Neighbour(
            snapshot.view.rows[other].path,
            value,
            names[int(states.klass[other])] if known[other] else "",
        )
        for value, other in zip(nearest.values.tolist(), nearest.indices.tolist(), strict=True)
    ]


def drawn(snapshot: ReviewSnapshot, row: int, say: Words, *, small: bool) -> str:
    """SVG of the id and of the neighbours with their labels."""
    found = neighbours(snapshot, row, SMALL if small else LARGE, labeled=small)
    lines = [(_shortened(snapshot.view.rows[row].path), "bold"), ("" if small else say(HEAD), "")]
    for one in found:
        what = one.label if small else f"{_shortened(one.path)} · {one.label or NO_LABEL}"
        lines.append((f"{one.likeness:.2f} · {what}", ""))
    shown = [(text, weight) for text, weight in lines if text]
    side, size = (240, 22) if small else (640, 20)
    height = max(side, LINE * len(shown) + LINE)
    texts = "".join(
        f'<text x="16" y="{LINE * (n + 1)}" font-weight="{weight or "normal"}">{escape(text)}</text>'
        for n, (text, weight) in enumerate(shown)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{side}" height="{height}" '
        f'viewBox="0 0 {side} {height}"><rect width="100%" height="100%" fill="#ffffff"/>'
        f'<g font-family="sans-serif" font-size="{size}" fill="#1b1b1b">{texts}</g></svg>'
    )


def _shortened(path: str) -> str:
    return path if len(path) <= LONGEST else f"…{path[1 - LONGEST :]}"
