"""One training step of a visual and of a multimodal prompt at ViT-B/32 size, against the ordinary way.

    python -m benchmarks.pixel_prompts [--batch 16] [--names 45] [--repeats 5]

The ordinary way prepares the pictures of the batch at each step, runs transformers' towers in float32 over all tokens
of all layers, and the text tower over 77 tokens of every name at each step where the text is tuned. Ours keeps prepared
pixels, computes the last block for the class token alone, multiplies in bfloat16 where the processor does, and runs
the text's common start once. Weights are random: times are those of the real model, accuracies are not. Both sides
start from decoded pictures in memory and end with the gradient of the learned values.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from benchmarks.image_encoding import load_images, timed
from benchmarks.random_clip import write_model
from benchmarks.record import record
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.method import PRESETS
from clipgrip.prompts.base import Prompt
from clipgrip.starts import untuned

KINDS = ("visual", "multimodal")


def main() -> None:
    """Measure, print, and write ``results/pixel_prompts.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--names", type=int, default=45)
    parser.add_argument("--repeats", type=int, default=5)
    chosen = parser.parse_args()
    images = load_images(None, chosen.batch)
    names = [f"class number {n}" for n in range(chosen.names)]
    found: dict[str, Any] = {
        "batch": chosen.batch,
        "names": chosen.names,
        "repeats": chosen.repeats,
    }
    with tempfile.TemporaryDirectory() as folder:
        model = write_model(Path(folder), whole_text=True)
        for kind in KINDS:
            found[kind] = measure(model, kind, images, names, chosen.repeats)
            print(kind, json.dumps(found[kind]), flush=True)
    record("pixel_prompts", found)


def measure(
    model: Path, kind: str, images: list[Image.Image], names: list[str], repeats: int
) -> dict[str, Any]:
    """Medians over interleaved repeats, after one step of each that does not count."""
    steps = {"ordinary": ordinary_step(model, kind, images, names)}
    for precision in ("float32", "bfloat16"):
        steps[precision] = our_step(model, kind, images, names, precision)
    for step in steps.values():
        step()
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats):
        for name, step in steps.items():
            seconds[name].append(timed(step))
    medians = {name: round(statistics.median(values), 3) for name, values in seconds.items()}
    ratios = {p: round(medians["ordinary"] / medians[p], 2) for p in ("float32", "bfloat16")}
    return {"seconds": medians, "times_faster": ratios}


def our_step(
    model: Path, kind: str, images: list[Image.Image], names: list[str], precision: Any
) -> Callable[[], Tensor]:
    """Pixels are prepared once, before the clock."""
    backbone = ClipBackbone("random ViT-B/32", model, precision=precision)
    pixels = torch.from_numpy(np.stack([backbone.preprocess(image) for image in images]))
    method = PRESETS["paper"][kind]
    prompt = untuned(backbone, names, method, template="a photo of a {}.", seed=0, kind=kind)
    targets = torch.arange(len(images)) % len(names)

    def step() -> Tensor:
        return _gradient(prompt, lambda tuned: tuned.logits(pixels), targets)

    return step


def ordinary_step(
    model: Path, kind: str, images: list[Image.Image], names: list[str]
) -> Callable[[], Tensor]:
    """Transformers' modules with the prompts put in by hand, all of it at each step."""
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    clip = CLIPModel.from_pretrained(model).eval().requires_grad_(False)
    processor = CLIPImageProcessorPil.from_pretrained(model)
    backbone = ClipBackbone("random ViT-B/32", model, precision="float32")
    method = PRESETS["paper"][kind]
    prompt = untuned(backbone, names, method, template="a photo of a {}.", seed=0, kind=kind)
    targets = torch.arange(len(images)) % len(names)
    ids = backbone.text.tokenize(names)

    def logits(tuned: Any) -> Tensor:
        mixed = tuned.mixed() if kind == "multimodal" else None
        tokens = tuned.tokens[0] if mixed is None else mixed.tokens[0]
        inputs = processor(images=images, return_tensors="pt")["pixel_values"]
        image_embeds = _image(clip, inputs, tokens)
        class_embeds = tuned.text if mixed is None else _text(clip, mixed.ctx, ids)
        return 100 * image_embeds @ class_embeds.T

    def step() -> Tensor:
        return _gradient(prompt, logits, targets)

    return step


def _gradient(prompt: Prompt, logits: Callable[[Any], Tensor], targets: Tensor) -> Tensor:
    values = {name: value.clone().requires_grad_() for name, value in prompt.learned().items()}
    loss = F.cross_entropy(logits(prompt.with_learned(values)), targets)
    loss.backward()
    return loss.detach()


def _image(clip: Any, pixels: Tensor, tokens: Tensor) -> Tensor:
    tower = clip.vision_model
    hidden = tower.embeddings(pixels)
    rows = tokens.expand(len(hidden), -1, -1)
    hidden = tower.pre_layrnorm(torch.cat([hidden[:, :1], rows, hidden[:, 1:]], dim=1))
    states = tower.encoder(inputs_embeds=hidden).last_hidden_state
    return F.normalize(clip.visual_projection(tower.post_layernorm(states[:, 0])), dim=-1)


def _text(clip: Any, ctx: Tensor, ids: list[list[int]]) -> Tensor:
    tower, length = clip.text_model, clip.text_model.embeddings.position_embedding.num_embeddings
    padded = torch.tensor([row + [row[-1]] * (length - len(row) - len(ctx)) for row in ids])
    embeds = tower.embeddings.token_embedding(padded)
    context = ctx.expand(len(ids), -1, -1)
    hidden = torch.cat([embeds[:, :1], context, embeds[:, 1:]], dim=1)
    hidden = hidden + tower.embeddings.position_embedding.weight
    states = tower.encoder(inputs_embeds=hidden, attention_mask=None, is_causal=True)
    ends = torch.tensor([len(row) - 1 + len(ctx) for row in ids])
    last = tower.final_layer_norm(states.last_hidden_state)[torch.arange(len(ids)), ends]
    return F.normalize(clip.text_projection(last), dim=-1)


if __name__ == "__main__":
    main()
