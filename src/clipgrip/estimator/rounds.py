"""The rounds of a fit, and the reason if fewer were run than asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

import clipgrip
from clipgrip.fewshot.joint import Joint
from clipgrip.prompts.base import Prompt
from clipgrip.pseudolabel.stop import stop_sentence
from clipgrip.runs.prepare import Prepared
from clipgrip.runs.rounds import name_of_round
from clipgrip.strategy import Round, best_round

Say = Callable[[str], None]
"""Takes a sentence about the fit while it goes on."""
ONLY_LABELS = "no round: without class_embeds the labels alone are learned from"


def silent(_: str) -> None:
    """Nobody asked."""


@dataclass(frozen=True)
class FittedRounds:
    """The rounds that were run, the best round's prompt (None for zero-shot) and what joins it with heads."""

    rounds: list[Round]
    tuned: Prompt | None
    joint: Joint | None
    reason: str


def run_rounds(ready: Prepared, inputs: Tensor, say: Say) -> FittedRounds:
    """All rounds of the settings' strategy; ``inputs`` (N, ...) are the pool as the prompt consumes it."""
    teacher, rounds = ready.teacher, list[Round]()
    with few_threads():
        for done in ready.learn(inputs):
            rounds.append(done)
            say(_line(done, len(ready.worthwhile_ks)))
    best, reason = best_round(rounds), _why_fewer(ready, rounds)
    if reason:
        say(reason)
    if best is None:
        if teacher is None:
            return FittedRounds(rounds, None, None, reason)
        pool, text = (
            ready.embeds.pool_joined,
            (ready.start.zero_shot, ready.start.prompt.logit_scale),
        )
        joint = teacher.joint(pool).reluctant(
            pool, text, teacher.weights.may_lose(teacher.settings)
        )
        return FittedRounds(rounds, None, joint, reason)
    return FittedRounds(rounds, best.learner.prompt, best.joint, reason)


@contextmanager
def few_threads() -> Iterator[None]:
    """Half of torch's threads while prompts are tuned, if torch was imported first and its threads spin while waiting.

    Spinning threads take the cores from the work of a busy machine (docs/decisions/0004).
    """
    before = torch.get_num_threads()
    if clipgrip.THREADS_SPIN and before > 1:
        torch.set_num_threads(before // 2)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _line(done: Round, planned: int) -> str:
    """A line on a finished round."""
    return (
        f"round {done.number} of {planned}: {len(done.pseudolabels.rows):,} pseudolabels, "
        f"{done.changed:.1%} of the answers changed"
    )


def _why_fewer(ready: Prepared, rounds: Sequence[Round]) -> str:
    """Why fewer rounds were run than asked for, or count; empty where it is all of them."""
    asked, planned, worthwhile = ready.settings.rounds, len(ready.ks), len(ready.worthwhile_ks)
    if rounds and (stop := rounds[-1].stop):
        reason = stop_sentence(stop.reason)
        back = name_of_round(stop.best, taught=ready.teacher is not None)
        return f"stopped in round {rounds[-1].number}: {reason}; the answers are those of {back}"
    if len(rounds) < worthwhile:
        below = f"{ready.method.stop_below:.0%}"
        return f"{_of(rounds, planned)}: in one of them fewer than {below} of the answers changed"
    if worthwhile < planned:
        what = "the labels alone" if ready.worthwhile_ks == [0] else "the last"
        return f"{_of(rounds, planned)}, {what}: held-out labels do not say that more would help"
    if asked and planned < asked:
        if not planned or len(ready.task.unlabeled):
            return f'{_of(rounds, asked)}: the strategy "{ready.settings.strategy}" has no more'
        return f"{_of(rounds, asked)}: no image is left without a label"
    return ""


def _of(rounds: Sequence[Round], asked: int) -> str:
    return f"{len(rounds) or 'none'} of {asked} rounds"
