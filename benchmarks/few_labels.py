"""A few labels a class, with and without the unlabeled rest: clipgrip against the ordinary supervised methods.

    python -m benchmarks.few_labels [--sets steel trash ...] [--seeds 5] [--shots 1 2 5 10 20 all] [--banks]

All see the same embeddings and the same labels. At most 2,000 images without a label are cut in halves: one is the
pool, the other is judged and no method learns from it; then the halves change places. Label spreading and TransCLIP,
which answer only for the images that they learn from, see both halves at once. ``alone`` is clipgrip without the pool
(strategy ``supervised``), ``pool`` with it, judged on new images; ``in pool`` are its answers for the pool itself.
Baselines: logistic regression with C by cross-validation, nearest class mean, Gaussian discriminants (shrinkage 0.5,
and Wang et al., ICLR 2024), Tip-Adapter without training (Zhang et al., ECCV 2022; beta 5.5, alpha 1, the text where
there is one), scikit-learn's label spreading, and TransCLIP with labels (Zanella et al., NeurIPS 2024).

With ``--banks`` MobileNetV2's embeddings stand beside the model's: all methods see both, the ordinary ones in one
matrix, the second bank centred and of unit length; a text reads the first bank alone.
"""

from __future__ import annotations

import argparse
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.semi_supervised import LabelSpreading

from benchmarks.features import array_of, photographs, unit
from benchmarks.record import machine, record
from clipgrip import GripClassifier
from clipgrip.backbone.registry import load_backbone

Floats = NDArray[np.float32]
Ints = NDArray[np.int64]
SETS = (
    *("steel", "trash", "parts", "digits", "surfaces"),
    *("caltech58", "imagenet100", "dtd", "flowers", "caltech100", "dtd10"),
)
BANKED = ("steel", "trash", "parts", "caltech58", "caltech100", "dtd10")
"""Sets that a second encoder has seen too."""
NEAREST = 10
"""Neighbours of label spreading."""
MOST = 2000
"""Images without a label."""
WORTH = 0.2
"""Of all labels beside all images without one, in TransCLIP; its authors choose it by validation."""


@dataclass(frozen=True)
class Set:
    """Images (N, D), their classes (N,), and class embeddings (C, D) where there are texts."""

    name: str
    images: Floats
    labels: Ints
    texts: Floats | None
    scale: float = 100.0
    width: int = 0
    """Columns of the text's bank where a second one stands beside it; 0: there is one bank."""

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    def banks(self, images: Floats) -> Any:
        """Rows as `GripClassifier` takes them."""
        return [images[:, : self.width], images[:, self.width :]] if self.width else images

    def beside(self, eye: Floats) -> Set:
        """The same with a second bank in the same rows."""
        seen = unit(eye)
        seen = unit(seen - seen.mean(axis=0))
        images = np.concatenate([self.images, seen], axis=1).astype(np.float32)
        if self.texts is None:
            return replace(self, images=images, width=self.images.shape[1])
        none = np.zeros((len(self.texts), seen.shape[1]), np.float32)
        texts = np.concatenate([self.texts, none], axis=1)
        return replace(self, images=images, texts=texts, width=self.images.shape[1])


@dataclass(frozen=True)
class Draw:
    """Rows that are labeled, and two halves of the others: each is the pool once and judged once."""

    labeled: Ints
    halves: tuple[Ints, Ints]


