"""Batches of pictures and captions, each a function of the seed and the step alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional
from transformers import CLIPTokenizer

from pretraining import captions
from pretraining.corpus import FAMILIES, Pictures

MEAN, STD = 0.5, 0.5


@dataclass(frozen=True)
class Batch:
    """Pixels (B, 3, H, W), padded token ids (T, L) and which caption is true of which picture."""

    pixels: Tensor
    tokens: Tensor
    true: Tensor


def draw(
    corpus: Mapping[str, Pictures], words: CLIPTokenizer, *, size: int, seed: int, step: int
) -> Batch:
    """The batch of one step: families by their shares, captions for half of the pictures."""
    rng = np.random.default_rng([seed, 7, step])
    pixels, facts = _pictures(corpus, size, rng)
    texts, said = _captions(facts[rng.permutation(size)[: size // 2]], rng)
    true = captions.true_of(said, facts)
    return Batch(augment(pixels, rng), tokenize(words, texts), torch.from_numpy(true))


def _pictures(
    corpus: Mapping[str, Pictures], size: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.int16]]:
    names = list(corpus)
    shares = np.array([FAMILIES[name].share for name in names])
    counts = rng.multinomial(size, shares / shares.sum())
    pixels, facts = [], []
    for name, count in zip(names, counts, strict=True):
        rows = np.sort(rng.integers(len(corpus[name].facts), size=count))
        pixels.append(corpus[name].pixels[rows])
        facts.append(corpus[name].facts[rows])
    return np.concatenate(pixels), np.concatenate(facts)


def _captions(
    facts: NDArray[np.int16], rng: np.random.Generator
) -> tuple[list[str], NDArray[np.int16]]:
    """Sentences without repetition, and what each says (T, 4)."""
    told = dict(captions.caption(captions.scene(row), rng) for row in facts)
    return list(told), np.stack(list(told.values()))


def tokenize(words: CLIPTokenizer, texts: list[str]) -> Tensor:
    """Token ids (T, L), padded with the end token."""
    ids: Tensor = words(texts, padding=True, truncation=True, return_tensors="pt")["input_ids"]
    return ids


def normalize(pixels: NDArray[np.uint8]) -> Tensor:
    """What the image processor makes of 0..255: (B, H, W, 3) to (B, 3, H, W)."""
    return (torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255 - MEAN) / STD


def augment(pixels: NDArray[np.uint8], rng: np.random.Generator) -> Tensor:
    """Small turns, shifts, zooms, changes of contrast and brightness, and noise."""
    images = normalize(pixels)
    count = len(images)
    grid = functional.affine_grid(_placements(count, rng), list(images.shape), align_corners=False)
    moved = functional.grid_sample(images, grid, padding_mode="border", align_corners=False)
    gain, lift, noise = (
        torch.from_numpy(rng.uniform(low, high, (count, 1, 1, 1)).astype(np.float32))
        for low, high in ((0.75, 1.1), (-0.1, 0.1), (0.0, 0.12))
    )
    grain = torch.from_numpy(rng.standard_normal(moved.shape, np.float32))
    return ((moved + 1) * gain - 1 + lift + noise * grain).clamp(-1, 1)


def _placements(count: int, rng: np.random.Generator) -> Tensor:
    angle = rng.normal(0, 0.07, count)
    zoom, stretch = rng.uniform(0.88, 1.12, count), rng.uniform(0.92, 1.08, count)
    shear = rng.normal(0, 0.05, count)
    shift = rng.normal(0, 0.05, (count, 2))
    rows = [
        [np.cos(angle) * zoom, (np.sin(angle) + shear) * zoom, shift[:, 0]],
        [-np.sin(angle) * zoom * stretch, np.cos(angle) * zoom * stretch, shift[:, 1]],
    ]
    return torch.from_numpy(np.moveaxis(np.array(rows), 2, 0).astype(np.float32))
