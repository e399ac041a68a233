"""A preset is data; the strategy's numbers follow from the task."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from projects import CLASSES

from benchmarks.research import losses, selectors
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.registry import load_backbone
from clipgrip.errors import ConfigError, DataError
from clipgrip.fewshot.head import HeadSettings
from clipgrip.method import PRESETS, STRATEGIES, Method, learn, schedule
from clipgrip.prompts.classifier import zero_shot
from clipgrip.pseudolabel import Refinement
from clipgrip.pseudolabel.bank_weights import BankSettings
from clipgrip.pseudolabel.calibration import fitted_temperature
from clipgrip.pseudolabel.refine.settings import DEFAULT
from clipgrip.pseudolabel.select import SELECTORS
from clipgrip.pseudolabel.select.chosen import Chosen
from clipgrip.pseudolabel.stop import AlarmLimits
from clipgrip.starts import untuned
from clipgrip.strategy import Reached, Round
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.training.loop import Recipe
from clipgrip.training.loss import LOSSES
from clipgrip.types import Probs

LABELS = torch.tensor([0, 0, 1, 1, *[-1] * 36])


@pytest.fixture(scope="module")
def backbone(tiny_clip: Path) -> ClipBackbone:
    return load_backbone(str(tiny_clip))


def test_presets_and_strategies_are_the_documented_ones() -> None:
    assert set(PRESETS) == {"default", "paper"}
    assert STRATEGIES == ("zero-shot", "supervised", "fpl", "ifpl", "grip")


def test_the_paper_preset_has_the_papers_constants() -> None:
    paper = PRESETS["paper"]["textual"]
    assert (paper.init, paper.n_ctx, paper.labeled_share, paper.stop_below) == (
        "random",
        16,
        None,
        0.0,
    )
    recipe = paper.recipe
    assert (recipe.optimizer, recipe.lr, recipe.momentum, recipe.weight_decay) == (
        "sgd",
        0.1,
        0.9,
        0.1,
    )
    assert (recipe.epochs, recipe.batch_size, round(recipe.warmup * 150)) == (150, 64, 5)


@pytest.mark.parametrize(
    ("task", "grip"),
    [
        (ul(400, 4), [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]),
        (ssl(LABELS, 4), [1, 1, 2, 3, 3, 4, 5, 6, 6, 9]),
        (trzsl(LABELS, 4, [0, 1]), [1, 3, 4, 6, 7, 9, 10, 12, 13, 18]),
    ],
)
def test_a_strategy_is_a_row_of_ks_over_the_candidates(task: Task, grip: list[int]) -> None:
    assert schedule("zero-shot", task) == []
    assert schedule("fpl", task) == [16]
    assert schedule("ifpl", task) == [16] * 10
    assert schedule("grip", task) == grip
    assert schedule("ifpl", task, k=3, n_rounds=2) == [3, 3]


def test_without_unlabeled_images_each_strategy_is_one_supervised_round() -> None:
    everything = ssl(torch.tensor([0, 1, 2, 3]), 4)
    for strategy in ("supervised", "fpl", "ifpl", "grip"):
        assert schedule(strategy, everything) == [0]
    with pytest.raises(DataError, match=r"needs labels.*--labels"):
        schedule("supervised", ul(5, 2))


def test_the_default_starts_where_zero_shot_stands(backbone: ClipBackbone) -> None:
    start = untuned(
        backbone, CLASSES, PRESETS["default"]["textual"], template="a photo of a {} part.", seed=0
    )
    expected = zero_shot(backbone, CLASSES, "a photo of a {} part.")
    torch.testing.assert_close(start.class_embeds(), expected, atol=1e-5, rtol=0)


def test_a_random_start_depends_on_the_seed_alone(backbone: ClipBackbone) -> None:
    first, again, other = (
        untuned(backbone, CLASSES, PRESETS["paper"]["textual"], template="{}", seed=seed)
        for seed in (1, 1, 2)
    )
    assert torch.equal(first.ctx, again.ctx)
    assert not torch.equal(first.ctx, other.ctx)
    assert len(first.ctx) == 16


def test_a_template_without_words_to_tune_says_what_to_do(backbone: ClipBackbone) -> None:
    with pytest.raises(ConfigError, match=r"no words before {}.*--preset paper"):
        untuned(backbone, CLASSES, Method(), template="{} photo", seed=0)


def test_every_round_starts_from_the_untuned_prompt_which_never_changes(
    backbone: ClipBackbone,
) -> None:
    start = untuned(backbone, CLASSES, Method(), template="a photo of a {}.", seed=0)
    before = start.ctx.clone()
    noise = torch.Generator().manual_seed(0)
    images = torch.randn(40, backbone.embed_dim, generator=noise)
    images = torch.nn.functional.normalize(images, dim=1)
    probs = torch.full((40, 4), 0.25)
    keep_on = Method(stop_below=0.0, stop=())
    task, ks = ul(40, 4), [2, 2]
    done = list(learn(start, images, task, Reached(0, probs), ks=ks, method=keep_on, seed=0))
    assert torch.equal(start.ctx, before)
    reached = Reached(1, done[0].probs, done[0].changed)
    alone = next(learn(start, images, task, reached, ks=ks, method=keep_on, seed=0))
    tuned = [last.learner.prompt.learned()["ctx"] for last in (alone, done[1])]
    assert torch.equal(*tuned)


def test_the_default_takes_its_other_method_where_labels_abound() -> None:
    default, paper = PRESETS["default"]["textual"], PRESETS["paper"]["textual"]
    two_classes = torch.arange(60) % 2
    two_classes[:10] = -1
    few = torch.full((60,), -1)
    few[:20] = torch.arange(20) % 2
    assert default.suited_to(ssl(two_classes, 2)) == default.many_labels
    assert default.suited_to(ssl(few, 2)) == default.suited_to(ul(9, 2)) == default
    assert default.suited_to(ssl(torch.tensor([0, 0, 1, 1, -1]), 2)) == default
    assert default.suited_to(ul(0, 2)) == default
    assert paper.suited_to(ssl(two_classes, 2)) == paper


def test_a_method_comes_back_from_its_facts() -> None:
    for method in (m for methods in PRESETS.values() for m in methods.values()):
        assert Method.from_facts(method.facts()) == replace(method, many_labels=None)


def test_two_versions_of_a_method_never_share_a_fingerprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    method = Method()
    known = {method.fingerprint()}
    for name, value in DEFAULT.values().items():
        small = value / 2 if isinstance(value, float) else value + 1
        other = replace(method, refinement=DEFAULT.with_values({name: small}))
        known.add(other.fingerprint())
    known |= {replace(method, refine="auto").fingerprint()}
    known |= {replace(method, recipe=Recipe(steps=7)).fingerprint()}
    known |= {replace(method, banks=BankSettings(power=1.0)).fingerprint()}
    known |= {replace(method, alarm=AlarmLimits(departure=0.5)).fingerprint()}
    monkeypatch.setattr("clipgrip.method.REVISION", 1000)
    known |= {method.fingerprint()}
    assert len(known) == len(DEFAULT.values()) + 6


def test_facts_of_other_versions_are_read_with_the_numbers_that_are_known() -> None:
    facts = replace(Method(), refinement=Refinement(neighbours=7)).facts()
    facts["refinement"]["from_a_later_version"] = 1
    assert Method.from_facts(facts).refinement == Refinement(neighbours=7)
    del facts["refinement"]
    assert Method.from_facts(facts).refinement == Refinement()


def test_every_number_of_a_method_travels_through_json_and_a_missing_one_is_todays() -> None:
    banks, alarm = BankSettings(sharpness=(1.0, 2.0)), AlarmLimits(departure=0.5)
    facts = json.loads(json.dumps(Method(banks=banks, alarm=alarm, head=HeadSettings()).facts()))
    again = Method.from_facts(facts)
    assert (again.banks, again.alarm, again.head) == (banks, alarm, HeadSettings())
    facts["banks"]["from_a_later_version"] = facts["alarm"]["from_a_later_version"] = 1
    assert Method.from_facts(facts) == again
    del facts["banks"], facts["alarm"]
    assert Method.from_facts(facts).banks == BankSettings()
    assert Method.from_facts(facts).alarm == AlarmLimits()


CHEAP = Method(recipe=Recipe(steps=2), stop_below=0.0, stop=())


RULES = (*SELECTORS, *selectors.rules(selectors.Known(torch.eye(2), (torch.eye(2),))))


@pytest.fixture
def registered() -> Iterator[None]:
    """The rules and losses of benchmarks/research too, over 40 rows."""
    before = dict(SELECTORS), dict(LOSSES)
    draw = torch.Generator().manual_seed(1)
    votes = torch.randn(40, len(CLASSES), generator=draw).softmax(1)
    selectors.register(selectors.Known(torch.eye(40), (votes,)))
    yield
    for ours, was in zip((SELECTORS, LOSSES), before, strict=True):
        ours.clear()
        ours.update(was)


@pytest.mark.parametrize("loss", [*LOSSES, *losses.LOSSES])
@pytest.mark.parametrize("select", RULES)
@pytest.mark.usefixtures("registered")
def test_every_rule_and_loss_can_be_chosen_by_name(
    select: str, loss: str, backbone: ClipBackbone
) -> None:
    method = replace(CHEAP, select=select, recipe=replace(CHEAP.recipe, loss=loss))
    start = untuned(backbone, CLASSES, method, template="a photo of a {}.", seed=0)
    images = torch.nn.functional.normalize(
        torch.randn(40, backbone.embed_dim, generator=torch.Generator().manual_seed(0)), dim=1
    )
    probs = torch.randn(40, len(CLASSES), generator=torch.Generator().manual_seed(1)).softmax(1)
    task, reached = ul(40, len(CLASSES)), Reached(0, probs)

    def run() -> list[Round]:
        given: dict[str, Any] = {"ks": [3, 6], "method": method, "seed": 0}
        return list(learn(start, images, task, reached, **given))

    done = run()
    assert len(done) == 2
    assert all(torch.isfinite(one.probs).all() for one in done)


def test_the_temperature_is_that_of_zero_shot_in_every_round_resumed_or_not(
    backbone: ClipBackbone, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tuned on its labels a prompt is sure of them; fitted there, soft targets would become one-hot.

    Nor are soft targets softened again in each round.
    """
    seen: list[float] = []
    plain = SELECTORS["everything"]

    def everything(probs: Probs, k: int, temperature: float = 1.0) -> Chosen:
        seen.append(temperature)
        return plain(probs, k, temperature)

    monkeypatch.setitem(SELECTORS, "everything", everything)
    method = replace(CHEAP, select="everything", recipe=Recipe(steps=20))
    start = untuned(backbone, CLASSES, method, template="a photo of a {}.", seed=0)
    draw = torch.Generator().manual_seed(0)
    images = torch.nn.functional.normalize(
        torch.randn(60, backbone.embed_dim, generator=draw), dim=1
    )
    probs = (2 * torch.randn(60, len(CLASSES), generator=draw)).softmax(1)
    labels = torch.where(torch.arange(60) < 30, torch.arange(60) % len(CLASSES), -1)
    task = ssl(labels, len(CLASSES))
    given: dict[str, Any] = {"ks": [9, 9, 9], "method": method, "seed": 0}
    done = list(learn(start, images, task, Reached(0, probs), **given))
    expected = fitted_temperature(probs[:30], labels[:30])
    assert seen == [expected, 1.0, 1.0]
    assert expected != pytest.approx(fitted_temperature(done[0].probs[:30], labels[:30]), rel=0.1)
    reached = Reached(2, done[1].probs, done[1].changed, first=probs)
    (last,) = learn(start, images, task, reached, **given)
    assert torch.equal(last.probs, done[2].probs)


