"""The faster engine is measured once, remembered, and never one that moves embeddings by more than rounding."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from embedded import with_texts
from projects import Place, project

from clipgrip import config
from clipgrip.backbone import device
from clipgrip.backbone import fastest as module
from clipgrip.backbone.cache import ROOT_VARIABLE
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.fastest import NAME, fastest, multiplies_bfloat16, onnx_hint, stored_rates
from clipgrip.cli.doctor import _engines
from clipgrip.runs.events import Listener
from clipgrip.runs.outcome import Outcome
from clipgrip.runs.pipeline import run

pytest.importorskip("onnxruntime")
pytest.importorskip("onnx")


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path))
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: False)
    return tmp_path


def measuring(monkeypatch: pytest.MonkeyPatch, rates: dict[str, float]) -> list[float]:
    """Every measurement, which finds these rates."""
    calls: list[float] = []

    def measure(seconds: float) -> dict[str, float]:
        calls.append(seconds)
        return rates

    monkeypatch.setattr(module, "measure", measure)
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
    assert stored_rates() == rates


@pytest.mark.parametrize("content", ["", "[]", '{"machine": {}, "images_per_second": {"x": 1}}'])
def test_what_another_machine_or_nobody_wrote_is_measured_anew(
    root: Path, monkeypatch: pytest.MonkeyPatch, content: str
) -> None:
    (root / NAME).write_text(content)
    calls = measuring(monkeypatch, {"torch float32": 1.0, "onnx": 2.0})
    assert fastest() == "onnx"
    assert len(calls) == 1
    assert "onnx" in json.loads((root / NAME).read_text())["images_per_second"]


def test_a_home_that_machines_share_does_not_carry_a_measurement_to_another_processor(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = measuring(monkeypatch, {"torch float32": 1.0, "onnx": 2.0})
    for processor, measurements in (("Xeon", 1), ("Xeon", 1), ("Ryzen", 2)):
        (root / "cpuinfo").write_text(f"vendor\t: x\nmodel name\t: {processor}\n")
        monkeypatch.setattr(module, "CPUINFO", root / "cpuinfo")
        assert fastest() == "onnx"
        assert len(calls) == measurements


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
        monkeypatch.setattr("clipgrip.backbone.engine.fastest", lambda chosen=chosen: chosen)
        automatic = ClipBackbone("t", tiny_clip, engine="auto")
        named = ClipBackbone("t", tiny_clip, engine=chosen)  # type: ignore[arg-type]
        assert automatic.engine == chosen
        assert automatic.image_key == named.image_key
    assert ClipBackbone("t", tiny_clip, engine="auto", precision="float32").engine == "torch"
    assert torch.isfinite(torch.tensor(automatic.logit_scale))


def test_a_processor_that_multiplies_bfloat16_takes_torch_unmeasured(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = measuring(monkeypatch, {"torch float32": 1.0, "onnx": 2.0})
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: True)
    assert fastest() == "torch"
    assert onnx_hint() is None
    assert calls == []


def test_the_question_is_the_precisions_own() -> None:
    with pytest.MonkeyPatch.context() as patch:
        for answer in (True, False):
            patch.setattr(device, "_multiplies_bfloat16", lambda _, answer=answer: answer)
            assert multiplies_bfloat16() is answer


def test_without_onnx_runtime_it_is_torch_and_that_is_said_once(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = measuring(monkeypatch, {"torch float32": 1.0})
    assert onnx_hint() is None
    monkeypatch.setattr(module, "installed", lambda package: None)
    assert "pip install 'clipgrip[onnx]'" in str(onnx_hint())
    assert onnx_hint() is None
    assert fastest() == "torch"
    assert stored_rates() is None
    monkeypatch.undo()
    monkeypatch.setenv(ROOT_VARIABLE, str(root))
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: False)
    calls = measuring(monkeypatch, {"torch float32": 1.0, "onnx": 2.0})
    assert fastest() == "onnx"
    assert len(calls) == 1


class Notes(Listener):
    """What the user reads."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, text: str) -> None:
        self.lines.append(text)


