"""A model that sees images and knows no words becomes an eye: the same numbers as transformers, checked as CLIP is."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from pictures import random_image
from PIL import Image
from vision_zoo import SIZE, ZOO, make_tiny_eye

from clipgrip.backbone import registry
from clipgrip.backbone.base import Backbone, Eye
from clipgrip.backbone.checkpoint import VISION
from clipgrip.backbone.eyes import eyes_here, load_eye, named_eyes
from clipgrip.backbone.model_import import add_model
from clipgrip.backbone.processors import PROCESSORS, complete
from clipgrip.backbone.vision import FAMILIES, VisionEye
from clipgrip.errors import BackboneError
from clipgrip_line.preprocess import Preprocess


@pytest.fixture(autouse=True)
def _root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPGRIP_MODELS", str(tmp_path / "models"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "hub"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_tiny_eye(tmp_path / "tiny-eye", "vit")


def pixels(eye: Eye, n: int = 3) -> np.ndarray:
    return np.stack([eye.preprocess(random_image(seed, 50, 40)) for seed in range(n)])


def test_every_kind_that_is_named_can_be_read() -> None:
    assert set(FAMILIES) == set(VISION) == set(ZOO)
    assert {family.processor for family in FAMILIES.values()} <= set(PROCESSORS)


@pytest.mark.parametrize("kind", ZOO)
def test_an_eye_gives_unit_vectors_that_transformers_own_model_gives(
    kind: str, tmp_path: Path
) -> None:
    from transformers import AutoModel

    folder = make_tiny_eye(tmp_path / kind, kind)
    eye = load_eye(str(folder), precision="float32")
    assert isinstance(eye, Eye)
    assert not isinstance(eye, Backbone)
    seen = pixels(eye)
    found = eye.encode_image(seen)
    assert found.shape == (3, eye.embed_dim) == (3, ZOO[kind][2])
    assert torch.allclose(found.norm(dim=1), torch.ones(3), atol=1e-5)
    model = AutoModel.from_pretrained(str(folder)).eval()
    values = torch.from_numpy(seen).permute(0, 3, 1, 2) / 255 * 2 - 1
    with torch.inference_mode():
        answer = model(pixel_values=values)
    if found.shape[1] == 48:  # a class token, the others' tokens before the patches, 16 patches
        hidden = answer.last_hidden_state
        parts = hidden[:, 0], hidden[:, -16:].mean(1)
        expected = torch.cat([F.normalize(part, dim=1) for part in parts], 1) / 2**0.5
    else:
        expected = F.normalize(answer.pooler_output.flatten(1), dim=1)
    assert torch.allclose(found, expected, atol=1e-5)


def test_a_head_of_classes_beside_the_model_is_left_where_it_is(tmp_path: Path) -> None:
    from transformers import ViTConfig, ViTForImageClassification

    config = ViTConfig(**ZOO["vit"][1], num_labels=5)
    ViTForImageClassification(config).save_pretrained(tmp_path / "classifier")
    square = {"height": SIZE, "width": SIZE}
    (tmp_path / "classifier/preprocessor_config.json").write_text(json.dumps({"size": square}))
    assert load_eye(str(tmp_path / "classifier")).embed_dim == 48


def test_an_added_eye_is_found_by_its_name_and_listed_as_an_eye(folder: Path) -> None:
    made = add_model(folder, "own/eye")
    assert not made.words
    assert load_eye("own/eye").fingerprint == made.model.fingerprint
    assert {m.name: m.note for m in registry.models()}["own/eye"] == "eye: added by hand"
    assert eyes_here() == ("texture", "own/eye")
    assert named_eyes(["own/eye", "auto"]) == ("own/eye", "texture")


def test_an_added_eye_that_was_changed_is_refused(folder: Path) -> None:
    made = add_model(folder, "own")
    path = made.model.folder / "preprocessor_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"resample": 3}))
    with pytest.raises(BackboneError, match="is not as it was added"):
        load_eye("own")


def test_clips_own_image_tower_is_an_eye_too(tiny_clip: Path) -> None:
    assert load_eye(str(tiny_clip)).embed_dim == 24


def test_an_eye_is_no_backbone_and_the_error_says_where_it_belongs(folder: Path) -> None:
    with pytest.raises(BackboneError, match="Give it to --eye"):
        registry.load_backbone(str(folder))


def test_an_unknown_eye_is_told_with_the_known_ones() -> None:
    with pytest.raises(BackboneError, match=r'"textur" is no eye.*Did you mean "texture"'):
        load_eye("textur")


def test_a_hub_name_that_is_not_here_says_how_to_bring_it() -> None:
    with pytest.raises(BackboneError, match="clipgrip models add dinov2-small --name facebook"):
        load_eye("facebook/dinov2-small")


def test_pickled_weights_are_never_opened(folder: Path) -> None:
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(BackboneError, match=r"pytorch_model.bin is there, but it can run code"):
        load_eye(str(folder))


def test_missing_weights_are_told(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(BackboneError, match=r"model.safetensors is missing"):
        load_eye(str(folder))


def test_weights_of_another_shape_are_told(folder: Path) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"intermediate_size": 40}))
    with pytest.raises(BackboneError, match="do not fit"):
        load_eye(str(folder))


def test_a_picture_of_another_size_than_the_model_takes_is_told(folder: Path) -> None:
    path = folder / "preprocessor_config.json"
    path.write_text(json.dumps({"size": {"height": 40, "width": 40}}))
    with pytest.raises(BackboneError, match="does not take what its preprocessor makes"):
        load_eye(str(folder))


def test_weights_that_are_no_numbers_are_not_added(folder: Path) -> None:
    from safetensors.torch import load_file, save_file

    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("layernorm.weight"))
    save_file(weights | {name: weights[name] * torch.nan}, folder / "model.safetensors")
    with pytest.raises(BackboneError, match="no numbers"):
        add_model(folder)


@pytest.mark.parametrize("name", ["texture", "auto", "nano"])
def test_no_model_is_added_under_a_name_that_means_something_else(folder: Path, name: str) -> None:
    with pytest.raises(BackboneError, match="cannot be called"):
        add_model(folder, name)


@pytest.mark.parametrize("edge", [224, 384])
def test_convnext_pixels_are_those_of_its_own_processor(edge: int) -> None:
    from transformers.models.convnext.image_processing_pil_convnext import ConvNextImageProcessorPil

    own = ConvNextImageProcessorPil(
        size={"shortest_edge": edge}, do_rescale=False, do_normalize=False
    )
    config = {"size": {"shortest_edge": edge}, "image_processor_type": "ConvNextImageProcessor"}
    ours = Preprocess.from_config(complete(config, "ConvNextImageProcessor"))
    for size in ((300, 500), (500, 300), (64, 64), (257, 256)):
        image = Image.fromarray(np.random.default_rng(size).integers(0, 255, (*size, 3), np.uint8))
        theirs = own(image, return_tensors="np")["pixel_values"][0].transpose(1, 2, 0)
        difference = np.abs(ours(image).astype(int) - theirs.astype(int))
        assert difference.max() == 0


def test_mobilenet_of_the_shared_data_gives_its_known_vectors() -> None:
    folder = Path(__file__).parents[2] / "../shared/data"
    if not (folder / "eye-features/eye-steel.npz").is_file():
        pytest.skip("../shared/data is not here")
    known = np.load(folder / "eye-features/eye-steel.npz")
    eye = VisionEye("m", folder / "models/mobilenet-v2", precision="float32")
    paths = [folder / "photos/steel" / path for path in known["paths"][:3]]
    seen = np.stack([eye.preprocess(Image.open(path).convert("RGB")) for path in paths])
    wanted = F.normalize(torch.from_numpy(known["eye_embeds"][:3].astype(np.float32)), dim=1)
    assert float((eye.encode_image(seen) * wanted).sum(1).min()) > 0.9999
