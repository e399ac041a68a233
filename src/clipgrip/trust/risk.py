"""How likely an answer is wrong: a logistic regression on audited answers, with a normal prior.

It rises with doubt and, if the answers show it, with how often the class is answered: in a pool with equally frequent
classes, a class that is answered too often is wrong more often than its confidence says.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from clipgrip.trust.scope import Numbers, Whole

BEFORE = (-1.0, 0.75)
"""Height and slope assumed before any audited answer: flatter than for most models, since some are overconfident."""
PRIOR_MEAN = np.array([-1.0, 1.5, 0.0, 0.0])
PRIOR_SPREAD = np.array([2.0, 1.5, 0.7, 1.0])
"""Normal prior of height, slope, crowding and second opinion: so wide that fifty answers outweigh it and any sign is
possible."""
STEPS, FAR = 50, 2.0
"""Most Newton steps, and the longest step in any coefficient."""
CROWDED = 3.0
"""`crowding` is clipped at so many standard deviations."""


@dataclass(frozen=True)
class RiskCurve:
    """The probability of a wrong answer: expit(height + slope · doubt + crowd · crowding + second · second doubt)."""

    height: float
    slope: float
    crowd: float = 0.0
    second: float = 0.0

    def __call__(self, doubt: Numbers) -> Numbers:
        """(N,) probabilities by doubt alone, the other terms being at their mean of 0."""
        found: Numbers = expit(self.logit(doubt))
        return found

    def logit(
        self, doubt: Numbers, crowding: Numbers | float = 0.0, second: Numbers | float = 0.0
    ) -> Numbers:
        """(N,) log odds of a wrong answer."""
        return self.height + self.slope * doubt + self.crowd * crowding + self.second * second


def crowding(labels: Whole) -> Numbers:
    """(N,) log of how often each image's answer is given, standardised over the pool; 0 if all are equally frequent."""
    size = np.log(np.bincount(labels)[labels])
    spread = size.std()
    if spread < 1e-9:
        return np.zeros(len(labels))
    found: Numbers = np.clip((size - size.mean()) / spread, -CROWDED, CROWDED)
    return found


def expected_risk(doubt: Numbers) -> Numbers:
    """(N,) the risk assumed before any audited answer."""
    return RiskCurve(*BEFORE)(doubt)


def fitted_risk(
    doubt: Numbers,
    wrong: NDArray[np.bool_],
    crowded: Numbers | float = 0.0,
    second: Numbers | float = 0.0,
) -> RiskCurve:
    """The maximum a posteriori curve for audited answers (n,), by damped Newton steps; the posterior is concave.

    ``crowded`` (n,) is their `crowding`, ``second`` (n,) the second opinion's standardised doubt. A term that is not
    given keeps its prior mean of 0.
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
