"""ONNX Runtime gives torch's image embeddings; 8 bits stay near them, image by image."""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from projects import Place, project, rows
from tiny import make_tiny_clip
from zoo import ZOO

from clipgrip.backbone import onnx_engine
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.engine import ENGINES
from clipgrip.backbone.registry import load_backbone
from clipgrip.config import Settings
from clipgrip.errors import BackboneError, ConfigError, MissingPackage
from clipgrip.estimator import GripClassifier
from clipgrip.runs import checkpoint
from clipgrip.runs.pipeline import run
from clipgrip.runs.reopen import reopen
from clipgrip.serving.batch import predict_files, write_predictions
from clipgrip.serving.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore:The model seems to know nothing:UserWarning")

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLIPGRIP_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def pixels(count: int, size: int = 32) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, size, size, 3), np.uint8)


@pytest.mark.parametrize(
    "vision",
    [
        {},
        {"hidden_act": "gelu"},
        {"layer_norm_eps": 0.01, "num_attention_heads": 3},
        {"patch_size": 5},  # the last two pixels belong to no patch
        {"num_hidden_layers": 1},
    ],
)
def test_float32_equals_torch(vision: dict[str, Any], tmp_path: Path) -> None:
    folder = make_tiny_clip(tmp_path / "model", seed=1, **vision)
    theirs = ClipBackbone("t", folder, precision="float32")
    ours = ClipBackbone("t", folder, engine="onnx")
    for count in (0, 1, 33):
        expected = theirs.encode_image(pixels(count))
        torch.testing.assert_close(ours.encode_image(pixels(count)), expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["metaclip-2", "chinese-clip", "altclip"])
def test_other_families_with_clips_image_tower_run_on_it_too(name: str, tmp_path: Path) -> None:
    folder = ZOO[name](tmp_path / name)
    expected = ClipBackbone(name, folder, precision="float32").encode_image(pixels(5))
    ours = ClipBackbone(name, folder, engine="onnx").encode_image(pixels(5))
    torch.testing.assert_close(ours, expected, rtol=0, atol=1e-5)


def test_8_bits_stay_near_torch_on_a_trained_model() -> None:
    exact, ours = (load_backbone("nano", engine=engine) for engine in ("onnx", "onnx-int8"))
    size = exact.image_size
    cosine = (exact.encode_image(pixels(40, size)) * ours.encode_image(pixels(40, size))).sum(dim=1)
    assert cosine.min() > 0.999


def test_in_8_bits_an_image_does_not_see_its_neighbours(tiny_clip: Path) -> None:
    ours = ClipBackbone("t", tiny_clip, engine="onnx-int8")
    images = pixels(8)
    images[3] = 255  # an extreme among them would change a common range
    together = ours.encode_image(images)
    alone = torch.cat([ours.encode_image(images[i : i + 1]) for i in range(8)])
    assert torch.equal(together, alone)