def test_a_run_has_the_engine_that_was_chosen_and_goes_on_with_it(
    root: Path, monkeypatch: pytest.MonkeyPatch, place: Place, tiny_clip: Path
) -> None:
    def ran(engine: str | None, to: str, **options: str) -> Outcome:
        given = {"strategy": "zero-shot", **options, **({"engine": engine} if engine else {})}
        return run(project(place, tiny_clip, root / to, **given), notes)

    notes = Notes()
    monkeypatch.setattr("clipgrip.backbone.engine.fastest", lambda: "onnx")
    first, named = ran(None, "a"), ran("onnx", "b")
    assert first.metrics["settings"]["engine"] == "onnx"
    assert first.run.id == named.run.id
    monkeypatch.setattr("clipgrip.backbone.engine.fastest", lambda: "torch")
    again = ran(None, "a")
    assert (again.folder, again.run.id) == (first.folder, first.run.id)
    plain, asked = ran(None, "c"), ran("torch", "d")
    assert plain.run.id == asked.run.id != first.run.id
    assert "engine" not in plain.metrics["settings"]
    monkeypatch.setattr("clipgrip.backbone.engine.fastest", lambda: "onnx")
    assert ran(None, "c").run.id == plain.run.id
    assert ran("torch", "e").run.id == plain.run.id
    assert not any("ONNX" in line for line in notes.lines)


def test_eight_bits_of_a_run_in_the_folder_are_not_taken_unasked(
    root: Path, monkeypatch: pytest.MonkeyPatch, place: Place, tiny_clip: Path
) -> None:
    options = {"strategy": "zero-shot"}
    rounded = run(project(place, tiny_clip, root / "a", **options, engine="onnx-int8"))
    assert rounded.metrics["settings"]["engine"] == "onnx-int8"
    monkeypatch.setattr("clipgrip.backbone.engine.fastest", lambda: "torch")
    other = run(project(place, tiny_clip, root / "a", **options))
    assert "engine" not in other.metrics["settings"]
    assert other.folder != rounded.folder


def test_a_run_says_once_that_another_engine_could_be_installed(
    root: Path, monkeypatch: pytest.MonkeyPatch, place: Place, tiny_clip: Path
) -> None:
    monkeypatch.setattr(module, "installed", lambda package: None)
    notes = Notes()
    with_texts(root / "e.npz")
    run(
        config.project({"images": root / "e.npz", "out": root / "e", "strategy": "zero-shot"}),
        notes,
    )
    run(project(place, tiny_clip, root / "f", strategy="zero-shot", precision="float32"), notes)
    assert not any("ONNX" in line for line in notes.lines)  # nothing to choose there
    for to in ("a", "b"):
        run(project(place, tiny_clip, root / to, strategy="zero-shot"), notes)
    assert sum("ONNX Runtime may be faster" in line for line in notes.lines) == 1


@pytest.mark.parametrize(
    ("has", "installed", "rates", "said"),
    [
        (True, True, None, "torch, as this processor multiplies bfloat16"),
        (False, False, None, "torch, as ONNX Runtime is not installed"),
        (False, True, None, "measured by the first run"),
        (False, True, {"torch float32": 1.0, "onnx": 2.0}, "onnx, as measured here"),
    ],
)
def test_doctor_shows_the_default_and_why(
    root: Path,
    monkeypatch: pytest.MonkeyPatch,
    has: bool,
    installed: bool,
    rates: dict[str, float] | None,
    said: str,
) -> None:
    monkeypatch.setattr(module, "multiplies_bfloat16", lambda: has)
    if not installed:
        monkeypatch.setattr(module, "installed", lambda package: None)
    if rates:
        measuring(monkeypatch, rates)
        module.measure_engines(0.0)
    subjects = {one.subject: one.found for one in _engines(measure=False)}
    assert subjects["--engine auto"] == said
