"""The training loop: visible, resumable, and a function of the seed and the number of steps."""

from __future__ import annotations

import csv
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import CLIPModel, CLIPTokenizer

from pretraining import batches, evaluation, objective
from pretraining.corpus import Pictures

MAX_LOG_SCALE = math.log(100)


@dataclass(frozen=True)
class Settings:
    """What determines the weights, besides the pictures."""

    seed: int
    steps: int
    batch: int = 192
    rate: float = 2e-3
    warmup: int = 100
    decay: float = 0.1
    watch: int = 250


@dataclass(frozen=True)
class Optimizers:
    """Muon for the matrices inside the layers, AdamW for everything else."""

    matrices: torch.optim.Muon
    rest: torch.optim.AdamW

    def step(self, rate: float) -> None:
        """Apply and clear the gradients at a learning rate."""
        for optimizer in (self.matrices, self.rest):
            for group in optimizer.param_groups:
                group["lr"] = rate * group["scale"]
            optimizer.step()
            optimizer.zero_grad()


def optimizers(model: CLIPModel, settings: Settings) -> Optimizers:
    """Weight decay on matrices only."""
    named = dict(model.named_parameters())
    inner = {n: p for n, p in named.items() if ".layers." in n and p.ndim == 2}
    rest = {n: p for n, p in named.items() if n not in inner}
    muon = torch.optim.Muon(
        [{"params": list(inner.values()), "scale": 1.0}],
        weight_decay=settings.decay,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(
        [
            {"params": [p for p in rest.values() if p.ndim >= 2], "weight_decay": settings.decay},
            {"params": [p for p in rest.values() if p.ndim < 2], "weight_decay": 0.0},
        ],
        betas=(0.9, 0.98),
    )
    for group in adamw.param_groups:
        group["scale"] = 0.5
    return Optimizers(muon, adamw)


def learning_rate(step: int, settings: Settings) -> float:
    """Linear warmup, then a cosine to zero."""
    if step < settings.warmup:
        return settings.rate * (step + 1) / settings.warmup
    done = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    return settings.rate * 0.5 * (1 + math.cos(math.pi * done))


def loss_of(model: CLIPModel, batch: batches.Batch, end: int) -> torch.Tensor:
    """The contrastive loss of one batch, towers in bfloat16."""
    with torch.autocast("cpu", torch.bfloat16):
        images = objective.image_embeds(model, batch.pixels)
        texts = objective.text_embeds(model, batch.tokens, end)
    return objective.contrastive(model.logit_scale.exp() * images @ texts.T, batch.true)


def train(
    model: CLIPModel,
    words: CLIPTokenizer,
    corpus: Mapping[str, Pictures],
    held_out: Mapping[str, Pictures],
    settings: Settings,
    folder: Path,
) -> None:
    """Train in place from the last checkpoint in ``folder``, or from the start."""
    optimizer = optimizers(model, settings)
    start, losses, begun = _resume(model, optimizer, folder), [], time.monotonic()
    for step in range(start, settings.steps):
        batch = batches.draw(corpus, words, size=settings.batch, seed=settings.seed, step=step)
        loss = loss_of(model, batch, words.eos_token_id)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step(learning_rate(step, settings))
        model.logit_scale.data.clamp_(max=MAX_LOG_SCALE)
        losses.append(loss.item())
        if (step + 1) % settings.watch == 0 or step + 1 == settings.steps:
            scores = dict(evaluation.zero_shot(model, words, held_out))
            row = {"step": step + 1, "loss": sum(losses) / len(losses), **scores}
            _note(folder / "curve.csv", row, seconds=time.monotonic() - begun)
            _save(model, optimizer, step + 1, folder)
            losses = []


def _note(path: Path, row: dict[str, float], *, seconds: float) -> None:
    """Append one line to the curve and show it."""
    fresh = not path.exists()
    with path.open("a", newline="") as file:
        writer = csv.DictWriter(file, list(row), lineterminator="\n")
        if fresh:
            writer.writeheader()
        writer.writerow({name: round(value, 4) for name, value in row.items()})
    shown = "  ".join(f"{name} {value:.3g}" for name, value in row.items())
    print(f"{shown}  ({seconds:.0f} s)", flush=True)


def _save(model: CLIPModel, optimizer: Optimizers, step: int, folder: Path) -> None:
    state = {
        "step": step,
        "model": model.state_dict(),
        "matrices": optimizer.matrices.state_dict(),
        "rest": optimizer.rest.state_dict(),
    }
    part = folder / "checkpoint.part"
    torch.save(state, part)
    os.replace(part, folder / "checkpoint.pt")


def _resume(model: CLIPModel, optimizer: Optimizers, folder: Path) -> int:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    model.load_state_dict(state["model"])
    optimizer.matrices.load_state_dict(state["matrices"])
    optimizer.rest.load_state_dict(state["rest"])
    return int(state["step"])
