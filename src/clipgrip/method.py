"""Named ways to run the strategy, and the one function that runs them on image embeddings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

import torch
from torch import Tensor

from clipgrip.errors import ConfigError
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
from clipgrip.pseudolabel.select import selector
from clipgrip.pseudolabel.select.chosen import Context
from clipgrip.pseudolabel.stop import RULES, AlarmLimits, check_rules
from clipgrip.seeds import generator
from clipgrip.strategy import Reached, Round, Watch, rounds
from clipgrip.task import Task
from clipgrip.training.learner import PromptLearner
from clipgrip.training.loop import PAPER_RECIPE, Recipe
from clipgrip.training.loss import loss_named
from clipgrip.training.state import Keeper
from clipgrip.types import ClassEmbeds, ImageEmbeds, Probs, WideEmbeds


@dataclass(frozen=True)
class Method:
    """Everything that decides how a prompt is tuned, apart from the strategy and its numbers."""

    init: Literal["template", "random"] = "template"
    n_ctx: int = 16
    """Context vectors of a random start; a template brings its own words."""
    n_tokens: int = 16
    """Tokens in the image tower, for prompts that have some."""
    recipe: Recipe = field(default_factory=Recipe)
    labeled_share: float | None = 0.5
    """Weight of the labels against the pseudolabels; None for the paper's γ and λ."""
    select: str = "balanced"
    """A rule of ``pseudolabel.select.SELECTORS``; the loss is a part of the recipe. "models" wants `learn`'s ``votes``,
    which only Python can give: it is no better than the default (docs/decisions/0012), so no command offers it."""
    refine: str = "zero-shot"
    """How answers are bettered before a round labels by them (``pseudolabel.REFINERS``); "zero-shot": not at all."""
    refinement: Refinement = field(default_factory=Refinement, repr=False)
    """Every number of that."""
    banks: BankSettings = field(default_factory=BankSettings, repr=False)
    """Every number of how much each eye counts."""
    head: HeadSettings | None = None
    """Every number of what labels teach beside the prompt; None: labels tune the prompt and nothing else."""
    stop_below: float = 0.01
    """Once a smaller share of the answers changes in a round, only the last k is left to run."""
    stop: tuple[str, ...] = ("collapse",)
    """Rules of ``pseudolabel.stop.RULES`` that end the rounds and go back to the best of them."""
    alarm: AlarmLimits = field(default_factory=AlarmLimits, repr=False)
    """What these let pass."""
    many_labels: Method | None = None
    """Taken instead where people labeled more of the images than they left unlabeled."""

    def __post_init__(self) -> None:
        """ConfigError where a rule, a loss or a way to refine has a name that nobody knows."""
        selector(self.select)
        loss_named(self.recipe.loss)
        check_method(self.refine)
        check_rules(self.stop)

    def suited_to(self, task: Task) -> Method:
        """This method, or what it prefers where labels abound."""
        per_class = len(task.labeled) / max(1, len(task.labels[task.labeled].unique()))
        abound = len(task.labeled) > len(task.unlabeled) and per_class >= MANY_PER_CLASS
        return self.many_labels if self.many_labels and abound else self

    def facts(self) -> dict[str, Any]:
        """What it is, without what it would have been on another task."""
        return asdict(replace(self, many_labels=None))

    def fingerprint(self) -> str:
        """Sixteen hex digits over all that it is: two versions of a method never share them."""
        text = json.dumps({"revision": REVISION, **self.facts()}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> Method:
        """The method that ``facts`` came from; older facts lack the refinement's numbers, newer ones may have more."""
        head = facts.get("head")
        values = {
            **facts,
            "recipe": Recipe(**facts["recipe"]),
            "refinement": Refinement.from_facts(facts.get("refinement", {})),
            "banks": BankSettings(**_known(BankSettings, facts.get("banks", {}))),
            "alarm": AlarmLimits(**_known(AlarmLimits, facts.get("alarm", {}))),
            "head": None if head is None else HeadSettings.from_facts(head),
        }
        # a rule that went since does not keep a finished run from being opened
        rules = tuple(name for name in facts.get("stop", ()) if name in RULES)
        return cls(**{**values, "stop": rules})


def _known(kind: type[Any], facts: Mapping[str, Any]) -> dict[str, Any]:
    """Of what JSON keeps of a value that which this version has too; what is missing is then today's."""
    found = {one.name: facts[one.name] for one in fields(kind) if one.name in facts}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in found.items()}


