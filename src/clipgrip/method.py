"""Named ways to run the strategy, and the one function that runs them on image embeddings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from clipgrip.fewshot.head import HeadSettings
from clipgrip.fewshot.teacher import Teacher, teaches, validate
from clipgrip.prompts.base import Prompt
from clipgrip.pseudolabel.bank_weights import BankSettings
from clipgrip.pseudolabel.calibration import fitted_temperature
from clipgrip.pseudolabel.refine import check_method
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT, PoolRefiner, Refiner
from clipgrip.pseudolabel.refine.settings import Refinement
from clipgrip.pseudolabel.schedule import SCHEDULES
from clipgrip.pseudolabel.schedule import schedule as schedule
from clipgrip.pseudolabel.select import SELECTORS, selector
from clipgrip.pseudolabel.stop import RULES, AlarmLimits, check_rules
from clipgrip.seeds import generator
from clipgrip.strategy import Reached, Round, Watch, rounds
from clipgrip.task import Task
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loop import PAPER_RECIPE, Recipe
from clipgrip.training.loss import LOSSES, loss_named
from clipgrip.training.state import Keeper
from clipgrip.types import ClassEmbeds, ImageEmbeds, Probs, WideEmbeds


@dataclass(frozen=True)
class Method:
    """Every number and choice that decides the answers, apart from the strategy and its k."""

    init: Literal["template", "random"] = "template"
    """Whether a prompt starts from a template's words or at random, as in the paper."""
    n_ctx: int = 16
    """Context vectors of a random start; a template's words determine their own number."""
    n_tokens: int = 16
    """Tokens in the image tower, for prompts that have some."""
    recipe: Recipe = field(default_factory=Recipe)
    labeled_share: float | None = 0.5
    """Weight of the labels against the pseudolabels; None for the paper's γ and λ."""
    select: str = "balanced"
    """The selection rule (``pseudolabel.select.SELECTORS``)."""
    refine: str = "zero-shot"
    """The refinement of answers before pseudolabels are chosen (``pseudolabel.REFINERS``); "zero-shot": none."""
    refinement: Refinement = field(default_factory=Refinement, repr=False)
    """The numbers of the refinement."""
    banks: BankSettings = field(default_factory=BankSettings, repr=False)
    """The numbers of the eyes' weights."""
    head: HeadSettings | None = None
    """The numbers of the head beside the prompt; None: labels and pseudolabels tune the prompt and nothing else."""
    stop_below: float = 0.01
    """Once a smaller share of the answers changes in a round, only the last k is left to run."""
    stop: tuple[str, ...] = ("collapse",)
    """Rules of ``pseudolabel.stop.RULES`` that end the rounds and go back to the best of them."""
    alarm: AlarmLimits = field(default_factory=AlarmLimits, repr=False)
    """The thresholds of these rules."""
    many_labels: Method | None = None
    """The method to take instead if more images are labeled than unlabeled (`suited_to`)."""

    def __post_init__(self) -> None:
        """ConfigError where a selection rule, loss, refinement or stop rule has an unknown name."""
        selector(self.select)
        loss_named(self.recipe.loss)
        check_method(self.refine)
        check_rules(self.stop)

    def suited_to(self, task: Task) -> Method:
        """``many_labels`` if most images are labeled, with `MANY_PER_CLASS` or more per labeled class; else itself."""
        per_class = len(task.labeled) / max(1, len(task.labels[task.labeled].unique()))
        abound = len(task.labeled) > len(task.unlabeled) and per_class >= MANY_PER_CLASS
        return self.many_labels if self.many_labels and abound else self

    def facts(self) -> dict[str, Any]:
        """All values as plain data for metrics.json and `from_facts`, without ``many_labels``."""
        return asdict(replace(self, many_labels=None))

    def fingerprint(self) -> str:
        """Sixteen hex digits over all values and `REVISION`, so that no two versions of a method share them."""
        text = json.dumps({"revision": REVISION, **self.facts()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Method:
        """The method that `facts` gave. Numbers of its parts may be missing (then today's default) or be unknown.

        A stop rule that went since is left out; for a selection rule or loss that went stands the default's.
        """
        head, recipe = facts.get("head"), Recipe(**facts["recipe"])
        values = {
            **facts,
            "recipe": recipe,
            "refinement": Refinement.from_facts(facts.get("refinement", {})),
            "banks": BankSettings(**_known(BankSettings, facts.get("banks", {}))),
            "alarm": AlarmLimits(**_known(AlarmLimits, facts.get("alarm", {}))),
            "head": None if head is None else HeadSettings.from_facts(head),
        }
        # what went since does not keep a finished run from being opened: no round is chosen or learned again
        values["stop"] = tuple(name for name in facts.get("stop", ()) if name in RULES)
        if facts.get("select") not in SELECTORS:
            values["select"] = cls.select
        if recipe.loss not in LOSSES:
            values["recipe"] = replace(recipe, loss=Recipe.loss)
        return cls(**values)


def _known(kind: type[Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that this version has, from JSON: lists become tuples again."""
    found = {one.name: facts[one.name] for one in fields(kind) if one.name in facts}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}


REVISION = 9
"""To be raised when a change of code changes an answer and no value of `Method` shows it. The test of
tests/pseudolabel/golden.json finds such changes."""


MANY_PER_CLASS = 16
"""Labels per labeled class from which there can be many: the paper's K. Fewer are few-shot tuning."""
PIXEL_RECIPE = Recipe(lr=0.03, steps=60, batch_size=64, weight_decay=0.0)
"""For prompts in the image tower, where each image of a batch costs a pass through it."""
_TRUST_ALL: dict[str, Any] = {"select": "everything", "refine": "auto", "head": HeadSettings()}
"""All images with refined probabilities as soft targets (docs/decisions/0005), and a head beside the prompt where
people gave labels (docs/decisions/0028)."""
_VISUAL = Method(n_tokens=8, recipe=PIXEL_RECIPE, **_TRUST_ALL)
_MANY_LABELS = Method(init="random", recipe=Recipe(steps=300), **_TRUST_ALL)
_PAPER = Method(
    init="random",
    recipe=PAPER_RECIPE,
    labeled_share=None,
    select="balanced",
    stop_below=0.0,
    stop=(),
)
PRESETS: dict[str, dict[str, Method]] = {
    "default": {
        "textual": Method(many_labels=_MANY_LABELS, **_TRUST_ALL),
        "visual": _VISUAL,
        "visual-deep": _VISUAL,
        "multimodal": Method(
            n_ctx=4, n_tokens=4, recipe=replace(PIXEL_RECIPE, lr=0.003), **_TRUST_ALL
        ),
    },
    "paper": {
        "textual": _PAPER,
        "visual": _PAPER,
        "visual-deep": _PAPER,
        "multimodal": replace(_PAPER, n_ctx=4, n_tokens=4, recipe=replace(PAPER_RECIPE, lr=0.01)),
    },
}
"""By preset and kind of prompt."""
PROMPTS = tuple(PRESETS["default"])
STRATEGIES = ("zero-shot", "supervised", *SCHEDULES)


def learn(
    start: Prompt,
    inputs: Tensor,
    task: Task,
    reached: Reached,
    *,
    ks: Sequence[int],
    method: Method,
    seed: int,
    on_step: Callable[[int, int, float], None] = lambda *_: None,
    keeper: Keeper | None = None,
    image_embeds: WideEmbeds | None = None,
    refine: Refiner | None = None,
    teacher: Teacher | None = None,
    beside: Tensor | None = None,
    texts: ClassEmbeds | None = None,
) -> Iterator[Round]:
    """The rounds of a method after ``reached``: `strategy.rounds`, whose arguments these are, as the method says.

    ``inputs`` (N, ...) are the pool, as the prompt ``start`` consumes it. ``image_embeds`` (N, W) are the untuned
    model's embeddings with the eyes' columns, by which images are compared; by default the inputs as ``start`` embeds
    them. ``beside`` (N, e) are the eyes' columns where the inputs are pixels. ``refine`` is a `refiner_of` the method
    that has been at work already. With a ``teacher`` (`teacher_of`), ``reached`` begins with its answers instead of
    zero-shot's.
    """
    zero_shot = reached.zero_shot
    learner = PromptLearner(start, inputs, method.recipe, method.labeled_share, beside)
    embeds = learner.image_embeds() if image_embeds is None else image_embeds
    if refine is None:
        eyes = _eye_columns(embeds, start)
        refine = refiner_of(method, embeds, zero_shot, teacher, eye_columns=eyes)
    is_watched = any(ks) and bool(method.stop)
    return rounds(
        *(learner, task, reached),
        ks=ks,
        seed=seed,
        select=selector(method.select),
        refine=refine,
        teacher=teacher,
        head=method.head,
        texts=texts,
        temperature=_temperature(reached, task, method),
        stop_below=method.stop_below,
        watch=Watch.over(task, zero_shot, embeds, method.alarm) if is_watched else None,
        on_step=on_step,
        keeper=keeper,
    )


def _eye_columns(image_embeds: WideEmbeds, prompt: Prompt) -> int:
    """How many of the last columns are eyes': as many as the images have more than the class embeddings."""
    with torch.no_grad():
        return image_embeds.shape[1] - prompt.class_embeds().shape[1]


def teacher_of(
    method: Method,
    task: Task,
    image_embeds: WideEmbeds,
    zero_shot: Probs | None,
    texts: ClassEmbeds | None,
    *,
    seed: int,
    eye_columns: int = 0,
) -> Teacher | None:
    """The teacher of a task's labels, cross-validated; None where the method has no head or the task suits none.

    ``zero_shot`` (N, C) are the text's answers for the pool, ``texts`` (C, D) its class embeddings; both are None if
    the classes have no text. The last ``eye_columns`` of ``image_embeds`` are what eyes see.
    """
    if method.head is None or not teaches(method.head, task):
        return None
    teacher = Teacher.of(image_embeds, zero_shot, task, method.head, texts)
    checked = validate(
        teacher,
        image_embeds,
        zero_shot,
        method=method.refine,
        refinement=method.refinement,
        generator=generator(seed, "held out"),
        eye_columns=eye_columns,
    )
    return teacher.validated(checked)


def refiner_of(
    method: Method,
    image_embeds: ImageEmbeds,
    first: Probs,
    teacher: Teacher | None = None,
    *,
    eye_columns: int = 0,
) -> PoolRefiner:
    """The refiner of a pool whose rounds begin with the answers ``first`` (N, C).

    It refines nothing if the teacher's held-out labels are answered worse with unlabeled images.
    """
    name = method.refine if teacher is None or teacher.uses_unlabeled else ZERO_SHOT
    return PoolRefiner.of(name, image_embeds, first, method.refinement, eye_columns=eye_columns)


def _temperature(reached: Reached, task: Task, method: Method) -> float:
    """The temperature of zero-shot's answers by the labels. Not of a tuned prompt's: it has learned these labels.

    1 where answers are refined, which sets their confidence itself.
    """
    if method.refine != "zero-shot":
        return 1.0
    return fitted_temperature(reached.zero_shot[task.labeled], task.labels[task.labeled])
