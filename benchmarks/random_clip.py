"""A folder with a CLIP of ViT-B/32's size and random weights: times are those of the real model, accuracies are not."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch

from clipgrip.backbone.nano import weights_dir

TOKENIZER = ("tokenizer", "vocab", "merges", "special_tokens")
"""How the names of a tokenizer's files begin."""
OF_TOKENIZER = ("vocab_size", "bos_token_id", "eos_token_id", "pad_token_id")


def write_model(folder: Path, *, whole_text: bool = False) -> Path:
    """Nano's tokenizer, and nano's small text tower or, with ``whole_text``, one of ViT-B/32's size."""
    from transformers import CLIPConfig, CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    nano = weights_dir()
    text = json.loads((nano / "config.json").read_text("utf-8"))["text_config"]
    if whole_text:
        text = {name: text[name] for name in OF_TOKENIZER}
    torch.manual_seed(0)
    CLIPModel(CLIPConfig(text_config=text)).save_pretrained(folder)
    CLIPImageProcessorPil().save_pretrained(folder)
    for path in nano.iterdir():
        if path.name.startswith(TOKENIZER):
            shutil.copy(path, folder)
    return folder