REVISION = 9
"""To be raised when code changes an answer and no number above tells so; tests/pseudolabel/golden.json finds out."""


MANY_PER_CLASS = 16
"""Labels per labeled class from which they can abound: the paper's K. Fewer are few-shot tuning."""
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
    votes: Sequence[Probs] = (),
    image_embeds: ImageEmbeds | None = None,
    refine: Refiner | None = None,
    teacher: Teacher | None = None,
    beside: Tensor | None = None,
) -> Iterator[Round]:
    """The rounds after ``reached`` over the pool (N, ...), as the prompt consumes it.

    ``votes`` are other models' answers (N, C) for the rule "models". ``image_embeds`` (N, D) are the untuned model's,
    for what compares images; where ``inputs`` are embeddings they are those. ``refine`` is the method's refiner where
    it has been at work already. ``teacher`` is what the labels teach (`teacher_of`); ``reached`` then begins with its
    answers. ``beside`` (N, e) are the columns that eyes add to ``image_embeds``, where ``inputs`` are pixels.

    Raises:
        ConfigError: the method names an unknown rule or loss, two that do not go together, or the rule "models" without
            votes.
    """
    select = selector(method.select)
    check_pair(method)
    if method.select == "models" and any(ks) and not votes:
        raise ConfigError(
            'the rule "models" compares the answers of several models, and only one answers here. '
            "Give learn(..., votes=[PROBS]), another model's (N, C) answers, or choose another rule."
        )
    learner = PromptLearner(start, inputs, method.recipe, method.labeled_share, beside)
    embeds = learner.image_embeds() if image_embeds is None else image_embeds
    return rounds(
        learner,
        task,
        reached,
        ks=ks,
        seed=seed,
        select=select,
        refine=refine
        or refiner_of(
            method, embeds, reached.zero_shot, teacher, eye_columns=_eye_columns(embeds, start)
        ),
        teacher=teacher,
        head=method.head,
        context=replace(
            _context(start, inputs, method, votes), temperature=_temperature(reached, task, method)
        ),
        stop_below=method.stop_below,
        watch=Watch.over(task, reached.zero_shot, embeds, method.alarm)
        if any(ks) and method.stop
        else None,
        on_step=on_step,
        keeper=keeper,
    )


def _eye_columns(image_embeds: WideEmbeds, prompt: Prompt) -> int:
    """How many of the last columns are what eyes see: the text reads only the first."""
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
    """What the task's labels teach, held-out answers included; None where the method or the task asks for none.

    Without a text there are neither its answers for the pool, ``zero_shot``, nor its ``texts`` (C, D). The last
    ``eye_columns`` of ``image_embeds`` are what eyes see.
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
    """The refiner of a pool whose rounds begin with the answers ``first``; it leaves them where labels say so."""
    name = method.refine if teacher is None or teacher.uses_unlabeled else ZERO_SHOT
    return PoolRefiner.of(name, image_embeds, first, method.refinement, eye_columns=eye_columns)


def _temperature(reached: Reached, task: Task, method: Method) -> float:
    """What the labels say of zero-shot's confidence: a tuned prompt has learned them and is far surer of them.

    1 where answers are refined: that calibrates them, and their labeled rows are one-hot.
    """
    if method.refine != "zero-shot":
        return 1.0
    return fitted_temperature(reached.zero_shot[task.labeled], task.labels[task.labeled])


def check_pair(method: Method) -> None:
    """ConfigError where the rule's targets give the loss nothing to learn."""
    if (method.select, method.recipe.loss) == ("everything", "partial-label"):
        raise ConfigError(
            'the rule "everything" calls every class possible, and the loss "partial-label" then asks for nothing. '
            'Take the loss "cross-entropy", or the rule "candidate-sets".'
        )


def _context(start: Prompt, inputs: Tensor, method: Method, votes: Sequence[Probs]) -> Context:
    """What selection may know of the pool; embeddings only where the rule compares them."""
    embeds = PromptLearner(start, inputs).image_embeds() if method.select == "neighbours" else None
    return Context(embeds, votes=tuple(votes))
