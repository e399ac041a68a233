"""Selection: which images become pseudolabels, and of which class. A rule is a function; all have one signature.

Rows come in manifest order, which is the order of content hashes, and ties go to the lower row, so the order of files
cannot change a selection. ``k`` is the most pseudolabels that a class may get; each image is chosen once at most.
"""

from __future__ import annotations

from clipgrip.errors import ConfigError, among
from clipgrip.pseudolabel.select.chosen import Selector
from clipgrip.pseudolabel.select.top import balanced, everything

SELECTORS: dict[str, Selector] = {"balanced": balanced, "everything": everything}
"""By the name in `Method.select`. benchmarks/research adds others, none of which is better (docs/decisions/0012)."""


def selector(name: str) -> Selector:
    """The rule of that name; ConfigError names the known ones."""
    if name not in SELECTORS:
        raise ConfigError(
            'no selection rule "{name}". Known: {known}.{nearest}',
            name=name,
            **among(name, SELECTORS),
        )
    return SELECTORS[name]
