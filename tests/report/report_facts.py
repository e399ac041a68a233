"""Runs that never were: generated pictures, random answers, metrics made by the product's own functions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageFilter
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.evaluate import pool_summary, test_scores
from clipgrip.report.facts import MeasuredAnswers, RunFacts

SURFACES = ("OK part", "scratch", "dent", "burr", "rust", "stain", "crack", "pore")
FACTORY = ("良品", "キズ", "打痕", "バリ", "サビ", "汚れ", "クラック", "ピンホール")
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(2)>',
    "{{ 7 * 7 }} {n} %s",
    "a\u202eb\x00\ud800",
)

MakeFacts = Callable[..., RunFacts]


@cache
def picture(seed: int, size: int = 160) -> Image.Image:
    """A metal-like surface with a blemish."""
    rng = np.random.default_rng(seed)
    grey = rng.normal(150, 16, (size, 1)) + rng.normal(0, 6, (size, size))
    x, y = np.meshgrid(np.arange(size), np.arange(size))
    cx, cy, r = [*rng.uniform(0.25, 0.75, 2).tolist(), rng.uniform(0.05, 0.2)]
    spot = ((x / size - cx) ** 2 * rng.uniform(0.3, 6) + (y / size - cy) ** 2) < r * r
    tint = np.array([1.0, rng.uniform(0.85, 1), rng.uniform(0.75, 1)])
    pixels = ((grey - 70 * spot)[..., None] * tint).clip(0, 255).astype(np.uint8)
    return Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.7))


def answers(labels: Tensor, classes: int, skill: float, seed: int) -> Tensor:
    """Probabilities (N, C) that are right about as often as ``skill`` makes them."""
    noise = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(labels), classes, generator=noise)
    logits += 0.6 * torch.randn(1, classes, generator=noise)
    strength = skill * (0.4 + torch.rand(classes, generator=noise))
    logits[torch.arange(len(labels)), labels] += strength[labels]
    logits += 0.5 * torch.randn(
        logits.shape, generator=noise.manual_seed(seed + round(1000 * skill))
    )
    return (1.6 * logits).softmax(1)


def build_facts(
    names: Sequence[str] = SURFACES,
    *,
    per_class: int = 40,
    test_per_class: int = 25,
    labeled: int = 0,
    strategy: str = "grip",
    rounds: int = 10,
    skills: tuple[float, float] = (1.7, 3.0),
    missing: bool = False,
    unseen: int = 0,
    folder: str = "runs/2026-11-03-a7f3",
    paths: str = "line 2/cam_{:05d}.jpg",
    seed: int = 0,
    **settings: Any,
) -> RunFacts:
    """A finished run over classes of these names."""
    n_classes = len(names)
    truth = torch.arange(n_classes).repeat(per_class)
    test_truth = torch.arange(n_classes).repeat(test_per_class)
    is_tuned = strategy != "zero-shot"
    zero = answers(truth, n_classes, skills[0], seed)
    tuned = answers(truth, n_classes, skills[1], seed) if is_tuned else zero
    labels = torch.full_like(truth, -1)
    labels[:labeled] = truth[:labeled]
    mask = torch.zeros(n_classes, dtype=torch.bool)
    mask[n_classes - unseen :] = unseen > 0
    zero_test = answers(test_truth, n_classes, skills[0], seed + 1)
    tuned_test = answers(test_truth, n_classes, skills[1], seed + 1) if is_tuned else zero_test

    def open_image(row: int) -> Image.Image:
        if missing and row % 2:
            raise DataError(f"{row}: gone")
        return picture(row)

    test = (
        MeasuredAnswers(
            tuple("test/" + paths.format(i) for i in range(len(test_truth))),
            test_truth,
            zero_test,
            tuned_test,
            lambda place: open_image(100_000 + place),
        )
        if test_per_class
        else None
    )

    def scores(probs: Tensor) -> dict[str, Any] | None:
        return test_scores(probs, test_truth, mask) if test_per_class else None

    ran = []
    numbers = (
        [] if not is_tuned else [1] if strategy in ("supervised", "fpl") else range(1, rounds + 1)
    )
    for number in numbers:
        share = number / len(numbers)
        skill = skills[0] + (skills[1] - skills[0]) * share**0.6
        k = 0 if strategy == "supervised" else max(1, int(per_class * share))
        counts = torch.bincount(
            answers(truth, n_classes, skill, seed).argmax(1), minlength=n_classes
        )
        chosen = counts.clamp_max(k)
        ran.append(
            {
                "number": number,
                "k": k,
                "chosen": int(chosen.sum()),
                "per_class": chosen.tolist(),
                "short_classes": [names[c] for c in range(n_classes) if chosen[c] < k],
                "changed": 0.34 * 0.6 ** (number - 1),
                "pool": pool_summary(answers(truth, n_classes, skill, seed)),
                "test": scores(answers(test_truth, n_classes, skill, seed + 1)),
                "seconds": 1.2 + 0.1 * number,
                "loss": 0.4,
            }
        )
    if ran:
        ran[-1]["test"] = scores(tuned_test)
    pool = labels < 0 if (labels < 0).any() else labels >= 0
    metrics: dict[str, Any] = {
        "clipgrip": "0.1.0",
        "run": folder.rsplit("/", 1)[-1],
        "created": "2026-11-03T14:05:09+09:00",
        "seconds": {"ingest": 3.1, "embed": 41.7, "rounds": 83.0, "total": 128.4},
        "settings": {
            "backbone": "nano",
            "prompt": "textual",
            "strategy": strategy,
            "preset": "default",
            "rounds": rounds,
            "k": None,
            "seed": seed,
            "template": "a photo of a {}.",
            **settings,
        },
        "versions": {"python": "3.11.7", "torch": "2.13.0", "transformers": "5.1.0"},
        "machine": {"system": "Linux", "cpus": 2},
        "data": {
            "fingerprint": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "pool": len(truth),
            "labeled": labeled,
            "unlabeled": len(truth) - labeled,
            "test": len(test_truth),
            "not_used": 3,
            "classes": list(names),
            "prompts": [f"a metal surface with {name}" for name in names],
        },
        "paradigm": "TRZSL" if unseen else "SSL" if labeled else "UL",
        "backbone": {
            "name": "nano",
            "fingerprint": "ab" * 32,
            "logit_scale": 100.0,
            "precision": "float32",
        },
        "zero_shot": {"pool": pool_summary(zero[pool]), "test": scores(zero_test)},
        "rounds": ran,
        "final": {"pool": pool_summary(tuned[pool]), "test": scores(tuned_test)},
    }
    names_of_files = tuple(paths.format(i) for i in range(len(truth)))
    return RunFacts(
        metrics, tuple(names), names_of_files, labels, zero, tuned, open_image, test, folder
    )
