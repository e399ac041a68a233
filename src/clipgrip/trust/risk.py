"""How likely an answer is wrong by how doubtful it is: a logistic line that a few audited answers move."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from clipgrip.trust.scope import Numbers

BEFORE = (-1.0, 0.75)
"""Height and slope that are expected before an answer: flatter than most models, for many are too sure."""
PRIOR_MEAN, PRIOR_SPREAD = np.array([-1.0, 1.5]), np.array([2.0, 1.5])
"""Normal prior of height and slope: so wide that fifty answers decide, and a slope of either sign is possible."""
STEPS, FAR = 50, 2.0


@dataclass(frozen=True)
class RiskCurve:
    """Probability of a wrong answer at a standardised doubt: ``expit(height + slope * doubt)``."""

    height: float
    slope: float

    def __call__(self, doubt: Numbers) -> Numbers:
        """(N,) probabilities."""
        found: Numbers = expit(self.logit(doubt))
        return found

    def logit(self, doubt: Numbers) -> Numbers:
        """(N,) their log odds."""
        return self.height + self.slope * doubt


def expected_risk(doubt: Numbers) -> Numbers:
    """(N,) before any answer."""
    return RiskCurve(*BEFORE)(doubt)


def fitted_risk(doubt: Numbers, wrong: NDArray[np.bool_]) -> RiskCurve:
    """The likeliest line with its prior, by damped Newton steps: the sum is concave, so there is one."""
    columns, values = np.stack([np.ones(len(doubt)), doubt], 1), PRIOR_MEAN.copy()
    precision = PRIOR_SPREAD**-2.0
    for _ in range(STEPS):
        chance = expit(columns @ values)
        slope = columns.T @ (wrong - chance) - (values - PRIOR_MEAN) * precision
        bend = (columns * (chance * (1 - chance))[:, None]).T @ columns + np.diag(precision)
        step = np.linalg.solve(bend, slope)
        values = values + step * min(1.0, FAR / max(float(np.abs(step).max()), 1e-12))
        if np.abs(step).max() < 1e-9:
            break
    return RiskCurve(float(values[0]), float(values[1]))
