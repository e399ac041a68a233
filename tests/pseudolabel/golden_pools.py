"""Small pools whose answers are written down in golden.json; run as a module, it writes them anew.

python tests/pseudolabel/golden_pools.py     # after an answer was changed on purpose; raise REVISION in method.py too
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import bank_pools
import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.registry import load_backbone
from clipgrip.data.surfaces import DEMO_DOMAIN, SURFACE_CLASSES, render_surface
from clipgrip.method import PRESETS, REVISION, learn, schedule
from clipgrip.prompts.classifier import predict_proba, zero_shot
from clipgrip.pseudolabel.refine import REFINERS, refined, refined_answers
from clipgrip.starts import untuned
from clipgrip.strategy import Reached
from clipgrip.task import ssl, ul

GOLDEN = Path(__file__).with_name("golden.json")
DIGITS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
TEMPLATES = {
    "digits": "a photo of the handwritten digit {}.",
    "surfaces": "a photo of a metal part with {}.",
}


@dataclass(frozen=True)
class GoldenPool:
    """Images (N, D), classes (C, D) and the truth (N,)."""

    images: Tensor
    classes: Tensor
    labels: Tensor
    scale: float = 100.0


@cache
def nano() -> ClipBackbone:
    return load_backbone("nano")


@cache
def pools() -> dict[str, GoldenPool]:
    """Two sets of pictures through the shipped model, and clusters: one class fills the pool, prototypes, absence."""
    dominant = [160, 8, 8, 8, 8]
    even = clusters([20] * 6, noise=1.0)
    shots = torch.stack([(even.labels == c).nonzero()[0, 0] for c in range(6)])
    return {
        "digits": _digits(),
        "surfaces": _surfaces(),
        "dominated": clusters(dominant, noise=0.7),
        "dominated, joined": clusters(dominant, noise=1.4, text_noise=1.3),
        "prototypes": replace(even, classes=even.images[shots]),
        "absent": cones([40, 0, 40, 0, 0, 40, *[0] * 6]),
        "few of absent": cones([3, 0, 3, 0, 0, 3, *[0] * 30, *[3] * 16]),
        "few": cones([6] * 12),
        "fewer": cones([2] * 30, text_noise=0.5),
        "too few": clusters([2] * 8, noise=0.5),
    }


def clusters(
    counts: list[int], *, noise: float, text_noise: float = 0.9, width: int = 32
) -> GoldenPool:
    """Clusters of images, and texts that lie apart in a cone of their own."""
    drawn = torch.Generator().manual_seed(0)
    centres = torch.randn(len(counts), width, generator=drawn)
    common = 4 * torch.randn(width, generator=drawn)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=drawn)]
    spread = noise * torch.randn(len(labels), width, generator=drawn)
    images = F.normalize(common + centres[labels] + spread, dim=1)
    away = 8 * torch.randn(width, generator=drawn)
    wrong = text_noise * torch.randn(len(counts), width, generator=drawn)
    return GoldenPool(images, F.normalize(away + centres + wrong, dim=1), labels)


def cones(counts: list[int], *, text_noise: float = 0.2) -> GoldenPool:
    """Clusters of images and texts near them, each in a cone of its own, so that no class is preferred."""
    drawn = torch.Generator().manual_seed(1)
    centres = torch.randn(len(counts), 32, generator=drawn)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    images = F.pad(centres[labels] + 0.5 * torch.randn(len(labels), 32, generator=drawn), (0, 2))
    texts = F.pad(centres + text_noise * torch.randn(len(counts), 32, generator=drawn), (0, 2))
    images[:, 32], texts[:, 33] = 8.0, 20.0
    return GoldenPool(F.normalize(images, dim=1), F.normalize(texts, dim=1), labels)


def _digits() -> GoldenPool:
    from sklearn.datasets import load_digits

    data = load_digits()
    grey = [Image.fromarray((one * 15.9).astype(np.uint8)) for one in data.images[:240]]
    pictures = [one.resize((64, 64), Image.Resampling.BICUBIC).convert("RGB") for one in grey]
    return _seen("digits", pictures, DIGITS, torch.from_numpy(data.target[:240]).long())


def _surfaces() -> GoldenPool:
    pictures = [
        render_surface(name, DEMO_DOMAIN, np.random.default_rng((position, number)), 64)
        for position, name in enumerate(SURFACE_CLASSES)
        for number in range(20)
    ]
    return _seen("surfaces", pictures, SURFACE_CLASSES, torch.arange(160) // 20)


def _seen(
    name: str, pictures: list[Image.Image], classes: tuple[str, ...], labels: Tensor
) -> GoldenPool:
    model = nano()
    pixels = np.stack([model.preprocess(one) for one in pictures])
    texts = zero_shot(model, classes, TEMPLATES[name])
    return GoldenPool(model.encode_image(pixels).float(), texts, labels, model.logit_scale)


def refinements() -> dict[str, Any]:
    """What each way to refine answers on each pool, and once more from there with some labels and classes ruled out."""
    found: dict[str, Any] = {}
    for name, pool in pools().items():
        for method in REFINERS:
            done = refined(pool.images, pool.classes, logit_scale=pool.scale, method=method)
            found[f"{name}: {method}"] = short(done.probs, done.method, *done.reasons)
        found[f"{name}: again"] = _again(pool)
        found[f"{name}: with labels"] = _with_labels(pool)
    return found


def _again(pool: GoldenPool) -> dict[str, Any]:
    """A round that learned from clusters asks again, with zero-shot's answers beside it."""
    first = predict_proba(pool.images, pool.classes, pool.scale)
    learned = refined(pool.images, pool.classes, logit_scale=pool.scale, method="clusters").probs
    tuned = (learned + first) / 2
    done = refined_answers(
        pool.images,
        tuned,
        labeled=torch.zeros(len(tuned), dtype=torch.bool),
        candidates=torch.ones(tuned.shape[1], dtype=torch.bool),
        zero_shot=first,
    )
    return short(done.probs, done.method, *done.reasons)


