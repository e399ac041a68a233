"""Temperature scaling of answers whose truth is known for a few."""

from __future__ import annotations

import torch

from clipgrip.pseudolabel.select.chosen import at_temperature
from clipgrip.types import Labels, Probs

COLDEST, HOTTEST = 1 / 20, 20.0


def fitted_temperature(probs: Probs, labels: Labels) -> float:
    """The temperature of least negative log-likelihood for answers (N, C) and labels (N,), -1 for none.

    1 without labels, and where all labeled rows are one-hot: those hold the label itself, not an answer.

    Not to be fitted on labels that a prompt was tuned on: it is more confident on them than on other images, and the
    temperature would be too low. So rounds fit it once, on zero-shot's answers.
    Source: Guo et al., ICML 2017 (arXiv 1706.04599).
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
