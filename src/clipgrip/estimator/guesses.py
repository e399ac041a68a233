"""A warning if a fit's answers must be taken for guesses, as in Python nobody sees a report."""

from __future__ import annotations

import warnings

from clipgrip.advice.labels import labels_teach
from clipgrip.advice.model import headline, reasons
from clipgrip.backbone.base import Model
from clipgrip.runs.knowledge import knowledge
from clipgrip.runs.labels import label_facts
from clipgrip.runs.prepare import Prepared
from clipgrip.trust.knowledge import knows_nothing, untested
from clipgrip.words import ENGLISH

HELP = "What helps most: another backbone (clipgrip models lists them), or some labels of each class as y."


def warn_of_guesses(ready: Prepared, model: Model) -> None:
    """A UserWarning where the model seems to know nothing of the classes and no labels show otherwise."""
    found = knowledge(ready, model)
    if not knows_nothing(found):
        return
    labels = label_facts(ready.teacher, ready.embeds, ready.ks)
    if labels_teach(labels):
        return
    if labels:
        found = untested(found, labels["held_out"])
    text = " ".join([headline(ENGLISH, found), *reasons(found, ENGLISH), HELP])
    warnings.warn(text, UserWarning, stacklevel=5)
