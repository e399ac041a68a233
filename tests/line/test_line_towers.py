"""Every family's image tower gives the same embeddings on ONNX Runtime as on torch, prompt tokens included."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from vision_zoo import ZOO as VISION
from vision_zoo import make_tiny_eye
from zoo import ZOO

from clipgrip.backbone.base import Eye
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.onnx_engine import quantized_model
from clipgrip.backbone.onnx_export import export_tower
from clipgrip.backbone.prompted import PromptedBackbone
from clipgrip.backbone.texture import Texture
from clipgrip.backbone.vision import VisionEye
from clipgrip.errors import BackboneError
from clipgrip_line import towers
from clipgrip_line.towers import INPUT, ONNX, OUTPUT, OnnxTower, tower_from, unit
from clipgrip_line.towers import steps_of as steps

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")


def check_equal(eye: Eye, count: int = 3) -> bytes:
    """Compare a few pictures, one batch and one by one, and give the graph."""
    model, before = export_tower(eye)
    graph = model.SerializeToString(deterministic=True)
    facts = {"kind": ONNX, "name": "t", "pixels": steps(before), "one_by_one": False}
    tower = tower_from(facts, graph, 1)
    assert isinstance(tower, OnnxTower)
    pixels = np.random.default_rng(0).integers(0, 256, (count, *before.output_size, 3), np.uint8)
    expected = eye.encode_image(pixels).numpy()
    found = [unit(tower.run(part)) for part in (pixels, pixels[:1])]
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=1e-5)
    np.testing.assert_allclose(found[1], expected[:1], rtol=0, atol=1e-5)
    np.testing.assert_allclose(tower.encode(list(pixels)), expected, rtol=0, atol=2**-11)
    return graph


@pytest.mark.parametrize("family", list(ZOO))
def test_every_family_of_two_towers_gives_torchs_embeddings(family: str, tmp_path: Path) -> None:
    backbone = ClipBackbone("t", ZOO[family](tmp_path / "model"), precision="float32")
    assert check_equal(backbone) == check_equal(backbone)  # the same graph twice


@pytest.mark.parametrize("kind", list(VISION))
def test_every_eye_gives_torchs_embeddings(kind: str, tmp_path: Path) -> None:
    check_equal(VisionEye("t", make_tiny_eye(tmp_path / "eye", kind), precision="float32"))


@pytest.mark.parametrize("family", ["clip", "clip-gelu", "metaclip-2", "altclip"])
@pytest.mark.parametrize("layers", [1, 2])
def test_learned_tokens_become_a_part_of_the_graph(
    family: str, layers: int, tmp_path: Path
) -> None:
    backbone = ClipBackbone("t", ZOO[family](tmp_path / "model"), precision="float32")
    assert backbone.image_prompts is not None
    tokens = torch.randn(layers, 3, backbone.image_prompts.width)
    check_equal(PromptedBackbone(backbone, tokens))


@pytest.mark.parametrize("kind", ["dinov2", "dinov2_with_registers"])
def test_positions_that_are_stretched_to_other_pictures_are_kept_as_values(
    kind: str, tmp_path: Path
) -> None:
    folder = make_tiny_eye(tmp_path / "eye", kind)
    path = folder / "preprocessor_config.json"
    path.write_text(path.read_text().replace("32", "48"))
    check_equal(VisionEye("t", folder, precision="float32"))


def test_a_tower_that_is_no_torch_module_is_refused_by_name() -> None:
    with pytest.raises(BackboneError, match="texture cannot be written as ONNX"):
        export_tower(Texture())


@pytest.mark.parametrize("name", ["siglip", "dual-encoder"])
def test_eight_bits_find_the_weights_of_traced_towers(name: str, tmp_path: Path) -> None:
    backbone = ClipBackbone("t", ZOO[name](tmp_path / "model"), precision="float32")
    model, before = export_tower(backbone)
    size, eight = model.ByteSize(), quantized_model(model)
    assert len(eight) < 0.7 * size
    assert eight == quantized_model(export_tower(backbone)[0])
    facts = {"kind": ONNX, "name": "t", "pixels": steps(before), "one_by_one": True}
    pixels = np.random.default_rng(0).integers(0, 256, (3, *before.output_size, 3), np.uint8)
    found = tower_from(facts, eight, 1).encode(list(pixels))
    near = (found * backbone.encode_image(pixels).numpy()).sum(1)
    assert near.min() > 0.99


def test_a_graph_takes_no_numbers_from_files_of_this_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    onnx = pytest.importorskip("onnx")
    monkeypatch.chdir(tmp_path)
    weights = np.ones(1024, np.float32)
    (tmp_path / "weights.bin").write_bytes(weights.tobytes())
    outside = onnx.numpy_helper.from_array(weights, "w")
    outside.ClearField("raw_data")
    outside.data_location = onnx.TensorProto.EXTERNAL
    for key, value in (("location", "weights.bin"), ("offset", "0"), ("length", "4096")):
        entry = outside.external_data.add()
        entry.key, entry.value = key, value
    numbers = onnx.helper.make_tensor_value_info(OUTPUT, onnx.TensorProto.FLOAT, [1024])
    given = onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.FLOAT, [1024])
    node = onnx.helper.make_node("Add", [INPUT, "w"], [OUTPUT])
    graph = onnx.helper.make_graph([node], "graph", [given], [numbers], [outside])
    opset = [onnx.helper.make_opsetid("", 17)]
    model = onnx.helper.make_model(graph, opset_imports=opset, ir_version=9)
    with pytest.raises(Exception, match="xternal"):
        towers._runner(model.SerializeToString(), 1)