@pytest.mark.parametrize(
    "names",
    [{"select": "no"}, {"recipe": Recipe(loss="no")}, {"refine": "no"}, {"stop": ("no",)}],
)
def test_a_name_that_nobody_knows_is_refused_when_a_method_is_made(names: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r'"no"(\. K| is unknown; k)nown'):
        Method(**names)
    with pytest.raises(ConfigError, match=r'"no"'):
        replace(CHEAP, **names)


@pytest.mark.parametrize(
    "names", [{"select": "margin"}, {"recipe": Recipe(loss="partial-label")}, {"select": "models"}]
)
def test_a_rule_or_loss_that_went_is_refused_with_what_is_allowed(names: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"Known: (balanced, everything|cross-entropy)\."):
        Method(**names)


def test_a_run_whose_rule_or_loss_went_since_is_opened_with_the_defaults() -> None:
    facts = json.loads(json.dumps(replace(CHEAP, select="everything").facts()))
    facts["recipe"]["loss"] = "symmetric"
    again = Method.from_facts(facts)
    assert (again.select, again.recipe) == ("everything", CHEAP.recipe)
    facts["select"] = "class-threshold"
    assert Method.from_facts(facts) == CHEAP


def test_a_run_whose_stop_rule_went_since_is_opened_as_it_stands() -> None:
    facts = CHEAP.facts() | {"stop": ("settled", "collapse")}
    assert Method.from_facts(facts).stop == ("collapse",)
