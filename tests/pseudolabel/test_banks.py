"""Several banks of embeddings: what sees the classes counts, what sees nothing costs nothing."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from clipgrip.errors import DataError
from clipgrip.prompts.classifier import predict_proba, wide_logits
from clipgrip.pseudolabel import refine, refined
from clipgrip.pseudolabel.bank_weights import Agreement, BankSettings, bank_weights
from clipgrip.pseudolabel.banks import BankMap, fit_bank_map
from clipgrip.pseudolabel.refine.space import PoolImages
from tests.bank_pools import CLASSES, SCALE, noise, pool


def accuracy(probs: Tensor, truth: Tensor) -> float:
    return float((probs.argmax(1) == truth).double().mean())


def some(truth: Tensor, shots: int) -> Tensor:
    labels = torch.full_like(truth, -1)
    for c in range(CLASSES):
        rows = (truth == c).nonzero().squeeze(1)[:shots]
        labels[rows] = c
    return labels


def test_one_bank_gives_the_same_bits_as_its_matrix() -> None:
    one = pool()
    plain = refine(one.clip, one.texts, logit_scale=SCALE)
    assert torch.equal(refine([one.clip], one.texts, logit_scale=SCALE), plain)


@pytest.mark.parametrize("seed", range(5))
def test_noise_and_a_constant_change_not_one_bit(seed: int) -> None:
    one = pool(seed=seed)
    plain = refine(one.clip, one.texts, logit_scale=SCALE)
    constant = torch.full((len(one.truth), 8), 3.0)
    constant += 1e-5 * noise(len(one.truth))[:, :8]
    useless = [one.clip, noise(len(one.truth), seed), constant]
    found = refined(useless, one.texts, logit_scale=SCALE)
    assert found.bank_weights == (1.0, 0.0, 0.0)
    assert torch.equal(found.probs, plain)


def test_an_eye_makes_the_answers_of_the_pool_better() -> None:
    one = pool()
    alone = accuracy(refine(one.clip, one.texts, logit_scale=SCALE), one.truth)
    found = refined([one.clip, one.eye], one.texts, logit_scale=SCALE)
    assert found.bank_weights[1] > 0.5
    assert accuracy(found.probs, one.truth) > alone + 0.03


def test_what_noise_stands_beside_changes_nothing_of_the_eye() -> None:
    one = pool()
    both = refined([one.clip, one.eye], one.texts, logit_scale=SCALE)
    three = refined([one.clip, noise(len(one.truth)), one.eye], one.texts, logit_scale=SCALE)
    assert three.bank_weights == (1.0, 0.0, both.bank_weights[1])
    assert torch.equal(three.probs, both.probs)


def test_the_text_reads_its_own_bank_alone_to_the_bit() -> None:
    one = pool()
    joined = fit_bank_map([one.clip, one.eye], one.probs).joined([one.clip, one.eye])
    assert joined.shape[1] > one.clip.shape[1]
    plain = wide_logits(one.clip, one.texts, SCALE)
    assert torch.equal(wide_logits(joined, one.texts, SCALE), plain)


def test_joined_images_are_compared_as_unit_vectors() -> None:
    one = pool()
    joined = fit_bank_map([one.clip, one.eye], one.probs).joined([one.clip, one.eye])
    lengths = PoolImages.of(joined, eye_columns=joined.shape[1] - 8).embeds.norm(dim=1)
    assert torch.allclose(lengths, torch.ones(len(joined)), atol=1e-5)
    assert PoolImages.of(one.clip).embeds is one.clip


def test_labels_weigh_a_bank_more_than_a_text_that_knows_nothing() -> None:
    one = pool()
    lost = predict_proba(one.clip, one.texts.roll(1, 0), SCALE)
    by_text = fit_bank_map([one.clip, one.eye], lost).weights[1]
    by_labels = fit_bank_map([one.clip, one.eye], lost, some(one.truth, 5)).weights[1]
    assert by_labels > max(1.0, by_text)


def test_labels_alone_are_enough() -> None:
    one = pool()
    weights = fit_bank_map([one.clip, one.eye, noise(300)], None, some(one.truth, 5)).weights
    assert weights[1] > 1
    assert weights[2] == 0


def test_one_label_a_class_lets_every_bank_count_that_shares_what_the_first_sees() -> None:
    one = pool()
    labels = some(one.truth, 1)
    assert fit_bank_map([one.clip, one.eye, noise(300)], None, labels).weights == (1.0, 1.0, 0.0)


def test_an_eye_counts_more_than_a_clip_whose_text_does_not_name_the_labels() -> None:
    one = pool()
    lost = predict_proba(one.clip, one.texts.roll(1, 0), SCALE)
    labels = some(one.truth, 1)
    banks = [one.clip, one.eye, noise(300)]
    assert fit_bank_map(banks, lost, labels).weights == (1.0, pytest.approx(3.0), 0.0)
    assert fit_bank_map(banks, one.probs, labels).weights[1] < 3


@pytest.mark.parametrize("seed", range(5))
def test_near_labels_that_agree_by_chance_do_not_put_out_an_eye_that_sees_as_well(
    seed: int,
) -> None:
    one = pool(seed=seed)
    draw = torch.Generator().manual_seed(seed)
    dim = one.eye + 15 * torch.randn(one.eye.shape, generator=draw)
    assert fit_bank_map([one.clip, dim], None, some(one.truth, 8)).weights[1] > 0.4


@pytest.mark.parametrize("shots", [2, 5])
def test_held_out_labels_leave_noise_without_weight(shots: int) -> None:
    one = pool()
    lost = predict_proba(one.clip, one.texts.roll(1, 0), SCALE)
    for seed in range(5):
        banks = [one.clip, noise(300, seed)]
        assert fit_bank_map(banks, lost, some(one.truth, shots)).weights == (1.0, 0.0)


def test_of_few_images_a_bank_counts_unless_it_is_constant() -> None:
    one = pool(each=2)
    banks = [one.clip, one.eye, torch.ones(10, 3)]
    assert fit_bank_map(banks, None, some(one.truth, 1)).weights == (1.0, 1.0, 0.0)


def test_the_length_of_an_eyes_vectors_says_nothing() -> None:
    one = pool()
    banks = [one.clip, one.eye], [one.clip, 100 * one.eye]
    first, second = (fit_bank_map(each, one.probs).joined(each) for each in banks)
    assert torch.allclose(first, second, atol=1e-4)


def test_labels_ask_as_many_neighbours_as_a_class_has_other_labels() -> None:
    one = pool()
    labels = some(one.truth, 5)
    by_all = fit_bank_map([one.clip, one.eye], None, labels).weights[1]
    nearest = BankSettings(label_neighbours=1)
    assert by_all != fit_bank_map([one.clip, one.eye], None, labels, nearest).weights[1]
    pairs = some(one.truth, 2)
    by_pairs = fit_bank_map([one.clip, one.eye], None, pairs).weights[1]
    assert by_pairs == fit_bank_map([one.clip, one.eye], None, pairs, nearest).weights[1]


def test_half_precision_stays_half_precision() -> None:
    one = pool()
    banks = [one.clip.half(), one.eye.half()]
    joined = fit_bank_map(banks, one.probs).joined(banks)
    assert joined.dtype == torch.float16
    assert torch.equal(joined[:, :25], banks[0])


def test_a_map_comes_back_from_its_tensors() -> None:
    one = pool()
    banks = [one.clip, noise(300), one.eye]
    found = fit_bank_map(banks, one.probs)
    again = BankMap.from_tensors(found.tensors())
    assert again.weights == found.weights
    assert torch.equal(again.joined(banks), found.joined(banks))
    assert sum(again.shares()) == pytest.approx(1)


def test_prototypes_are_taken_with_an_eye() -> None:
    one = pool()
    prototypes = torch.stack([one.clip[one.truth == c][:3].mean(0) for c in range(CLASSES)])
    prototypes = F.normalize(prototypes, dim=1)
    alone = refine(one.clip, prototypes, logit_scale=100.0)
    found = refined([one.clip, one.eye], prototypes, logit_scale=100.0)
    assert accuracy(found.probs, one.truth) >= accuracy(alone, one.truth)


def test_copies_of_images_answer_alike_with_an_eye() -> None:
    one = pool()
    twice = [torch.cat([bank, bank[:20]]) for bank in (one.clip, one.eye)]
    probs = refine(twice, one.texts, logit_scale=SCALE)
    assert torch.equal(probs[:20], probs[-20:])


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda eye: eye[:-1], "same image"),
        (lambda eye: torch.where(eye == eye[0, 0], torch.nan, eye), "NaN"),
    ],
)
def test_banks_that_do_not_belong_together_are_refused(spoil: object, said: str) -> None:
    one = pool()
    assert callable(spoil)
    with pytest.raises(DataError, match=said):
        refine([one.clip, spoil(one.eye)], one.texts, logit_scale=SCALE)


def test_new_images_of_other_encoders_are_refused() -> None:
    one = pool()
    found = fit_bank_map([one.clip, one.eye], one.probs)
    with pytest.raises(DataError, match="same encoders"):
        found.joined([one.clip, one.eye[:, :5]])


def test_a_copy_of_a_labeled_image_is_no_evidence_for_noise() -> None:
    """Its own copy is the nearest in any bank that the picture alone decides."""
    generator = torch.Generator().manual_seed(0)
    clip, other = (
        F.normalize(torch.randn(60, width, generator=generator), dim=1).repeat(2, 1)
        for width in (32, 16)
    )
    labels = torch.arange(60).remainder(5).repeat(2)
    assert bank_weights([clip, other], None, labels) == (1.0, 0.0)


@pytest.mark.parametrize(("deviations", "counts"), [(4.0, False), (4.9, False), (5.0, True)])
def test_a_bank_counts_from_five_standard_deviations_beyond_chance(
    monkeypatch: pytest.MonkeyPatch, deviations: float, counts: bool
) -> None:
    one = pool()
    seen = Agreement(0.5, deviations, len(one.truth))
    room = "clipgrip.pseudolabel.bank_weights"
    monkeypatch.setattr(f"{room}._shared", lambda *_: seen)
    for name in ("_by_text", "_by_labels"):
        monkeypatch.setattr(f"{room}.{name}", lambda *_: [seen, seen])
    weight = bank_weights([one.clip, one.eye], one.probs, None)[1]
    assert (weight > 0) is counts
