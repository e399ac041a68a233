"""The training loop: visible, resumable, and a function of the seed and the number of steps."""

from __future__ import annotations

import copy
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
    memory: float = 0.995
    """Share that the averaged weights keep at each step."""


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


@dataclass(frozen=True)
class Run:
    """What a checkpoint holds: the weights in training, their running average, the optimizers."""

    model: CLIPModel
    average: CLIPModel
    optimizer: Optimizers


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
) -> CLIPModel:
    """Train from the last checkpoint in ``folder``, or from the start; the averaged weights."""
    run = Run(model, copy.deepcopy(model), optimizers(model, settings))
    losses: list[float] = []
    begun = time.monotonic()
    for step in range(_resume(run, folder), settings.steps):
        batch = batches.draw(corpus, words, size=settings.batch, seed=settings.seed, step=step)
        losses.append(_step(run, batch, words.eos_token_id, step, settings))
        if (step + 1) % settings.watch == 0 or step + 1 == settings.steps:
            scores = dict(evaluation.zero_shot(run.average, words, held_out))
            row = {"step": step + 1, "loss": sum(losses) / len(losses), **scores}
            _note(folder / "curve.csv", row, seconds=time.monotonic() - begun)
            _save(run, step + 1, folder)
            losses = []
    return run.average


def _step(run: Run, batch: batches.Batch, end: int, step: int, settings: Settings) -> float:
    loss = loss_of(run.model, batch, end)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
    run.optimizer.step(learning_rate(step, settings))
    run.model.logit_scale.data.clamp_(max=MAX_LOG_SCALE)
    keep = min(settings.memory, (1 + step) / (10 + step))
    with torch.no_grad():
        for slow, fast in zip(run.average.parameters(), run.model.parameters(), strict=True):
            slow.lerp_(fast, 1 - keep)
    return loss.item()


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


def _save(run: Run, step: int, folder: Path) -> None:
    parts = {name: part.state_dict() for name, part in _parts(run).items()}
    whole = folder / "checkpoint.part"
    torch.save({"step": step, **parts}, whole)
    os.replace(whole, folder / "checkpoint.pt")


def _resume(run: Run, folder: Path) -> int:
    path = folder / "checkpoint.pt"
    if not path.exists():
        return 0
    state = torch.load(path, weights_only=True)
    for name, part in _parts(run).items():
        part.load_state_dict(state[name])
    return int(state["step"])


def _parts(run: Run) -> dict[str, torch.nn.Module | torch.optim.Optimizer]:
    return {
        "model": run.model,
        "average": run.average,
        "matrices": run.optimizer.matrices,
        "rest": run.optimizer.rest,
    }
