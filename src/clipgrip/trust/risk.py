"""How likely an answer is wrong: a logistic line that a few audited answers move.

It rises with doubt and, where the answers say so, with how often the same class is answered: in a pool that has all
classes alike, a class that is answered too often is wrong more often than it is doubtful.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from clipgrip.trust.scope import Numbers, Whole

BEFORE = (-1.0, 0.75)
"""Height and slope that are expected before an answer: flatter than most models, for many are too sure."""
PRIOR_MEAN = np.array([-1.0, 1.5, 0.0, 0.0])
PRIOR_SPREAD = np.array([2.0, 1.5, 0.7, 1.0])
"""Normal prior of height, slope, crowd and second opinion: so wide that fifty answers decide, and either sign is
possible."""
STEPS, FAR = 50, 2.0
CROWDED = 3.0
"""Standard deviations of the sizes of classes beyond which one counts as no larger or smaller."""


@dataclass(frozen=True)
class RiskCurve:
    """Probability of a wrong answer by standardised doubt, crowding and second doubt: expit of their weighted sum."""

    height: float
    slope: float
    crowd: float = 0.0
    second: float = 0.0

    def __call__(self, doubt: Numbers) -> Numbers:
        """(N,) probabilities, in a class of middle size."""
        found: Numbers = expit(self.logit(doubt))
        return found

    def logit(
        self, doubt: Numbers, crowding: Numbers | float = 0.0, second: Numbers | float = 0.0
    ) -> Numbers:
        """(N,) their log odds."""
        return self.height + self.slope * doubt + self.crowd * crowding + self.second * second


def crowding(labels: Whole) -> Numbers:
    """(N,) log of how often each answer is given, in standard deviations of the pool; 0 where all are alike."""
    size = np.log(np.bincount(labels)[labels])
    spread = size.std()
    if spread < 1e-9:
        return np.zeros(len(labels))
    found: Numbers = np.clip((size - size.mean()) / spread, -CROWDED, CROWDED)
    return found


def expected_risk(doubt: Numbers) -> Numbers:
    """(N,) before any answer."""
    return RiskCurve(*BEFORE)(doubt)


def fitted_risk(
    doubt: Numbers,
    wrong: NDArray[np.bool_],
    crowded: Numbers | float = 0.0,
    second: Numbers | float = 0.0,
) -> RiskCurve:
    """The likeliest line with its prior, by damped Newton steps: the sum is concave, so there is one.

    ``crowded``: the `crowding` (n,) of the answers; ``second``: the other's doubt (n,), standardised too. What is not
    given has no weight in the line.
    """
    columns = np.stack(np.broadcast_arrays(1.0, doubt, crowded, second), 1)
    values = PRIOR_MEAN.copy()
    precision = PRIOR_SPREAD**-2.0
    for _ in range(STEPS):
        chance = expit(columns @ values)
        slope = columns.T @ (wrong - chance) - (values - PRIOR_MEAN) * precision
        bend = (columns * (chance * (1 - chance))[:, None]).T @ columns + np.diag(precision)
        step = np.linalg.solve(bend, slope)
        values = values + step * min(1.0, FAR / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return RiskCurve(*values.tolist())
