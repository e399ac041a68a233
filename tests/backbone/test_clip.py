"""A CLIP folder becomes a frozen backbone whose image embeddings are transformers' own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from tiny import make_tiny_clip

from clipgrip.backbone.base import Backbone
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.device import choose_precision
from clipgrip.errors import BackboneError, ConfigError


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return ClipBackbone("tiny", tiny_clip, precision="float32")


@pytest.fixture
def folder(tiny_clip: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_clip, tmp_path / "copy"))


def edit(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def reference(folder: Path, images: list[Image.Image]) -> torch.Tensor:
    from transformers import CLIPModel
    from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

    model = CLIPModel.from_pretrained(folder).eval()
    processor = CLIPImageProcessorPil.from_pretrained(folder)
    with torch.inference_mode():
        features = model.get_image_features(**processor(images, return_tensors="pt"))
    return F.normalize(features.pooler_output, dim=-1)


def embed(backbone: ClipBackbone, images: list[Image.Image]) -> torch.Tensor:
    return backbone.encode_image(np.stack([backbone.preprocess(image) for image in images]))


def test_image_embeddings_equal_transformers(
    backbone: ClipBackbone, tiny_clip: Path, images: list[Image.Image]
) -> None:
    difference = embed(backbone, images) - reference(tiny_clip, images)
    assert difference.abs().max() < 1e-5


@pytest.mark.parametrize(
    "vision",
    [
        {"hidden_act": "gelu"},
        {"layer_norm_eps": 0.01, "num_attention_heads": 3},
        {"patch_size": 5},  # the last two pixels belong to no patch
        {"num_hidden_layers": 1},
    ],
)
def test_other_towers_of_the_family_equal_transformers_too(
    vision: dict[str, Any], tmp_path: Path, images: list[Image.Image]
) -> None:
    folder = make_tiny_clip(tmp_path, seed=1, **vision)
    backbone = ClipBackbone("other", folder, precision="float32")
    assert (embed(backbone, images) - reference(folder, images)).abs().max() < 1e-5


def test_bfloat16_stays_close_to_float32(tiny_clip: Path, images: list[Image.Image]) -> None:
    fast = ClipBackbone("tiny", tiny_clip, precision="bfloat16")
    cosine = (embed(fast, images) * reference(tiny_clip, images)).sum(dim=1)
    assert cosine.min() > 0.9995


def test_embeddings_are_float32_unit_vectors_that_training_may_use(
    backbone: ClipBackbone, images: list[Image.Image]
) -> None:
    embeds = embed(backbone, images)
    assert embeds.dtype == torch.float32
    assert embeds.shape == (24, backbone.embed_dim)
    torch.testing.assert_close(embeds.norm(dim=1), torch.ones(24))
    weight = torch.ones(24, requires_grad=True)
    (embeds.sum(dim=1) * weight).sum().backward()
    assert weight.grad is not None


def test_no_images_give_no_embeddings(backbone: ClipBackbone) -> None:
    empty = backbone.encode_image(np.zeros((0, 32, 32, 3), np.uint8))
    assert empty.shape == (0, backbone.embed_dim)


def test_an_embedding_does_not_depend_on_its_neighbours(
    backbone: ClipBackbone, images: list[Image.Image]
) -> None:
    alone = torch.cat([embed(backbone, [image]) for image in images])
    torch.testing.assert_close(alone, embed(backbone, images), rtol=0, atol=1e-6)


def test_it_is_a_backbone_and_knows_the_models_own_numbers(
    backbone: ClipBackbone, tiny_clip: Path
) -> None:
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(tiny_clip)
    assert backbone.logit_scale == pytest.approx(model.logit_scale.exp().item())
    assert (backbone.embed_dim, backbone.image_size) == (24, 32)
    assert isinstance(backbone, Backbone)


def test_text_embeddings_equal_transformers(backbone: ClipBackbone, tiny_clip: Path) -> None:
    from transformers import AutoTokenizer, CLIPModel

    texts = ["a photo of a cat", "steel", "a good part with a dent"]
    tokens = AutoTokenizer.from_pretrained(tiny_clip)(texts, padding=True, return_tensors="pt")
    tokens.pop("token_type_ids", None)
    with torch.inference_mode():
        features = CLIPModel.from_pretrained(tiny_clip).eval().get_text_features(**tokens)
    expected = F.normalize(features.pooler_output, dim=-1)
    torch.testing.assert_close(backbone.text.encode_texts(texts), expected, rtol=0, atol=1e-5)


def test_embedding_images_imports_no_transformers(tiny_clip: Path) -> None:
    code = (
        "import sys, numpy; from clipgrip.backbone.registry import load_backbone\n"
        "load_backbone(sys.argv[1]).encode_image(numpy.zeros((1, 32, 32, 3), numpy.uint8))\n"
        "assert 'transformers' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tiny_clip)], check=True)


def test_the_fingerprint_follows_the_content_and_not_the_place(
    folder: Path, tiny_clip: Path
) -> None:
    def fingerprint() -> str:
        return ClipBackbone("any name", folder).fingerprint

    original = ClipBackbone("tiny", tiny_clip).fingerprint
    assert fingerprint() == original
    for name in ("preprocessor_config.json", "config.json", "tokenizer.json"):
        content = (folder / name).read_text()
        (folder / name).write_text(content + "\n")
        assert fingerprint() != original
        (folder / name).write_text(content)
    assert fingerprint() == original
    weights = bytearray((folder / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (folder / "model.safetensors").write_bytes(weights)
    assert fingerprint() != original


def test_precision_and_model_are_named_in_the_image_key(tiny_clip: Path) -> None:
    keys = {ClipBackbone("tiny", tiny_clip, precision=p).image_key for p in ("float32", "bfloat16")}
    assert len(keys) == 2
    assert all(ClipBackbone("tiny", tiny_clip).fingerprint[:40] in key for key in keys)


def test_auto_is_bfloat16_only_where_the_processor_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = torch.device("cpu")
    for has in (True, False):
        monkeypatch.setattr(
            torch.cpu, "_is_avx512_bf16_supported", lambda has=has: has, raising=False
        )
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
        assert choose_precision("auto", cpu) == ("bfloat16" if has else "float32")
    assert choose_precision("float32", cpu) == "float32"


def test_an_unknown_precision_or_device_is_refused_with_what_is_allowed(tiny_clip: Path) -> None:
    with pytest.raises(ConfigError, match='Did you mean "bfloat16"'):
        ClipBackbone("tiny", tiny_clip, precision="bfloat61")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match='Use "cpu"'):
        ClipBackbone("tiny", tiny_clip, device="gpu")


def test_another_kind_of_model_is_refused_with_what_is_supported(folder: Path) -> None:
    edit(folder / "config.json", model_type="blip")
    with pytest.raises(BackboneError, match=r'"blip".*Supported are: "clip"'):
        ClipBackbone("copy", folder)


def test_pickled_weights_are_never_opened(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match="never opened"):
        ClipBackbone("copy", folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_missing_file_is_named(name: str, folder: Path) -> None:
    (folder / name).unlink()
    with pytest.raises(BackboneError, match=name):
        ClipBackbone("copy", folder)


@pytest.mark.parametrize("name", ["config.json", "preprocessor_config.json", "model.safetensors"])
def test_a_file_that_is_cut_off_is_named(name: str, folder: Path) -> None:
    (folder / name).write_bytes((folder / name).read_bytes()[:200])
    with pytest.raises(BackboneError, match=name):
        ClipBackbone("copy", folder)


def test_a_missing_tensor_is_named(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    for name in (
        "vision_model.encoder.layers.1.mlp.fc2.bias",
        "visual_projection.weight",
        "logit_scale",
        "text_projection.weight",
        "text_model.final_layer_norm.bias",
    ):
        tensors = load_file(folder / "model.safetensors")
        removed = tensors.pop(name)
        save_file(tensors, folder / "model.safetensors")
        with pytest.raises(BackboneError, match=name.removeprefix("text_model.")):
            _ = ClipBackbone("copy", folder).text
        save_file(tensors | {name: removed}, folder / "model.safetensors")
    assert ClipBackbone("copy", folder).text is not None


def test_an_activation_that_is_not_known_is_refused(folder: Path) -> None:
    vision = json.loads((folder / "config.json").read_text())["vision_config"]
    edit(folder / "config.json", vision_config=vision | {"hidden_act": "relu"})
    with pytest.raises(BackboneError, match='"relu"; supported are quick_gelu, gelu'):
        ClipBackbone("copy", folder)


def test_a_preprocessor_of_another_model_is_refused(folder: Path) -> None:
    edit(folder / "preprocessor_config.json", crop_size={"height": 48, "width": 48})
    with pytest.raises(BackboneError, match=r"32 x 32 pixels.*48 x 48"):
        ClipBackbone("copy", folder)


def test_weights_in_several_files_and_half_precision_are_read(
    folder: Path, images: list[Image.Image], backbone: ClipBackbone
) -> None:
    from safetensors.torch import load_file, save_file

    tensors = {
        name: tensor.half() for name, tensor in load_file(folder / "model.safetensors").items()
    }
    (folder / "model.safetensors").unlink()
    parts = {"a.safetensors": "vision", "b.safetensors": ""}
    index = {}
    for file, prefix in parts.items():
        part = {
            name: t for name, t in tensors.items() if name.startswith(prefix) and name not in index
        }
        save_file(part, folder / file)
        index |= dict.fromkeys(part, file)
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": index}))
    split = ClipBackbone("copy", folder, precision="float32")
    torch.testing.assert_close(embed(split, images), embed(backbone, images), rtol=0, atol=2e-3)


def test_an_index_cannot_point_outside_its_folder(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    index = {"weight_map": {"logit_scale": "../model.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BackboneError, match="outside"):
        ClipBackbone("copy", folder)


def test_old_files_that_name_the_vision_settings_twice_are_read(folder: Path) -> None:
    vision = json.loads((folder / "config.json").read_text())["vision_config"]
    edit(folder / "config.json", vision_config={}, vision_config_dict=vision)
    assert ClipBackbone("copy", folder).image_size == 32
