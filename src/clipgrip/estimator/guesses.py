"""What speaks against a fit's answers, as a warning: whoever works in Python sees no report."""

from __future__ import annotations

import warnings

from clipgrip.advice.labels import labels_teach
from clipgrip.advice.model import headline, reasons
from clipgrip.backbone.base import Model
from clipgrip.runs.knowledge import knowledge
from clipgrip.runs.labels import label_facts
from clipgrip.runs.prepare import Prepared
from clipgrip.trust.knowledge import knows_nothing
from clipgrip.words import ENGLISH

HELP = "What helps most: another backbone (clipgrip models lists them), or some labels of each class as y."


def warn_of_guesses(ready: Prepared, model: Model) -> None:
    """A UserWarning where the model seems to know nothing of the classes and no labels show otherwise."""
    found = knowledge(ready, model)
    if not knows_nothing(found):
        return
    if labels_teach(label_facts(ready.teacher, ready.embeds, ready.ks)):
        return
    text = " ".join([headline(ENGLISH), *reasons(found, ENGLISH), HELP])
    warnings.warn(text, UserWarning, stacklevel=5)
