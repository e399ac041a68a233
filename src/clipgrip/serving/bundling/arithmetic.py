"""What stands between embeddings and probabilities, from tensors to the arrays of a bundle."""

from __future__ import annotations

import numpy as np
from torch import Tensor

from clipgrip.fewshot.head import Head
from clipgrip.serving.predictor import Predictor
from clipgrip_line import scoring
from clipgrip_line.scoring import Column, Scoring


def scoring_of(predictor: Predictor) -> Scoring:
    """The same answers in NumPy."""
    facts, joint, beside = predictor.facts, predictor.joint, predictor.beside
    columns = () if beside is None else beside.banks.columns
    embeds = predictor.class_embeds
    made = Scoring(
        _array(embeds if joint is None else joint.class_embeds(embeds)).astype(np.float32),
        facts.logit_scale,
        tuple(Column(_array(one.mean), _array(one.axes), one.length) for one in columns),
    )
    if joint is None:
        return made
    heads = tuple(map(_head, joint.heads))
    return Scoring(made.class_embeds, made.logit_scale, made.columns, joint.text_weight, heads, joins=True)  # fmt: skip


def _head(head: Head) -> scoring.Head:
    return scoring.Head(*map(_array, (head.mean, head.weights, head.offsets, head.classes)))


def _array(values: Tensor) -> np.ndarray:
    return np.ascontiguousarray(values.detach().cpu().numpy())
