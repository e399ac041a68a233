"""Pretraining renders from a seed, learns a little in two steps, and never reads a data set."""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest
import torch

from clipgrip.data.surfaces import SURFACE_CLASSES
from pretraining import (
    batches,
    bpe,
    captions,
    corpus,
    curve,
    drawing,
    evaluation,
    export,
    loop,
    objective,
    pens,
    writing,
)
from pretraining import model as models

SOURCES = sorted(Path(pens.__file__).parent.glob("*.py"))
FORBIDDEN = {"sklearn", "torchvision", "datasets", "urllib", "requests", "httpx", "huggingface_hub"}
PLAIN = ["shapes", "surfaces", "digits_penned"]


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.fixture(scope="module")
def words():
    return models.tokenizer(captions.all_sentences())


@pytest.fixture(scope="module")
def pictures(tmp_path_factory, fake_fonts) -> dict[str, corpus.Pictures]:
    folder = tmp_path_factory.mktemp("pictures")
    for name in PLAIN:
        corpus.render_family(name, folder, seed=1, count=40, held_out=False)
    return {name: corpus.load(name, folder) for name in PLAIN}


@pytest.fixture(scope="module")
def fake_fonts():
    """The families under test draw without fonts, so a machine without any can run them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus.fonts, "typefaces", lambda **_: ())
        yield


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_pretraining_imports_no_data_set_and_no_network(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    names = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    names |= {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert not {name.split(".")[0] for name in names} & FORBIDDEN
    assert "load_digits" not in path.read_text(encoding="utf-8")


def test_pretraining_never_sees_the_demo_domain() -> None:
    assert not any("DEMO_DOMAIN" in path.read_text(encoding="utf-8") for path in SOURCES)


@pytest.mark.parametrize("digit", pens.DIGITS)
def test_every_digit_has_several_ways_of_writing(digit: str) -> None:
    assert len(pens.DIGITS[digit]) >= 5
    for variant in pens.DIGITS[digit]:
        bitmap = writing.write(variant, writing.TRAIN_HAND, rng())
        assert bitmap.shape == (32, 32)
        assert 30 < bitmap.sum() < 700


def test_a_corner_stays_sharp_and_a_curve_passes_through_its_points() -> None:
    ((points, corners),) = pens.strokes("0,0* 50,100 100,0*")
    line = pens.curve(points, corners, steps=4)
    assert np.allclose(line[[0, 4, 8]], points)
    assert line.shape == (9, 2)


def test_the_sensor_counts_ink_in_blocks() -> None:
    bitmap = np.zeros((32, 32), bool)
    bitmap[:, 16:] = True
    image = np.asarray(writing.sensor(bitmap))
    assert image.shape == (64, 64, 3)
    assert (image[:, 60:] == 255).all()
    assert (image[:, :4] == 0).all()


@pytest.mark.parametrize("name", drawing.SHAPES)
def test_shapes_are_drawn_in_their_colour(name: str) -> None:
    image = np.asarray(drawing.shape(name, "red", "black", rng()))
    assert (image[..., 0] > 120).mean() > 0.02


@pytest.mark.parametrize("name", drawing.PATTERNS)
def test_patterns_use_both_colours(name: str) -> None:
    image = np.asarray(drawing.pattern(name, "white", "black", rng()), float)
    assert image.std() > 30


def test_a_caption_is_true_of_its_own_scene_and_not_of_another() -> None:
    three, seven = (captions.Scene("digit", name, "handwritten", "white") for name in "37")
    for seed in range(50):
        _, said = captions.caption(three, rng(seed))
        true = captions.true_of(said[None], np.stack([three.facts(), seven.facts()]))
        assert true[0, 0]
        assert said[1] == captions.ANY or not true[1, 0]


def test_facts_and_scenes_are_two_forms_of_the_same() -> None:
    for defect in SURFACE_CLASSES:
        scene = captions.Scene("surface", defect, "brushed", "gray")
        assert captions.scene(scene.facts()) == scene


def test_merges_go_by_frequency_then_by_spelling() -> None:
    assert bpe.learn(["ab ab cd", "ce"], count=9) == [
        ("a", "b</w>"),
        ("c", "e</w>"),
        ("c", "d</w>"),
    ]


def test_every_word_of_the_captions_is_one_token(words) -> None:
    assert len(words("a handwritten digit seven", add_special_tokens=False)["input_ids"]) == 4
    assert len(words) < models.VOCABULARY


def test_rendering_depends_on_the_seed_alone(pictures, tmp_path) -> None:
    corpus.render_family("shapes", tmp_path, seed=1, count=40, held_out=False)
    again = corpus.load("shapes", tmp_path)
    assert np.array_equal(again.pixels, pictures["shapes"].pixels)
    assert np.array_equal(again.facts, pictures["shapes"].facts)


def test_a_batch_depends_on_seed_and_step_alone(pictures, words) -> None:
    first, same, other = (
        batches.draw(pictures, words, size=16, seed=0, step=step) for step in (5, 5, 6)
    )
    assert torch.equal(first.pixels, same.pixels)
    assert torch.equal(first.tokens, same.tokens)
    assert not torch.equal(first.pixels, other.pixels)
    assert first.true.any(dim=0).all()


def test_the_loss_is_lowest_when_all_true_pairs_share_the_mass() -> None:
    true = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    right, wrong = 20.0 * true.float(), -20.0 * true.float()
    assert objective.contrastive(right, true) < 0.7 < objective.contrastive(wrong, true)


def test_short_and_long_captions_are_encoded_as_if_alone(words) -> None:
    clip = models.create(words, seed=0).eval()
    texts = ["seven", "water " * 30 + "seven", "a red circle"]
    with torch.no_grad():
        together = objective.text_embeds(clip, batches.tokenize(words, texts), words.eos_token_id)
        for text, row in zip(texts, together, strict=True):
            alone = clip.get_text_features(**words(text, return_tensors="pt")).pooler_output[0]
            torch.testing.assert_close(row, alone / alone.norm(), atol=1e-4, rtol=1e-3)


def test_two_steps_run_stop_resume_and_export(pictures, words, tmp_path) -> None:
    settings = loop.Settings(seed=0, steps=2, batch=16, watch=1)
    clip = models.create(words, seed=0)
    before = clip.visual_projection.weight.clone()
    average = loop.train(clip, words, pictures, pictures, settings, tmp_path)
    assert not torch.equal(before, clip.visual_projection.weight)
    again = models.create(words, seed=1)
    loop.train(again, words, pictures, pictures, settings, tmp_path)
    assert torch.equal(again.visual_projection.weight, clip.visual_projection.weight)
    assert len(curve.read(tmp_path / "curve.csv")["step"]) == 2
    assert curve.draw(curve.read(tmp_path / "curve.csv")).startswith("<svg")
    export.export(average, words, tmp_path / "weights")
    loaded = type(clip).from_pretrained(tmp_path / "weights")
    scores = dict(evaluation.zero_shot(loaded, words, pictures))
    assert set(scores) == set(PLAIN)


def test_the_learning_rate_rises_then_falls_to_zero() -> None:
    settings = loop.Settings(seed=0, steps=1000)
    rates = [loop.learning_rate(step, settings) for step in (0, 99, 500, 1000)]
    assert rates[0] < rates[2] < rates[1] == settings.rate
    assert rates[3] == pytest.approx(0)
