"""Better answers from the pool itself; left alone where the pool does not bear it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.errors import ConfigError, DataError
from clipgrip.pseudolabel import refine
from clipgrip.pseudolabel.refine import REFINERS, refined, refined_answers
from clipgrip.pseudolabel.refine.answers import RefineInput
from clipgrip.pseudolabel.refine.balance import sinkhorn, sure_prior, uniform
from clipgrip.pseudolabel.refine.discriminant import tempered
from clipgrip.pseudolabel.refine.joined import join
from clipgrip.pseudolabel.refine.settings import DEFAULT
from clipgrip.pseudolabel.refine.space import PoolImages

DIM, SCALE = 32, 100.0


def made(
    counts: list[int], *, noise: float = 0.5, text_noise: float = 0.9, seed: int = 0
) -> tuple[Tensor, Tensor, Tensor]:
    """Clusters of images, texts that lie apart in a cone of their own, and the truth."""
    drawn = torch.Generator().manual_seed(seed)
    centres = torch.randn(len(counts), DIM, generator=drawn)
    common = 4 * torch.randn(DIM, generator=drawn)
    labels = torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))
    labels = labels[torch.randperm(len(labels), generator=drawn)]
    spread = noise * torch.randn(len(labels), DIM, generator=drawn)
    images = F.normalize(common + centres[labels] + spread, dim=1)
    away = 8 * torch.randn(DIM, generator=drawn)
    wrong = text_noise * torch.randn(len(counts), DIM, generator=drawn)
    return images, F.normalize(away + centres + wrong, dim=1), labels


def accuracy(probs: Tensor, labels: Tensor) -> float:
    return float((probs.argmax(1) == labels).float().mean())


def zero_shot(images: Tensor, classes: Tensor, scale: float = SCALE) -> Tensor:
    return (scale * images @ classes.T).softmax(1)


def test_the_clusters_of_the_images_mend_what_the_texts_get_wrong() -> None:
    images, classes, labels = made([40] * 8, text_noise=0.3, seed=3)
    before = accuracy(zero_shot(images, classes), labels)
    after = refined(images, classes, logit_scale=SCALE)
    assert after.method == "joined"
    assert accuracy(after.probs, labels) > before + 0.1
    assert any("images per class" in reason for reason in after.reasons)


@pytest.mark.parametrize("method", REFINERS)
def test_every_method_gives_probabilities_that_follow_the_rows(method: str) -> None:
    images, classes, _ = made([20, 5, 12])
    probs = refine(images, classes, logit_scale=SCALE, method=method)
    torch.testing.assert_close(probs.sum(1), torch.ones(37), atol=1e-4, rtol=0)
    assert (probs >= 0).all()
    assert torch.equal(refine(images, classes, logit_scale=SCALE, method=method), probs)
    order = torch.randperm(37, generator=torch.Generator().manual_seed(1))
    turned = refine(images[order], classes, logit_scale=SCALE, method=method)
    torch.testing.assert_close(turned, probs[order], atol=1e-3, rtol=0)
    columns = torch.tensor([2, 0, 1])
    renamed = refine(images, classes[columns], logit_scale=SCALE, method=method)
    torch.testing.assert_close(renamed, probs[:, columns], atol=1e-3, rtol=0)


@pytest.mark.parametrize("method", REFINERS)
def test_labeled_rows_stay_and_unlabeled_ones_take_candidates_only(method: str) -> None:
    images, classes, labels = made([20, 20, 20, 20])
    given, candidates = torch.full_like(labels, -1), torch.tensor([False, False, True, True])
    given[labels < 2] = labels[labels < 2]
    options: dict[str, Any] = {"logit_scale": SCALE, "labeled": given, "candidates": candidates}
    probs = refine(images, classes, **options, method=method)
    assert torch.equal(probs[labels < 2], F.one_hot(labels[labels < 2], 4).float())
    assert probs[labels >= 2][:, :2].abs().max() < 1e-6
    torch.testing.assert_close(probs.sum(1), torch.ones(80), atol=1e-4, rtol=0)


def test_texts_that_mislead_little_need_no_label() -> None:
    images, classes, labels = made([40] * 8, text_noise=1.5)
    assert accuracy(refine(images, classes, logit_scale=SCALE, method="clusters"), labels) == 1.0


@pytest.mark.parametrize("seed", [0, 1])
def test_a_few_labels_mend_what_texts_mislead(seed: int) -> None:
    images, classes, labels = made([40] * 8, text_noise=2.0, seed=seed)
    given = torch.full_like(labels, -1)
    for c in range(8):
        given[(labels == c).nonzero()[:2, 0]] = c
    rest = given < 0
    without, with_labels = (
        refine(images, classes, logit_scale=SCALE, labeled=some, method="clusters")[rest]
        for some in (None, given)
    )
    assert accuracy(with_labels, labels[rest]) == 1.0
    assert accuracy(without, labels[rest]) < 0.9


@pytest.mark.parametrize("method", REFINERS)
@pytest.mark.parametrize(("rows", "classes"), [(0, 3), (1, 3), (5, 1), (2, 2), (3, 60), (40, 2)])
def test_the_smallest_pools_are_answered(rows: int, classes: int, method: str) -> None:
    drawn = torch.Generator().manual_seed(0)
    images, names = (
        F.normalize(torch.randn(n, 16, generator=drawn), dim=1) for n in (rows, classes)
    )
    probs = refine(images, names, logit_scale=SCALE, method=method)
    assert probs.shape == (rows, classes)
    assert torch.isfinite(probs).all()
    torch.testing.assert_close(probs.sum(1), torch.ones(rows), atol=1e-4, rtol=0)


@pytest.mark.parametrize("method", REFINERS)
def test_equal_images_and_absent_classes_break_nothing(method: str) -> None:
    _, classes, _ = made([1] * 5)
    images = classes[:1].expand(60, -1)
    probs = refine(images, classes, logit_scale=SCALE, method=method)
    assert torch.isfinite(probs).all()
    torch.testing.assert_close(probs.sum(1), torch.ones(60), atol=1e-4, rtol=0)


def test_half_precision_and_numpy_are_read_as_they_are() -> None:
    images, classes, labels = made([30] * 4)
    half = refine(images.half(), classes.half(), logit_scale=SCALE)
    assert half.dtype == torch.float32
    whole = refine(images, classes, logit_scale=SCALE)
    assert accuracy(half, labels) == pytest.approx(accuracy(whole, labels), abs=0.02)
    array: Any = images.numpy()
    assert torch.equal(refine(array, classes, logit_scale=SCALE), whole)


def test_too_few_images_leave_a_text_alone_and_unequal_classes_are_not_balanced() -> None:
    images, classes, _ = made([2] * 8)
    few = refined(images, classes, logit_scale=SCALE)
    assert few.method == "zero-shot"
    torch.testing.assert_close(few.probs, zero_shot(images, classes))
    for scale in (SCALE, 4 * SCALE):  # hardly any sure answer, and many that balance would overrule
        images, classes, labels = made([60, 4, 4, 4, 4, 4], text_noise=0.1)
        small = refined(images, classes, logit_scale=scale)
        assert small.method != "balance"
        assert accuracy(small.probs, labels) > accuracy(images @ classes.T, labels) - 0.04
        images, classes, labels = made([120, 8, 8, 8, 8, 8], text_noise=0.1)
        unequal = refined(images, classes, logit_scale=scale)
        assert unequal.method != "balance"
        assert accuracy(unequal.probs, labels) >= accuracy(images @ classes.T, labels)


def test_a_class_that_fills_the_pool_is_not_divided_up() -> None:
    for noise, text_noise, method in ((0.8, 0.9, "zero-shot"), (1.4, 1.3, "joined")):
        images, classes, labels = made([160, 8, 8, 8, 8], noise=noise, text_noise=text_noise)
        found = refined(images, classes, logit_scale=SCALE)
        assert found.method == method
        refused = any("would divide up a class" in reason for reason in found.reasons)
        assert refused == (method == "zero-shot")
        before = accuracy(images @ classes.T, labels)
        assert accuracy(found.probs, labels) > before - 0.03
        alone = refine(images, classes, logit_scale=SCALE, method="clusters")
        assert accuracy(alone, labels) < before - 0.1


def test_nor_is_one_of_classes_that_are_given_by_images() -> None:
    images, _, labels = made([160, 8, 8, 8, 8], noise=1.4)
    shots = torch.stack([(labels == c).nonzero()[0, 0] for c in range(5)])
    found = refined(images, images[shots], logit_scale=SCALE)
    assert found.evidence is not None
    assert found.evidence.prototypes
    before = accuracy(images @ images[shots].T, labels)
    assert accuracy(found.probs, labels) >= before


def test_a_prompt_that_has_divided_it_up_already_is_not_asked_further() -> None:
    images, classes, labels = made([160, 8, 8, 8, 8], noise=1.4, text_noise=1.3)
    first = zero_shot(images, classes)
    astray = refine(images, classes, logit_scale=SCALE, method="clusters")
    known: dict[str, Any] = {
        "labeled": torch.zeros(len(labels), dtype=torch.bool),
        "candidates": torch.ones(5, dtype=torch.bool),
    }
    instead = refined_answers(images, first, **known).probs
    assert not torch.equal(refined_answers(images, astray, **known).probs, instead)
    assert torch.equal(refined_answers(images, astray, **known, zero_shot=first).probs, instead)


def test_where_clusters_were_refused_once_none_are_sought_again() -> None:
    images, classes, labels = made([160, 8, 8, 8, 8], noise=0.6, text_noise=0.6)
    known: dict[str, Any] = {
        "labeled": torch.zeros(len(labels), dtype=torch.bool),
        "candidates": torch.ones(5, dtype=torch.bool),
    }
    probs = zero_shot(images, classes)
    sought = refined_answers(images, probs, **known)
    refused = refined_answers(images, probs, **known, undivided=True)
    assert any("no class loses" in reason for reason in sought.reasons)
    assert any("would divide up a class" in reason for reason in refused.reasons)
    assert torch.equal(refused.probs, probs)


def test_few_images_of_equal_classes_are_moved_half_way_to_equal_shares() -> None:
    drawn, labels = torch.Generator().manual_seed(0), torch.arange(40).repeat_interleave(2)
    images = F.normalize(torch.randn(80, 16, generator=drawn), dim=1)
    logits = torch.randn(80, 40, generator=drawn) + 4 * F.one_hot(labels, 40)
    probs = (logits + torch.linspace(-1, 1, 40)).softmax(1)  # it prefers the later classes
    everything = torch.ones(40, dtype=torch.bool)
    found = refined_answers(images, probs, labeled=labels < 0, candidates=everything)
    assert found.method == "half-balance"
    assert accuracy(found.probs, labels) > accuracy(probs, labels)
    before, after = (float(answers.mean(0).log().std()) for answers in (probs, found.probs))
    assert after == pytest.approx(before / 2, rel=0.2)


def test_classes_given_by_images_are_noticed() -> None:
    images, _, labels = made([20] * 6, noise=1.0)
    shots = torch.stack([(labels == c).nonzero()[0, 0] for c in range(6)])
    found = refined(images, images[shots], logit_scale=SCALE)
    assert found.evidence is not None
    assert found.evidence.prototypes
    assert accuracy(found.probs, labels) >= accuracy(images @ images[shots].T, labels)


def test_wrong_input_says_what_is_allowed() -> None:
    images, classes, labels = made([5, 5])
    with pytest.raises(
        ConfigError, match=r'"autto" is unknown; known are auto, .*Did you mean "auto"'
    ):
        refine(images, classes, logit_scale=SCALE, method="autto")
    wrong: list[dict[str, Any]] = [
        {"labeled": labels[:3]},
        {"candidates": torch.ones(3, dtype=torch.bool)},
        {"labeled": labels + 5},
        {"candidates": torch.zeros(2, dtype=torch.bool)},
    ]
    for options in wrong:
        with pytest.raises(DataError):
            refine(images, classes, logit_scale=SCALE, **options)
    with pytest.raises(DataError, match="do not belong together"):
        refine(images[:, :9], classes, logit_scale=SCALE)


def test_balanced_assignment_has_the_wanted_class_shares() -> None:
    drawn = torch.Generator().manual_seed(0)
    probs = (4 * torch.randn(200, 4, generator=drawn)).softmax(1)
    prior = torch.tensor([0.4, 0.3, 0.2, 0.1])
    answers = sinkhorn(probs, prior, DEFAULT.with_values({"balance_iterations": 200}))
    torch.testing.assert_close(answers.sum(1), torch.ones(200), atol=1e-5, rtol=0)
    torch.testing.assert_close(answers.mean(0), prior, atol=1e-4, rtol=0)
    own = sinkhorn(probs, probs.mean(0))
    torch.testing.assert_close(own, probs, atol=1e-5, rtol=0)  # its own shares ask for no change


def test_a_sure_prior_is_the_models_own_and_a_doubtful_one_uniform() -> None:
    sure = F.one_hot(torch.tensor([0, 0, 0, 1]), 2).float()
    torch.testing.assert_close(sure_prior(sure), torch.tensor([0.75, 0.25]))
    doubtful = torch.full((4, 2), 0.5)
    torch.testing.assert_close(sure_prior(doubtful), uniform(2))


def test_tempering_makes_answers_as_sure_as_asked_but_never_surer() -> None:
    logits = 20 * torch.randn(300, 5, generator=torch.Generator().manual_seed(0))
    probs = tempered(logits, 0.7)
    assert float(probs.max(1).values.mean()) == pytest.approx(0.7, abs=0.01)
    assert torch.equal(probs.argmax(1), logits.argmax(1))
    torch.testing.assert_close(tempered(logits, 1.0), logits.softmax(1))


def features(name: str) -> dict[str, Tensor]:
    """Real CLIP embeddings; the test is skipped where they are not at hand."""
    root = Path(__file__).resolve().parents[2]
    places = [
        os.environ.get("CLIPGRIP_DATA"),
        root.parent / "shared/data",
        root.parents[1] / "shared/data",
    ]
    for place in filter(None, places):
        path = Path(place) / "clip-features" / f"{name}.npz"
        if path.is_file():
            with np.load(path) as arrays:
                kept = {key: arrays[key] for key in arrays.files if arrays[key].dtype.kind in "fiu"}
            return {key: torch.from_numpy(value) for key, value in kept.items()}
    pytest.skip(f"{name}.npz is not here; set CLIPGRIP_DATA to the folder that holds clip-features")


def test_real_clip_embeddings_with_real_texts_get_better_and_never_worse() -> None:
    data = features("caltech58")
    images, classes, labels = data["image_embeds"], data["class_embeds"], data["labels"].long()
    before = accuracy(images.float() @ classes.float().T, labels)
    assert accuracy(refine(images, classes, logit_scale=SCALE), labels) > before - 0.005


def test_one_real_image_per_class_is_enough_to_begin_with() -> None:
    data = features("flowers")
    images, labels = data["pool_embeds"], data["pool_labels"].long()
    shots = data["shot1_embeds"].float()[data["shot1_labels"].argsort()]
    before = accuracy(images.float() @ shots.T, labels)
    assert accuracy(refine(images, shots, logit_scale=SCALE), labels) > before + 0.1


def test_clusters_of_few_images_count_less_beside_the_other_views() -> None:
    images, classes, labels = made([40] * 8, text_noise=1.5)
    every = torch.ones(8, dtype=torch.bool)
    given = RefineInput(PoolImages(images), zero_shot(images, classes), labels < 0, every)
    clusters = F.one_hot((labels + 1) % 8, 8) * 0.9 + 0.0125  # they contradict the other two
    moved = [
        accuracy(join(given, clusters.clone(), n).probs, (labels + 1) % 8) for n in (1.0, 1000.0)
    ]
    assert moved[0] < moved[1]
