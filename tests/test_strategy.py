"""The rounds: choose, tune from the untuned prompt, answer, and again."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from builders import backbone, pool

from benchmarks.research.selectors import own_best_class
from clipgrip.prompts.textual import TextualPrompt
from clipgrip.pseudolabel.refine.answers import Refined
from clipgrip.pseudolabel.refine.reasons import Reason
from clipgrip.pseudolabel.schedule import SCHEDULES
from clipgrip.pseudolabel.select.top import balanced, everything
from clipgrip.seeds import generator
from clipgrip.strategy import Reached, Round, Watch, best_round, choose, rounds, short_classes
from clipgrip.task import Task, ssl, trzsl, ul
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loop import Recipe
from clipgrip.types import Probs

ROWS, CLASSES = 40, 4
IMAGES, TRUTH = pool(ROWS, CLASSES)
SOME = torch.where(torch.arange(ROWS) < 8, TRUTH, -1)
SEEN = torch.where(TRUTH < 2, TRUTH, -1)
TASKS = {"UL": ul(ROWS, CLASSES), "SSL": ssl(SOME, CLASSES), "TRZSL": trzsl(SEEN, CLASSES, [0, 1])}


def untuned(images: torch.Tensor = IMAGES, batch_size: int = 4096) -> PromptLearner:
    names = ["a", "b c", "d", "e f g"]
    prompt = TextualPrompt.random(backbone(), names, n_ctx=3, generator=generator(0, "ctx"))
    return PromptLearner(prompt, images, Recipe(steps=4, lr=0.02, batch_size=batch_size))


def start(images: torch.Tensor = IMAGES) -> Reached:
    return Reached(0, untuned(images).predict_proba())


def run(task: Task, ks: list[int], reached: Reached | None = None, **options: Any) -> list[Round]:
    return list(rounds(untuned(), task, reached or start(), ks=ks, **({"seed": 0} | options)))


def ctx(of: Round) -> torch.Tensor:
    return of.learner.prompt.learned()["ctx"]


def assert_equal(first: Round, second: Round) -> None:
    assert (first.number, first.k, first.changed) == (second.number, second.k, second.changed)
    assert torch.equal(ctx(first), ctx(second))
    assert torch.equal(first.probs, second.probs)
    for name in ("rows", "targets", "confidence"):
        assert torch.equal(getattr(first.pseudolabels, name), getattr(second.pseudolabels, name))


@pytest.mark.parametrize("strategy", SCHEDULES)
@pytest.mark.parametrize("paradigm", TASKS)
def test_each_of_the_nine_cells_runs_all_its_rounds(paradigm: str, strategy: str) -> None:
    task = TASKS[paradigm]
    ks = SCHEDULES[strategy](
        n_unlabeled=len(task.unlabeled), n_candidates=len(task.candidate_classes), k=2, rounds=3
    )
    done = run(task, ks)
    assert [(r.number, r.k) for r in done] == list(enumerate(ks, start=1))
    for r in done:
        assert set(r.pseudolabels.rows.tolist()) <= set(task.unlabeled.tolist())
        assert set(r.pseudolabels.labels.tolist()) <= set(task.candidate_classes.tolist())
        assert r.probs.shape == (ROWS, CLASSES)


@pytest.mark.parametrize("select", [balanced, own_best_class])
def test_pseudolabels_are_of_candidates_even_where_a_seen_class_is_surer(select: Any) -> None:
    probs = torch.tensor([0.9, 0.05, 0.03, 0.02]).expand(ROWS, CLASSES)
    chosen = choose(probs, TASKS["TRZSL"], 3, select)
    assert set(chosen.labels.tolist()) <= {2, 3}
    assert set(chosen.rows.tolist()) <= set(TASKS["TRZSL"].unlabeled.tolist())
    assert chosen.confidence.max().item() == pytest.approx(0.6)  # 0.03 of 0.05


def test_rows_are_of_the_pool_and_not_of_the_unlabeled_part() -> None:
    probs = torch.full((ROWS, CLASSES), 0.1)
    probs[torch.arange(ROWS), TRUTH] = 0.7
    chosen = choose(probs, TASKS["SSL"], 100, balanced)
    assert chosen.rows.tolist() == list(range(8, ROWS))
    assert torch.equal(chosen.labels, TRUTH[8:])


def test_each_round_starts_from_the_untuned_prompt() -> None:
    """The last round alone, from the answers before it and with its own batches, is the last of the whole run."""
    first = untuned(batch_size=7)
    kept = first.prompt.learned()["ctx"].clone()
    done = list(rounds(first, TASKS["SSL"], start(), ks=[2, 4, 8], seed=0))
    assert torch.equal(first.prompt.learned()["ctx"], kept)
    chosen = choose(done[1].probs, TASKS["SSL"], 8, balanced)
    alone = untuned(batch_size=7).fit(TASKS["SSL"], chosen, generator=generator(0, "round", 3))
    assert torch.equal(alone.prompt.learned()["ctx"], ctx(done[2]))
    assert all(not r.learner.prompt.learned()["ctx"].requires_grad for r in done)


@pytest.mark.parametrize("stop_below", [0.0, 0.3])
@pytest.mark.parametrize("after", [1, 2, 3])
def test_resuming_after_any_round_gives_identical_rounds(after: int, stop_below: float) -> None:
    options = {"stop_below": stop_below}
    whole = run(TASKS["SSL"], [1, 2, 4, 8], **options)
    if after > len(whole):
        pytest.skip("the run stopped before")
    last = whole[after - 1]
    rest = run(
        TASKS["SSL"], [1, 2, 4, 8], Reached(last.number, last.probs, last.changed), **options
    )
    assert len(rest) == len(whole) - after
    for first, second in zip(whole[after:], rest, strict=True):
        assert_equal(first, second)


def test_a_finished_run_has_nothing_left() -> None:
    assert run(TASKS["UL"], [2, 2], Reached(2, start().probs)) == []
    assert run(TASKS["UL"], []) == []


def test_a_seed_determines_all_and_torchs_global_numbers_nothing() -> None:
    def once(seed: int) -> Round:
        torch.rand(3)
        return list(rounds(untuned(batch_size=7), TASKS["SSL"], start(), ks=[2, 4], seed=seed))[-1]

    assert_equal(once(0), once(0))
    assert not torch.equal(ctx(once(0)), ctx(once(1)))


def test_settled_answers_leave_only_the_last_k_to_run() -> None:
    assert [r.number for r in run(TASKS["UL"], [1, 2, 3, 4], stop_below=1.0)] == [1, 4]
    assert [r.number for r in run(TASKS["UL"], [1, 2, 3, 4], stop_below=0.0)] == [1, 2, 3, 4]


def test_settled_answers_with_the_last_k_end_the_run() -> None:
    settled = Reached(1, start().probs, changed=0.001)
    assert run(TASKS["UL"], [4, 4, 4], settled, stop_below=0.01) == []
    assert [r.number for r in run(TASKS["UL"], [1, 4, 4], settled, stop_below=0.01)] == [3]
    ready = Reached(2, start().probs, changed=0.01)
    assert len(run(TASKS["UL"], [4, 4, 4], ready, stop_below=0.01)) == 1  # not below: at


def test_changed_is_the_share_of_unlabeled_answers_that_differ() -> None:
    task, reached = TASKS["SSL"], start()
    (done,) = run(task, [4], reached)
    before, after = (p[task.unlabeled].argmax(1) for p in (reached.probs, done.probs))
    assert done.changed == pytest.approx((before != after).double().mean().item())


def test_a_refiner_changes_what_is_chosen_and_sees_the_task() -> None:
    def truth(probs: Probs, task: Task) -> Refined:
        assert task is TASKS["UL"]
        answers = torch.nn.functional.one_hot(TRUTH, CLASSES).float()
        return Refined(answers, "told", (Reason("{n} were told", n=ROWS),))

    (done,) = run(TASKS["UL"], [5], refine=truth)
    assert (done.refined_by, done.why) == ("told", (f"{ROWS} were told",))
    (alone,) = run(TASKS["SSL"], [0], refine=truth)  # nothing is chosen, so nothing is refined
    assert (alone.refined_by, alone.why) == ("zero-shot", ())
    assert torch.equal(done.pseudolabels.labels, TRUTH[done.pseudolabels.rows])


def test_labels_alone_are_a_round_of_zero_pseudolabels() -> None:
    (done,) = run(TASKS["SSL"], [0])
    assert len(done.pseudolabels.rows) == 0
    before = torch.nn.functional.cross_entropy(untuned().prompt.logits(IMAGES[:8]), TRUTH[:8])
    after = torch.nn.functional.cross_entropy(done.learner.prompt.logits(IMAGES[:8]), TRUTH[:8])
    assert after < before


def test_a_pool_without_unlabeled_rows_learns_from_labels() -> None:
    (done,) = run(ssl(TRUTH, CLASSES), [3])
    assert (len(done.pseudolabels.rows), done.changed) == (0, 0.0)


def test_an_empty_pool_changes_nothing() -> None:
    (done,) = list(rounds(untuned(IMAGES[:0]), ul(0, CLASSES), start(IMAGES[:0]), ks=[2], seed=0))
    assert done.probs.shape == (0, CLASSES)
    assert torch.equal(ctx(done), untuned().prompt.learned()["ctx"])


def test_more_per_class_than_images_takes_all_of_them() -> None:
    (done,) = run(TASKS["UL"], [1000])
    assert done.pseudolabels.rows.tolist() == list(range(ROWS))


def test_classes_short_of_k_are_named_among_candidates_only() -> None:
    probs = torch.tensor([0.1, 0.1, 0.7, 0.1]).expand(ROWS, CLASSES)
    chosen = choose(probs, TASKS["TRZSL"], 3, own_best_class)
    assert short_classes(chosen, TASKS["TRZSL"], 3) == [3]
    assert short_classes(choose(probs, TASKS["TRZSL"], 3, balanced), TASKS["TRZSL"], 3) == []


def test_two_classes_and_one_image_each_are_enough() -> None:
    images, _ = pool(2, 2)
    prompt = TextualPrompt.random(backbone(), ["a", "b"], n_ctx=2, generator=generator(0))
    learner = PromptLearner(prompt, images, Recipe(steps=2))
    reached = Reached(0, learner.predict_proba())
    (done,) = list(rounds(learner, ul(2, 2), reached, ks=[1], seed=0))
    assert sorted(done.pseudolabels.labels.tolist()) == [0, 1]


HALF_RIGHT = 0.1 + 0.6 * torch.nn.functional.one_hot(
    (TRUTH + torch.arange(ROWS) // 4 % 2) % CLASSES, CLASSES
)


def collapsing(calls: list[int], at: int = 3) -> Any:
    """The truth as answers, but from call ``at`` on everything is of class 0."""

    def refined(probs: Probs, task: Task) -> Refined:
        calls.append(len(calls) + 1)
        labels = TRUTH if calls[-1] < at else torch.zeros_like(TRUTH)
        return Refined(torch.nn.functional.one_hot(labels, CLASSES).float(), "collapsing")

    return refined


def watched(calls: list[int], reached: Reached) -> list[Round]:
    task, learner = TASKS["UL"], untuned()
    learner = PromptLearner(learner.prompt, IMAGES, Recipe(steps=60, lr=0.1))
    watch = Watch.over(task, reached.zero_shot, IMAGES)
    return list(
        rounds(
            learner,
            task,
            reached,
            ks=[99] * 6,
            seed=0,
            select=everything,
            refine=collapsing(calls),
            watch=watch,
        )
    )


def test_a_round_that_collapses_is_the_last_and_the_best_before_it_is_kept() -> None:
    begun = Reached(0, HALF_RIGHT)
    done = watched([], begun)
    assert [one.number for one in done] == [1, 2, 3]
    assert [one.stop is None for one in done] == [True, True, False]
    assert done[-1].stop is not None
    assert "swallows" in done[-1].stop.reason
    best = best_round(done)
    assert best is not None
    assert best.number in (1, 2)
    assert best_round(done[:2]) is done[1]
    assert best_round([]) is None


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_watched_run_that_is_resumed_stops_where_it_would_have(after: int) -> None:
    begun = Reached(0, HALF_RIGHT)
    whole = watched([], begun)
    last = whole[after - 1]
    past = tuple(one.summary for one in whole[:after] if one.summary)
    reached = Reached(after, last.probs, last.changed, begun.probs, past)
    rest = watched(list(range(1, after + 1)), reached)
    assert len(rest) == len(whole) - after
    for first, second in zip(whole[after:], rest, strict=True):
        assert_equal(first, second)
        assert (first.summary, first.stop) == (second.summary, second.stop)


def test_candidate_sets_reach_training_as_targets_over_the_candidates_only() -> None:
    probs = torch.randn(ROWS, CLASSES, generator=torch.Generator().manual_seed(0)).softmax(1)
    chosen = choose(probs, TASKS["TRZSL"], 5, everything)
    assert torch.equal(chosen.rows, TASKS["TRZSL"].unlabeled)
    assert not chosen.targets[:, :2].any()
    torch.testing.assert_close(chosen.targets.sum(1), torch.ones(len(chosen.rows)))
