"""Selection: which images become pseudolabels, and of which class. A rule is a function; all have one signature.

Rows come in manifest order, which is the order of content hashes, and ties go to the lower row, so the order of files
cannot change a selection. ``k`` is the most pseudolabels that a class may get; each image is chosen once at most.
"""

from __future__ import annotations

from clipgrip.errors import ConfigError, among
from clipgrip.pseudolabel.select.agreement import models, neighbours, rounds
from clipgrip.pseudolabel.select.chosen import Selector
from clipgrip.pseudolabel.select.top import (
    balanced,
    candidate_sets,
    class_threshold,
    everything,
    margin,
    own_best_class,
    threshold,
)

SELECTORS: dict[str, Selector] = {
    "own-best-class": own_best_class,
    "balanced": balanced,
    "margin": margin,
    "threshold": threshold,
    "class-threshold": class_threshold,
    "neighbours": neighbours,
    "models": models,
    "rounds": rounds,
    "candidate-sets": candidate_sets,
    "everything": everything,
}


def selector(name: str) -> Selector:
    """The rule of that name; ConfigError names the known ones."""
    if name not in SELECTORS:
        raise ConfigError(
            'no selection rule "{name}". Known: {known}.{nearest}',
            name=name,
            **among(name, SELECTORS),
        )
    return SELECTORS[name]