def _with_labels(pool: GoldenPool) -> dict[str, Any]:
    """Some images of the first two classes are labeled, and no other image may be of the first."""
    labeled = torch.where((torch.arange(len(pool.labels)) % 3 == 0) & (pool.labels < 2), 1, 0)
    given = torch.where(labeled == 1, pool.labels, -1)
    candidates = torch.arange(len(pool.classes)) > 0
    done = refined(
        pool.images,
        pool.classes,
        logit_scale=pool.scale,
        labeled=given,
        candidates=candidates,
    )
    return short(done.probs, done.method, *done.reasons)


def banked() -> dict[str, Any]:
    """Two banks of one pool: an eye beside CLIP, and what says nothing; without labels, and with some."""
    one = bank_pools.pool(each=40)
    labels = torch.where(torch.arange(len(one.truth)) % 20 == 0, one.truth, -1)
    found: dict[str, Any] = {}
    for bank, beside in (("eye", one.eye), ("noise", bank_pools.noise(len(one.truth)))):
        for kind, given in (("no label", None), ("labels", labels)):
            done = refined(
                [one.clip, beside], one.texts, logit_scale=bank_pools.SCALE, labeled=given
            )
            weights = [round(weight, 3) for weight in done.bank_weights or ()]
            answers = short(done.probs, done.method, *done.reasons)
            found[f"{bank}: {kind}"] = {**answers, "weights": weights}
    return found


def trainings() -> dict[str, Any]:
    """Three short rounds of GRIP from no label and from a few."""
    found: dict[str, Any] = {}
    for name, template in TEMPLATES.items():
        pool, model = pools()[name], nano()
        classes = DIGITS if name == "digits" else SURFACE_CLASSES
        given = torch.where(torch.arange(len(pool.labels)) % 20 == 0, pool.labels, -1)
        tasks = {"unlabeled": ul(len(given), len(classes)), "few labels": ssl(given, len(classes))}
        for kind, task in tasks.items():
            method = PRESETS["default"]["textual"].suited_to(task)
            method = replace(method, recipe=replace(method.recipe, steps=20), stop_below=0.0)
            start = untuned(model, classes, method, template=template, seed=0)
            first = predict_proba(pool.images, pool.classes, pool.scale)
            ks = schedule("grip", task, n_rounds=3)
            begun = Reached(0, first)
            done = list(learn(start, pool.images, task, begun, ks=ks, method=method, seed=0))
            found[f"{name}: {kind}"] = [short(one.probs, one.refined_by, *one.why) for one in done]
    return found


def short(probs: Tensor, method: str, *reasons: str) -> dict[str, Any]:
    """The answer of each image as one letter, the mean answer and confidence, and what was done and why."""
    answers = "".join(chr(ord("A") + int(c)) for c in probs.argmax(1))
    return {
        "method": method,
        "why": [str(one) for one in reasons],
        "answers": answers,
        "shares": [round(float(v), 4) for v in probs.double().mean(0)],
        "confidence": round(float(probs.max(1).values.double().mean()), 4),
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    answers = {"refine": refinements(), "grip": trainings(), "banks": banked()}
    text = json.dumps({"revision": REVISION, **answers}, indent=0)
    GOLDEN.write_text(text + "\n", "utf-8")
