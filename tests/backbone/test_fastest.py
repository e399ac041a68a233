"""The faster engine is measured once, remembered, and never one that moves embeddings by more than rounding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from clipgrip.backbone import fastest as module
from clipgrip.backbone import speed
from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.fastest import NAME, fastest, remembered

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    return tmp_path


def measuring(monkeypatch: pytest.MonkeyPatch, rates: dict[str, float]) -> list[float]:
    """Every measurement, which finds these rates."""
    calls: list[float] = []

    def measure(seconds: float) -> dict[str, float]:
        calls.append(seconds)
        return rates

    monkeypatch.setattr(speed, "measure", measure)
    return calls


@pytest.mark.parametrize(
    ("rates", "engine"),
    [
        ({"torch float32": 6.0, "onnx": 7.3, "onnx-int8": 17.5}, "onnx"),
        ({"torch float32": 6.0, "torch bfloat16": 11.2, "onnx": 7.3, "onnx-int8": 17.5}, "torch"),
        ({"torch float32": 6.0, "onnx": 6.3, "onnx-int8": 6.0}, "torch"),
        ({"torch float32": 6.0}, "torch"),
    ],
)
def test_it_is_measured_once_and_eight_bits_are_never_chosen(
    root: Path, monkeypatch: pytest.MonkeyPatch, rates: dict[str, float], engine: str
) -> None:
    calls = measuring(monkeypatch, rates)
    assert [fastest(), fastest()] == [engine, engine]
    assert len(calls) == 1
    assert remembered() == rates


@pytest.mark.parametrize("content", ["", "[]", '{"machine": {}, "images_per_second": {"x": 1}}'])
def test_what_another_machine_or_nobody_wrote_is_measured_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (root / NAME).write_text(content)
    calls = measuring(monkeypatch, {"torch float32": 1.0, "onnx": 2.0})
    assert fastest() == "onnx"
    assert len(calls) == 1
    assert "onnx" in json.loads((root / NAME).read_text())["images_per_second"]


def test_where_the_cache_cannot_be_written_it_still_answers(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ROOT_VARIABLE, str(root / "file" / "folder"))
    (root / "file").write_text("")
    measuring(monkeypatch, {"torch float32": 1.0, "onnx": 2.0})
    assert fastest() == "onnx"


def test_a_model_on_the_automatic_engine_is_the_model_on_the_chosen_one(
    root: Path, monkeypatch: pytest.MonkeyPatch, tiny_clip: Path
) -> None:
    for chosen in ("onnx", "torch"):
        monkeypatch.setattr(module, "fastest", lambda chosen=chosen: chosen)
        automatic = ClipBackbone("t", tiny_clip, engine="auto")
        named = ClipBackbone("t", tiny_clip, engine=chosen)  # type: ignore[arg-type]
        assert automatic.engine == chosen
        assert automatic.image_key == named.image_key
    assert ClipBackbone("t", tiny_clip, engine="auto", precision="float32").engine == "torch"
    assert torch.isfinite(torch.tensor(automatic.logit_scale))
