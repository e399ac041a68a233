"""One GRIP run of 10 rounds on the digits, ours against the paper's schedule done the ordinary way.

    python -m benchmarks.grip

*Ordinary*: as the method's published description trains: 150 epochs a round in batches of 16, in each step the image
tower over the batch and the text tower over every class name at full length, forward and backward. That takes hours, so
single steps are measured and multiplied by the number of steps that the schedule needs; both factors are written
down. The accuracy of that schedule is that of our ``paper`` preset, whose every step computes the same, faster.

*Ours*: the whole run with the ``default`` preset from 1,797 files on the disk with an empty cache: hashing, decoding,
encoding, ten rounds, storing each. Importing packages is left out on both sides.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from benchmarks.record import machine, record
from benchmarks.sets import DemoSet, load, task
from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.backbone.nano import weights_dir
from clipgrip.backbone.registry import load_backbone
from clipgrip.cli.demo import TEMPLATES
from clipgrip.config import project
from clipgrip.method import schedule
from clipgrip.runs.pipeline import run
from clipgrip.training.loop import PAPER_RECIPE

BATCH, N_CTX = 16, 16


def main() -> None:
    """Measure, print, and write ``results/grip.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--steps", type=int, default=20, help="ordinary steps that are measured")
    parser.add_argument("--seeds", type=int, default=3)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        result = measure(Path(folder), chosen.repeats, chosen.steps, chosen.seeds)
    print(machine())
    for name, value in result.items():
        print(f"{name:<28} {value}")
    record("grip", result)


def measure(folder: Path, repeats: int, steps: int, seeds: int) -> dict[str, Any]:
    """Medians over interleaved repeats."""
    demo = load("digits", folder / "sets", load_backbone("nano"))
    step, ordinary, ours = ordinary_step(demo), [], []
    accuracies = [
        our_run(folder, demo, "default", seed, f"warm-{seed}")[1] for seed in range(seeds)
    ]
    papers = [our_run(folder, demo, "paper", seed, f"paper-{seed}")[1] for seed in range(seeds)]
    for repeat in range(repeats):
        ordinary += [timed(step) for _ in range(steps)]
        ours.append(our_run(folder, demo, "default", 0, f"timed-{repeat}")[0])
    total = ordinary_steps(demo)
    hours = total * statistics.median(ordinary)
    return {
        "ordinary_step_seconds": round(statistics.median(ordinary), 5),
        "ordinary_steps": total,
        "ordinary_run_seconds": round(hours, 1),
        "our_run_seconds": round(statistics.median(ours), 3),
        "our_runs_seconds": [round(seconds, 3) for seconds in ours],
        "ratio": round(hours / statistics.median(ours), 1),
        "our_accuracy": spread(accuracies),
        "paper_accuracy": spread(papers),
        "repeats": repeats,
        "seeds": seeds,
    }


def our_run(folder: Path, demo: DemoSet, preset: str, seed: int, name: str) -> tuple[float, float]:
    """Seconds and test accuracy of a whole run; nothing is cached before it."""

    os.environ[ROOT_VARIABLE] = str(folder / f"cache-{name}")
    data = folder / "sets" / demo.name
    options = {
        "images": data / "images",
        "classes": data / "classes.csv",
        "test": data / "test.csv",
        "template": TEMPLATES[demo.name],
        "preset": preset,
        "seed": seed,
        "out": folder / name,
    }
    began = time.perf_counter()
    outcome = run(project(options))
    return time.perf_counter() - began, outcome.metrics["final"]["test"]["accuracy"]


def ordinary_steps(demo: DemoSet) -> int:
    """Steps of all rounds: each epoch goes over that round's pseudolabels in batches of 16."""
    ks = schedule("grip", task("UL", demo, 0))
    classes = len(demo.classes)
    return sum(PAPER_RECIPE.epochs * math.ceil(k * classes / BATCH) for k in ks)


def ordinary_step(demo: DemoSet) -> Callable[[], None]:
    """Image tower on a batch, text tower on all classes at full length, both by transformers; step of SGD."""
    from transformers import CLIPModel
    from transformers.masking_utils import create_causal_mask

    model = CLIPModel.from_pretrained(weights_dir()).eval().requires_grad_(False)
    config, text = model.config, model.text_model
    classes, length = len(demo.classes), config.text_config.max_position_embeddings
    ctx = torch.zeros(N_CTX, config.text_config.hidden_size, requires_grad=True)
    optimizer = torch.optim.SGD([ctx], lr=0.1, momentum=0.9, weight_decay=0.1)
    pixels = torch.rand(BATCH, 3, *[config.vision_config.image_size] * 2)
    tokens = text.embeddings.token_embedding(torch.zeros(classes, length, dtype=torch.long))
    labels = torch.arange(BATCH) % classes

    def class_embeds() -> Tensor:
        rows = torch.cat(
            [tokens[:, :1], ctx.expand(classes, -1, -1), tokens[:, N_CTX + 1 :]], dim=1
        )
        hidden = rows + text.embeddings.position_embedding.weight
        mask = create_causal_mask(
            config=text.config, inputs_embeds=hidden, attention_mask=None, past_key_values=None
        )
        out = text.encoder(
            inputs_embeds=hidden, attention_mask=mask, is_causal=True
        ).last_hidden_state
        return F.normalize(model.text_projection(text.final_layer_norm(out)[:, N_CTX + 2]), dim=-1)

    def step() -> None:
        with torch.no_grad():
            images = F.normalize(
                model.get_image_features(pixel_values=pixels).pooler_output, dim=-1
            )
        optimizer.zero_grad()
        F.cross_entropy(100 * images @ class_embeds().T, labels).backward()
        optimizer.step()

    step()
    return step


def timed(work: Callable[[], None]) -> float:
    """Seconds of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def spread(values: list[float]) -> str:
    """Mean ± standard deviation in per cent."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return f"{100 * statistics.mean(values):.1f} ± {100 * deviation:.1f} %"


if __name__ == "__main__":
    main()
