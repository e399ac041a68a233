"""A bundle answers as clipgrip does, within 1e-4: every family, prompt kind, head and eye."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from projects import Place, picture, project
from vision_zoo import make_tiny_eye
from zoo import ZOO

from clipgrip.backbone.embed import embed_images
from clipgrip.backbone.encode import Item
from clipgrip.data.ingest import ingest
from clipgrip.runs import checkpoint
from clipgrip.runs.calibrated import AuditedCalibration, write_calibration
from clipgrip.runs.embedding import item
from clipgrip.runs.pipeline import run
from clipgrip.serving.bundling.members import parts_of
from clipgrip.serving.predictor import Predictor
from clipgrip.trust.calibration import Temperature, logits_of
from clipgrip_line import scoring
from clipgrip_line.bundle import packed
from clipgrip_line.model import Model

pytest.importorskip("onnxruntime", reason="needs pip install 'clipgrip[onnx]'")
pytestmark = pytest.mark.usefixtures("quick")
PLAIN = {"precision": "float32", "rounds": 1}


def bundled(folder: Path, at: Path, **more: Any) -> Model:
    """The bundle of a run, written and opened."""
    at.write_bytes(packed(parts_of(folder, None, **more).members))
    return Model.open(at, threads=1)


def check_same_answers(folder: Path, images: Path, at: Path) -> Model:
    """Every image of a folder is answered alike in both ways."""
    predictor = Predictor.open(folder)
    rows = ingest(images, classes=predictor.classes).manifest.rows
    embeds = uncached(predictor, [item(row) for row in rows])
    probs = predictor.predict_proba(embeds)
    calibrated = predictor.calibrated
    expected = probs if calibrated is None else calibrated(probs)
    model = bundled(folder, at)
    pixels = [model.pixels(row.source.read()) for row in rows]
    np.testing.assert_allclose(model.embed(pixels), embeds.numpy(), rtol=0, atol=2**-11)
    np.testing.assert_allclose(model.proba(pixels), probs.numpy(), rtol=0, atol=1e-4)
    said = model.answer(pixels)
    assert [one.image_id for one in said] == [row.sha256 for row in rows]
    for one, row in zip(said, expected, strict=True):
        assert one.class_name == predictor.classes.display[int(row.argmax())]
        assert one.confidence == pytest.approx(float(row.max()), abs=1e-4)
        assert [value for _, value in one.top] == pytest.approx(
            row.sort(descending=True).values[:3].tolist(), abs=1e-4
        )
    return model


def uncached(predictor: Predictor, items: list[Item]) -> torch.Tensor:
    """What the predictor sees, computed anew."""
    found = embed_images(predictor.backbone, items).embeds
    if predictor.beside is None:
        return found
    eyes = [embed_images(eye.load(), items).embeds for eye in predictor.beside.eyes]
    return predictor.beside.banks.joined([found, *eyes])


@pytest.mark.parametrize("family", list(ZOO))
def test_every_family_with_a_learned_text(family: str, place: Place, tmp_path: Path) -> None:
    model = ZOO[family](tmp_path / "model")
    run(project(place, model, tmp_path / "run", **PLAIN))
    check_same_answers(tmp_path / "run", place.images, tmp_path / "m.clipgrip")


@pytest.mark.parametrize("family", ["clip", "metaclip-2", "altclip"])
@pytest.mark.parametrize("prompt", ["visual", "visual-deep", "multimodal"])
@pytest.mark.parametrize("preset", ["default", "paper"])
def test_prompts_in_the_image_tower(
    family: str, prompt: str, preset: str, place: Place, tmp_path: Path
) -> None:
    model = ZOO[family](tmp_path / "model")
    more = PLAIN | {"prompt": prompt, "preset": preset}
    run(project(place, model, tmp_path / "run", **more))
    check_same_answers(tmp_path / "run", place.images, tmp_path / "m.clipgrip")


@pytest.mark.parametrize("strategy", ["grip", "supervised"])
def test_what_labels_taught_beside_the_prompt(
    strategy: str, place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    more = PLAIN | {"strategy": strategy, "labels": place.labels("SSL")}
    outcome = run(project(place, tiny_clip, tmp_path / "run", **more))
    assert outcome.joint is not None
    check_same_answers(tmp_path / "run", place.images, tmp_path / "m.clipgrip")


@pytest.mark.parametrize(("strategy", "paradigm"), [("zero-shot", "UL"), ("grip", "TRZSL")])
def test_answers_of_the_text_alone(
    strategy: str, paradigm: str, place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    more = PLAIN | {"strategy": strategy, "labels": place.labels(paradigm)}
    run(project(place, tiny_clip, tmp_path / "run", **more))
    check_same_answers(tmp_path / "run", place.images, tmp_path / "m.clipgrip")


@pytest.mark.parametrize("eyes", [("texture",), ("dinov2",), ("texture", "convnext", "clip")])
def test_eyes_beside_the_model(
    eyes: tuple[str, ...], place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    named = [_eye(eye, tmp_path) for eye in eyes]
    more = PLAIN | {"eye": named, "labels": place.labels("SSL")}
    run(project(place, tiny_clip, tmp_path / "run", **more))
    model = check_same_answers(tmp_path / "run", place.images, tmp_path / "m.clipgrip")
    beside = Predictor.open(tmp_path / "run").beside
    assert beside is not None, "no eye counts, so nothing was tried"
    assert len(model.towers) == 1 + len(beside.eyes)


def _eye(name: str, tmp_path: Path) -> str:
    if name == "texture":
        return name
    folder = tmp_path / f"eye {name}"
    return str(ZOO["clip-gelu"](folder) if name == "clip" else make_tiny_eye(folder, name))


def test_shipped_nano(place: Place, tmp_path: Path) -> None:
    options = PLAIN | {"backbone": "nano"}
    run(project(place, Path("nano"), tmp_path / "run", **options))
    check_same_answers(tmp_path / "run", place.images, tmp_path / "m.clipgrip")


def test_a_calibration_gives_the_same_confidence() -> None:
    probs = torch.rand(20, 4, generator=torch.Generator().manual_seed(0)).softmax(1)
    probs[0] = torch.tensor([1.0, 0.0, 0.0, 0.0])
    stored = Temperature(1.7).to_dict()
    expected = Temperature.from_dict(stored)(logits_of(probs))
    ours = scoring.Calibration.from_dict(stored)
    np.testing.assert_allclose(ours(probs.numpy()), expected.numpy(), rtol=0, atol=1e-5)


def test_an_audited_temperature_goes_with_the_bundle(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    run(project(place, tiny_clip, tmp_path / "run", **PLAIN))
    evidence = {"n": 40, "after": {"accuracy": 0.9}}
    write_calibration(tmp_path / "run", AuditedCalibration(Temperature(2.5), evidence))
    model = check_same_answers(tmp_path / "run", place.images, tmp_path / "m.clipgrip")
    assert model.info["calibrated_by"] == 40


def test_eight_bits_stay_near_and_their_difference_is_said(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    run(project(place, tiny_clip, tmp_path / "run", **PLAIN))
    plain = bundled(tmp_path / "run", tmp_path / "a.clipgrip")
    eight = bundled(tmp_path / "run", tmp_path / "b.clipgrip", precision="int8")
    assert eight.info["precision"] == "int8"
    assert 0 < float(str(eight.info["apart"])) < 0.05
    images = [picture(number, 40) for number in range(3)]
    pixels = [_pixels(eight, image) for image in images]
    together = eight.proba(pixels)
    np.testing.assert_allclose(together, plain.proba(pixels), rtol=0, atol=0.05)
    alone = np.concatenate([eight.proba([one]) for one in pixels])
    np.testing.assert_allclose(together, alone, rtol=0, atol=1e-6)  # none changes another's


def test_a_run_on_eight_bits_is_bundled_in_eight_bits(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    run(project(place, tiny_clip, tmp_path / "run", engine="onnx-int8", rounds=1))
    assert bundled(tmp_path / "run", tmp_path / "a.clipgrip").info["precision"] == "int8"


def test_a_run_in_bfloat16_is_bundled_in_float32(
    place: Place, tiny_clip: Path, tmp_path: Path
) -> None:
    run(project(place, tiny_clip, tmp_path / "run", precision="bfloat16", rounds=1))
    model = bundled(tmp_path / "run", tmp_path / "a.clipgrip")
    assert (model.info["precision"], model.info["run_precision"]) == ("float32", "bfloat16")


def test_a_folder_that_an_estimator_saved_is_bundled_with_drawn_pictures(
    finished: Path, tmp_path: Path
) -> None:
    predictor = Predictor.open(finished)
    parts = predictor.learned, predictor.facts, predictor.class_embeds, predictor.joint
    checkpoint.PromptFiles(*parts).save(tmp_path / "saved")
    model = bundled(tmp_path / "saved", tmp_path / "a.clipgrip")
    assert (model.info["golden_drawn"], model.info["reference"]) == (True, False)


def _pixels(model: Model, image: Any) -> Any:
    import io

    made = io.BytesIO()
    image.save(made, "PNG")
    return model.pixels(made.getvalue())