def main() -> None:
    """Measure, print a row as soon as it is there, and write ``results/few_labels.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", nargs="+", choices=SETS)
    parser.add_argument("--banks", action="store_true", help="a second encoder beside the model")
    parser.add_argument("--shots", nargs="+", default=["1", "2", "5", "10", "20", "all"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--name")
    chosen = parser.parse_args()
    chosen.sets = chosen.sets or list(BANKED if chosen.banks else SETS)
    chosen.name = chosen.name or ("few_labels_banks" if chosen.banks else "few_labels")
    if chosen.banks and (alone := [name for name in chosen.sets if name not in BANKED]):
        raise SystemExit(
            f"no second bank of {', '.join(alone)}. There is one of: {', '.join(BANKED)}"
        )
    warnings.simplefilter("ignore", ConvergenceWarning)
    rows: list[dict[str, Any]] = []
    print(machine())
    for name in chosen.sets:
        data = with_second_bank(name) if chosen.banks else loaded(name)
        for shots in chosen.shots:
            row = measured(data, shots, chosen.seeds)
            if row is None:
                continue
            rows.append(row)
            print(_line(row), flush=True)
            record(chosen.name, {"seeds": chosen.seeds, "rows": rows})
    print(_summary(rows))


def with_second_bank(name: str) -> Set:
    """One of ``BANKED``, with the second encoder's columns beside the first's."""
    from benchmarks.banks import with_eye  # which imports this module

    data, eye = with_eye(name)
    return data.beside(eye)


def loaded(name: str) -> Set:
    """One of ``SETS``; SystemExit where its files are absent."""
    if name in ("steel", "trash", "parts"):
        return Set(name, *photographs(name))
    if name in ("digits", "surfaces"):
        return _demo(name)
    if name == "imagenet100":
        every = loaded("imagenet1000")
        some = np.random.default_rng(0).permutation(1000)[:100]
        place = {int(c): n for n, c in enumerate(some)}
        rows = np.flatnonzero(np.isin(every.labels, some))
        labels = np.array([place[int(c)] for c in every.labels[rows]])
        assert every.texts is not None
        return Set(name, every.images[rows], labels, every.texts[some])
    if name in ("caltech58", "imagenet1000"):
        read = array_of(name)
        return Set(
            name,
            unit(read("image_embeds")),
            read("labels").astype(np.int64),
            unit(read("class_embeds")),
        )
    if name in ("dtd", "flowers"):
        read = array_of(name)
        images, labels = (
            np.concatenate([read(f"{part}_{what}") for part in ("pool", "test")])
            for what in ("embeds", "labels")
        )
        return Set(name, unit(images), labels.astype(np.int64), None)
    read = array_of({"caltech100": "two-encoders-caltech101", "dtd10": "two-encoders-dtd10"}[name])
    return Set(name, unit(read("clip_embeds")), read("labels").astype(np.int64), None)


def _demo(name: str) -> Set:
    from benchmarks.sets import load
    from clipgrip.prompts.classifier import zero_shot

    backbone = load_backbone("nano")
    with tempfile.TemporaryDirectory() as folder:
        demo = load(name, Path(folder), backbone)
    texts = zero_shot(backbone, demo.classes.prompts, demo.template).numpy()
    images = np.concatenate([demo.pool.numpy(), demo.test.numpy()])
    labels = np.concatenate([demo.pool_truth.numpy(), demo.test_truth.numpy()])
    return Set(name, images, labels, texts, backbone.logit_scale)


def drawn(labels: Ints, shots: str, seed: int) -> Draw | None:
    """``shots`` labels a class, or 70 % where it says all; None where a class has too few images."""
    draw = np.random.default_rng(seed)
    given: list[Ints] = []
    for c in np.unique(labels):
        rows = draw.permutation(np.flatnonzero(labels == c))
        wanted = int(0.7 * len(rows)) if shots == "all" else int(shots)
        if shots != "all" and len(rows) < wanted + 3:
            return None
        given.append(rows[:wanted])
    labeled = np.sort(np.concatenate(given))
    rest = draw.permutation(np.setdiff1d(np.arange(len(labels)), labeled))[:MOST]
    return Draw(labeled, (rest[: len(rest) // 2], rest[len(rest) // 2 :]))


def measured(data: Set, shots: str, seeds: int) -> dict[str, Any] | None:
    """Mean and deviation over the seeds, in per cent; None where the set is too small, or too large for ``all``."""
    if shots == "all" and len(data.labels) > 2000:
        return None
    found: dict[str, list[float]] = {}
    for seed in range(seeds):
        draw = drawn(data.labels, shots, seed)
        if draw is None:
            return None
        for method, right in _one(data, draw, seed).items():
            found.setdefault(method, []).append(100 * right)
    cells = {
        method: [
            round(float(np.mean(v)), 2),
            round(float(np.std(v, ddof=1)) if seeds > 1 else 0, 2),
        ]
        for method, v in found.items()
    }
    return {"set": data.name, "shots": shots, "classes": data.n_classes, "accuracy": cells}


def _one(data: Set, draw: Draw, seed: int) -> dict[str, float]:
    """Share right on the judged images, method by method."""
    images, labels = data.images[draw.labeled], data.labels[draw.labeled]
    rest = np.concatenate(draw.halves)
    new, truth = data.images[rest], data.labels[rest]
    answers = {name: answer(images, labels, new, data) for name, answer in SUPERVISED.items()}
    answers["label spreading"] = _spread(images, labels, new)
    answers["TransCLIP"] = transclip(images, labels, new, data)
    if data.texts is not None:
        answers["text"] = (new @ data.texts.T).argmax(1)
    alone = ours(data, seed, "supervised").fit(data.banks(images), labels)
    answers["alone"] = alone.predict(data.banks(new))
    found = {name: float((said == truth).mean()) for name, said in answers.items()}
    right: dict[str, list[Any]] = {"pool": [], "in pool": []}
    for pool, judged in (draw.halves, draw.halves[::-1]):
        every = np.concatenate([images, data.images[pool]])
        given = np.concatenate([labels, np.full(len(pool), -1)])
        model = ours(data, seed, "grip").fit(data.banks(every), given)
        for what, rows in (("pool", judged), ("in pool", pool)):
            found_in = model.predict(data.banks(data.images[rows]))
            right[what].extend(found_in == data.labels[rows])
    return {**found, **{name: float(np.mean(hits)) for name, hits in right.items()}}


def ours(data: Set, seed: int, strategy: str) -> GripClassifier:
    names = [f"class {n:04d}" for n in range(data.n_classes)]
    return GripClassifier(
        names,
        backbone="embeddings",
        class_embeds=data.texts[:, : data.width or None] if data.texts is not None else None,
        logit_scale=data.scale,
        strategy=strategy,
        candidates="all",
        seed=seed,
    )


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


def _nearest(images: Floats, labels: Ints, new: Floats, data: Set) -> Ints:
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


def _spread(images: Floats, labels: Ints, new: Floats) -> Ints:
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
    "nearest mean": _nearest,
    "discriminant": _discriminant(_half),
    "published": _discriminant(_published),
    "Tip-Adapter": _tip_adapter,
}


def _best(row: dict[str, Any]) -> float:
    return float(max(row["accuracy"][name][0] for name in SUPERVISED))


def _line(row: dict[str, Any]) -> str:
    cells = "  ".join(f"{name} {mean:.1f}" for name, (mean, _) in row["accuracy"].items())
    gap = {what: row["accuracy"][what][0] - _best(row) for what in ("alone", "pool")}
    return (
        f"{row['set']:<12}{row['shots']:>4}  {cells}  | against the best supervised: "
        f"alone {gap['alone']:+.1f}, with the pool {gap['pool']:+.1f}"
    )


def _summary(rows: list[dict[str, Any]]) -> str:
    lines = []
    for what in ("alone", "pool"):
        gaps = [row["accuracy"][what][0] - _best(row) for row in rows]
        lines.append(
            f"{what}: {np.mean(gaps):+.2f} on the mean of {len(gaps)} rows, worst {min(gaps):+.1f}, "
            f"{sum(gap < -1 for gap in gaps)} rows more than 1 point below"
        )
    gaps = [row["accuracy"]["in pool"][0] - _best(row) for row in rows]
    lines.append(f"in pool: {np.mean(gaps):+.2f}, worst {min(gaps):+.1f}")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
