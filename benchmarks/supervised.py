"""Ordinary ways to learn from a few labels on embeddings: what clipgrip is measured against."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.semi_supervised import LabelSpreading

from benchmarks.features import unit
from benchmarks.labeled_sets import Floats, Ints, Set

NEAREST = 10
"""Neighbours of label spreading."""
WORTH = 0.2
"""Of all labels beside all images without one, in TransCLIP; its authors choose it by validation."""


def logistic(images: Floats, labels: Ints, new: Floats, _: Set) -> Ints:
    """C by cross-validation; where a class has one label nothing can be held out, and C is 10."""
    few = int(np.bincount(labels)[np.unique(labels)].min())
    plain = LogisticRegression(C=10.0, max_iter=300, tol=1e-3)
    if few < 2:
        return np.asarray(plain.fit(images, labels).predict(new))
    folds = StratifiedKFold(min(3, few), shuffle=True, random_state=0)
    grid = {"C": [0.1, 1.0, 10.0, 100.0, 1000.0]}
    return np.asarray(GridSearchCV(plain, grid, cv=folds).fit(images, labels).predict(new))


def _means(images: Floats, labels: Ints, n_classes: int) -> Floats:
    return np.stack([images[labels == c].mean(0) for c in range(n_classes)])


def nearest_mean(images: Floats, labels: Ints, new: Floats, data: Set) -> Ints:
    return np.asarray((new @ unit(_means(images, labels, data.n_classes)).T).argmax(1))


def _discriminant(shrunk: Callable[[Floats, int], Floats]) -> Any:
    def answer(images: Floats, labels: Ints, new: Floats, data: Set) -> Ints:
        means = _means(images, labels, data.n_classes)
        gaps = images - means[labels]
        inverse = shrunk(gaps, data.n_classes)
        weights = inverse @ means.T
        return np.asarray((new @ weights - 0.5 * (means.T * weights).sum(0)).argmax(1))

    return answer


def _half(gaps: Floats, n_classes: int) -> Floats:
    width = gaps.shape[1]
    if len(gaps) <= n_classes:
        return np.eye(width, dtype=np.float32)
    within = gaps.T @ gaps / (len(gaps) - n_classes)
    return np.linalg.inv(0.5 * within + 0.5 * np.trace(within) / width * np.eye(width))


def _published(gaps: Floats, n_classes: int) -> Floats:
    width, rows = gaps.shape[1], len(gaps)
    if rows <= n_classes:
        return np.eye(width, dtype=np.float32)
    within = gaps.T @ gaps / (rows - 1)
    return np.asarray(width * np.linalg.inv((rows - 1) * within + np.trace(within) * np.eye(width)))


def _tip_adapter(images: Floats, labels: Ints, new: Floats, data: Set) -> Ints:
    cache = np.exp(-5.5 * (1 - new @ images.T)) @ np.eye(data.n_classes, dtype=np.float32)[labels]
    text = 0 if data.texts is None else data.scale * new @ data.texts.T
    return np.asarray((text + cache).argmax(1))


def spread(images: Floats, labels: Ints, new: Floats, _: Set) -> Ints:
    every = np.concatenate([images, new])
    given = np.concatenate([labels, np.full(len(new), -1)])
    model = LabelSpreading(kernel="knn", n_neighbors=NEAREST, alpha=0.2, max_iter=100)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        answers = model.fit(every, given).transduction_
    return np.asarray(answers[-len(new) :])


def transclip(images: Floats, labels: Ints, new: Floats, data: Set) -> Ints:
    """Gaussians with one diagonal covariance, three neighbours, and the text's answers to the power of 0.5.

    Where there is no text, or it names less than half of the labels rightly, class means answer in its place.
    """
    texts = data.texts
    if texts is None or ((images @ texts.T).argmax(1) == labels).mean() < 0.5:
        texts = unit(_means(images, labels, data.n_classes))
    first = softmax(100 * new @ texts.T, axis=1)
    alike = new @ new.T
    np.fill_diagonal(alike, -1)
    near = np.argsort(-alike, 1)[:, :3]
    weight = np.take_along_axis(alike, near, 1).clip(0)[:, :, None]
    given = np.eye(data.n_classes, dtype=np.float32)[labels]
    share, answers = WORTH * len(new) / len(images), first
    for step in range(10):
        mass = answers.sum(0) + share * given.sum(0) + 1e-9
        means = (answers.T @ new + share * given.T @ images) / mass[:, None]
        total = (answers.sum(1) @ new**2 + share * (images**2).sum(0)) / mass.sum()
        within = (total - (mass[:, None] * means**2).sum(0) / mass.sum()).clip(1e-6)
        spread = within if step else np.full(new.shape[1], 1 / new.shape[1])
        for _ in range(5):
            gaps = (means**2 / spread).sum(1) - 2 * new @ (means / spread).T
            votes = (weight * answers[near]).sum(1)
            answers = softmax(0.5 * np.log(first + 1e-9) - 0.5 * gaps + votes, axis=1)
    return np.asarray(answers.argmax(1))


SUPERVISED: dict[str, Callable[[Floats, Ints, Floats, Set], Ints]] = {
    "logistic": logistic,
    "nearest mean": nearest_mean,
    "discriminant": _discriminant(_half),
    "published": _discriminant(_published),
    "Tip-Adapter": _tip_adapter,
}
