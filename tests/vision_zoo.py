"""A tiny random model of each kind that sees images and knows no words, as transformers writes it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

SIZE = 32
_VIT = {
    "hidden_size": 24, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 2,
    "image_size": SIZE, "patch_size": 8,
}  # fmt: skip
_DINO = {
    "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": SIZE, "patch_size": 8,
}  # fmt: skip
_SWIN = {
    "image_size": SIZE, "patch_size": 4, "embed_dim": 12, "depths": [1, 1], "num_heads": [2, 2], "window_size": 4,
}  # fmt: skip
_CONVNEXT = {"hidden_sizes": [8, 12, 16, 24], "depths": [1, 1, 1, 1]}
_MOBILE = {"depth_multiplier": 0.35, "min_depth": 8, "image_size": SIZE}
ZOO: dict[str, tuple[str, dict[str, Any], int]] = {
    "dinov2": ("Dinov2", _DINO, 48),
    "dinov2_with_registers": ("Dinov2WithRegisters", _DINO | {"num_register_tokens": 3}, 48),
    "dinov3_vit": ("DINOv3ViT", _VIT | {"num_register_tokens": 2}, 48),
    "dinov3_convnext": ("DINOv3ConvNext", _CONVNEXT, 24),
    "vit": ("ViT", _VIT, 48),
    "vit_msn": ("ViTMSN", _VIT, 48),
    "deit": ("DeiT", _VIT, 48),
    "swin": ("Swin", _SWIN, 24),
    "swinv2": ("Swinv2", _SWIN, 24),
    "convnext": ("ConvNext", _CONVNEXT, 24),
    "convnextv2": ("ConvNextV2", _CONVNEXT, 24),
    "resnet": (
        "ResNet", {"embedding_size": 8, "hidden_sizes": [8, 16], "depths": [1, 1], "layer_type": "basic"}, 16,
    ),
    "mobilenet_v1": ("MobileNetV1", _MOBILE, 358),
    "mobilenet_v2": ("MobileNetV2", _MOBILE, 1280),
}  # fmt: skip
"""By model_type: the beginning of the classes' names, a small configuration, and the width of the embedding."""


def make_tiny_eye(folder: Path, kind: str, seed: int = 0) -> Path:
    """Write the folder."""
    import torch
    import transformers

    name, settings, _ = ZOO[kind]
    config = getattr(transformers, f"{name}Config")(**settings)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = getattr(transformers, f"{name}Model")(config).eval()
        for parameter in model.parameters():
            parameter.data += 0.05 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    square = {"height": SIZE, "width": SIZE}
    settings = {"image_processor_type": "ViTImageProcessor", "size": square, "do_resize": True}
    (folder / "preprocessor_config.json").write_text(json.dumps(settings))
    return folder
