"""How much wrong pseudolabels cost: noise is planted, and each rule of selection and each loss has to live with it."""

from clipgrip.stress.noise import KINDS, noisy_answers
from clipgrip.stress.trial import (
    ALL_ROWS,
    LOSSES_TRIED,
    RATES,
    RULES_TRIED,
    Cell,
    NoiseBench,
    block,
    blocks,
    measure,
)

__all__ = [
    "ALL_ROWS",
    "KINDS",
    "LOSSES_TRIED",
    "RATES",
    "RULES_TRIED",
    "Cell",
    "NoiseBench",
    "block",
    "blocks",
    "measure",
    "noisy_answers",
]