def test_the_8_bit_model_is_made_once_and_again_when_it_is_damaged(
    tiny_clip: Path, cache: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    made, real = [], onnx_engine.quantized_model
    monkeypatch.setattr(onnx_engine, "quantized_model", lambda model: made.append(1) or real(model))
    embeds = [
        ClipBackbone("t", tiny_clip, engine="onnx-int8").encode_image(pixels(3)) for _ in "ab"
    ]
    assert len(made) == 1
    (path,) = cache.rglob("*.onnx")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        embeds.append(ClipBackbone("t", tiny_clip, engine="onnx-int8").encode_image(pixels(3)))
    assert len(made) == 2
    assert "is damaged" in caplog.text
    assert all(torch.equal(one, embeds[0]) for one in embeds)


def test_without_room_for_the_8_bit_model_it_still_runs(
    tiny_clip: Path, cache: Path, caplog: pytest.LogCaptureFixture
) -> None:
    cache.write_text("a file where the folder should be")
    ClipBackbone("t", tiny_clip, engine="onnx-int8").encode_image(pixels(1))
    assert "cannot be kept" in caplog.text


def test_each_engine_has_keys_of_its_own_and_torchs_are_what_they_were(tiny_clip: Path) -> None:
    keys = {e: ClipBackbone("t", tiny_clip, engine=e).image_key for e in ENGINES}  # type: ignore[arg-type]
    assert len(set(keys.values())) == 3
    assert not keys["torch"].endswith("torch")
    defaults = (
        "engine",
        "eye",
        "refinement",
        "may_occur",
    )  # what runs of older versions did not say
    assert Settings(engine="torch").model_dump() == {
        k: v for k, v in Settings(engine="onnx") if k not in defaults
    }
    assert Settings(**Settings(engine="onnx").model_dump()).engine == "onnx"


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"engine": "onx"}, r"known are torch, onnx, onnx-int8.*Did you mean"),
        ({"engine": "onnx", "precision": "bfloat16"}, 'does not go with precision "bfloat16"'),
        ({"engine": "onnx-int8", "device": "meta"}, 'does not go with device "meta"'),
    ],
)
def test_what_does_not_go_together_is_said(
    options: dict[str, Any], says: str, tiny_clip: Path
) -> None:
    with pytest.raises(ConfigError, match=says):
        ClipBackbone("t", tiny_clip, **options)


def test_without_the_package_it_says_how_to_install_it(
    tiny_clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingPackage, match=r"pip install 'clipgrip\[onnx\]'"):
        ClipBackbone("t", tiny_clip, engine="onnx")


def test_a_tower_of_another_kind_or_over_2_gigabytes_stays_on_torch(
    tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackboneError, match=r'another one.*Choose the engine "torch"'):
        ClipBackbone("s", ZOO["siglip"](tmp_path / "s"), engine="onnx")
    monkeypatch.setattr(onnx_engine, "MOST_BYTES", 1000)
    with pytest.raises(BackboneError, match="2 GB of an ONNX file"):
        ClipBackbone("t", tiny_clip, engine="onnx")


def test_visual_prompts_stay_on_torch(tiny_clip: Path) -> None:
    ours = ClipBackbone("t", tiny_clip, engine="onnx")
    assert ours.image_prompts is not None
    assert ours.image_prompts is ours.image_prompts


@pytest.mark.parametrize("engine", ["onnx", "onnx-int8"])
def test_a_run_is_answered_and_opened_with_its_own_engine(
    engine: str, place: Place, tiny_clip: Path, tmp_path: Path, quick: pytest.MonkeyPatch
) -> None:
    options = {"strategy": "fpl", "engine": engine}
    outcome = run(project(place, tiny_clip, tmp_path / "run", **options))
    plain = run(project(place, tiny_clip, tmp_path / "plain", **options | {"engine": "torch"}))
    assert outcome.metrics["settings"]["engine"] == engine
    assert "engine" not in plain.metrics["settings"]
    assert outcome.run.id != plain.run.id
    assert reopen(outcome.folder).metrics["final"] == outcome.metrics["final"]
    (outcome.folder / checkpoint.CLASS_EMBEDS).unlink()
    predictor = Predictor.open(outcome.folder)
    assert predictor.backbone.image_key == outcome.prompt.image_key
    write_predictions(tmp_path / "p.csv", predictor, predict_files(predictor, place.images))
    assert rows(tmp_path / "p.csv") == rows(outcome.folder / "predictions.csv")


def test_the_estimator_takes_an_engine(
    tiny_clip: Path, tmp_path: Path, images: list[Any], quick: pytest.MonkeyPatch
) -> None:
    fitted = GripClassifier(["cat", "dog"], backbone=str(tiny_clip), engine="onnx", strategy="fpl")
    fitted.fit(images).save(tmp_path / "saved")
    loaded = GripClassifier.load(tmp_path / "saved")
    assert loaded.engine == "onnx"
    np.testing.assert_array_equal(loaded.predict_proba(images), fitted.predict_proba(images))
