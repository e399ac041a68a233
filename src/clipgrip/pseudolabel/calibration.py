"""The temperature that makes confidence honest, from the few answers whose truth is known."""

from __future__ import annotations

import torch

from clipgrip.pseudolabel.select.chosen import at_temperature
from clipgrip.types import Labels, Probs

COLDEST, HOTTEST = 1 / 20, 20.0


def fitted_temperature(probs: Probs, labels: Labels) -> float:
    """The temperature of least negative log-likelihood for (N, C) answers and their truth; 1 without any.

    1 as well where all of them are without doubt: rows that hold their label because it was given say nothing.
    Source: Guo et al., ICML 2017 (arXiv 1706.04599). Labels that a prompt was tuned on make it look surer than it is
    on other images: the temperature is then too low. So rounds fit it on zero-shot's answers, once.
    """
    known = labels >= 0
    if bool((probs[known].max(dim=1).values >= 1).all()):
        return 1.0
    from scipy.optimize import minimize_scalar  # not light, and putting a prompt to work needs none

    probs, labels = probs[known].double(), labels[known]

    def nll(log_temperature: float) -> float:
        answers = at_temperature(probs, float(torch.tensor(log_temperature).exp()))
        right = answers.gather(1, labels[:, None])
        return -right.clamp_min(1e-30).log().mean().item()

    edges = torch.tensor([COLDEST, HOTTEST]).log().tolist()
    found = minimize_scalar(nll, bounds=edges, method="bounded", options={"xatol": 1e-4})
    return float(torch.tensor(found.x).exp())
