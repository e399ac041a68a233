"""From probabilities to pseudolabels: tensors in, tensors out.

``refine`` improves the probabilities, ``select`` chooses images, ``schedule`` says how many per class in each round,
``quality`` measures the pseudolabels without the truth, and ``stop`` watches whether rounds go astray.
"""

from clipgrip.pseudolabel.pseudolabels import PseudoLabels
from clipgrip.pseudolabel.quality import (
    changed_share,
    class_coverage,
    per_class_counts,
)
from clipgrip.pseudolabel.refine import REFINERS, refine, refined
from clipgrip.pseudolabel.refine.answers import Refined
from clipgrip.pseudolabel.refine.settings import Numerics, Refinement
from clipgrip.pseudolabel.schedule import SCHEDULES, fpl, grip, ifpl
from clipgrip.pseudolabel.select import SELECTORS, selector
from clipgrip.pseudolabel.select.chosen import Chosen
from clipgrip.pseudolabel.select.top import balanced

__all__ = [
    "REFINERS",
    "SCHEDULES",
    "SELECTORS",
    "Chosen",
    "Numerics",
    "PseudoLabels",
    "Refined",
    "Refinement",
    "balanced",
    "changed_share",
    "class_coverage",
    "fpl",
    "grip",
    "ifpl",
    "per_class_counts",
    "refine",
    "refined",
    "selector",
]
