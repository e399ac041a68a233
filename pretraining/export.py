"""The trained model as a folder that transformers loads like any CLIP."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import CLIPModel, CLIPTokenizer

from pretraining.batches import MEAN, STD
from pretraining.corpus import EDGE


def export(model: CLIPModel, words: CLIPTokenizer, folder: Path) -> None:
    """Write configuration, half-precision weights, tokenizer and image settings."""
    folder.mkdir(parents=True, exist_ok=True)
    words.save_pretrained(folder)
    settings = model.config.to_diff_dict()
    settings |= {"architectures": ["CLIPModel"], "dtype": "float32"}
    _write(folder / "config.json", settings)
    _write(folder / "preprocessor_config.json", image_settings())
    half = {name: weight.to(torch.float16) for name, weight in model.state_dict().items()}
    kept = {n: w.contiguous() for n, w in half.items() if not n.endswith("position_ids")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)


def image_settings() -> dict[str, object]:
    """CLIP's preprocessing: bicubic resize, centre crop, and a range of -1 to 1."""
    return {
        "image_processor_type": "CLIPImageProcessor",
        "do_convert_rgb": True,
        "do_resize": True,
        "size": {"shortest_edge": EDGE},
        "resample": 3,
        "do_center_crop": True,
        "crop_size": {"height": EDGE, "width": EDGE},
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [MEAN] * 3,
        "image_std": [STD] * 3,
    }


def _write(path: Path, content: dict[str, object]) -> None:
    path.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8")
