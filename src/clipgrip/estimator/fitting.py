"""One fit: rounds on a pool, and the head for new images that follows from them."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from clipgrip.advice.folders import folder_facts, folder_sentences
from clipgrip.backbone.eyes import check_here
from clipgrip.config import Settings
from clipgrip.data.classes import ClassNames
from clipgrip.data.discover import Images
from clipgrip.data.ingest import Ingested, ingest
from clipgrip.data.issues import LOST, Issues
from clipgrip.errors import ConfigError, DataError
from clipgrip.estimator.embeds import class_vectors
from clipgrip.estimator.guesses import warn_of_guesses
from clipgrip.estimator.heads import AnswerHead, final_head, head_of_labels
from clipgrip.estimator.inputs import SHOWN
from clipgrip.estimator.labels import Target, Vocabulary, read, read_target, unlabeled
from clipgrip.estimator.rounds import ONLY_LABELS, Say, run_rounds, silent
from clipgrip.estimator.sampling import learned_from, reference_scores
from clipgrip.method import PRESETS, Method
from clipgrip.prompts.classifier import predict_proba
from clipgrip.pseudolabel.bank_weights import BankSettings
from clipgrip.pseudolabel.banks import BankMap, fit_bank_map
from clipgrip.pseudolabel.refine.refiner import ZERO_SHOT
from clipgrip.runs.events import Listener
from clipgrip.runs.eyes import with_named_eyes
from clipgrip.runs.inputs import inputs_of
from clipgrip.runs.outcome import prompt_facts
from clipgrip.runs.prepare import prepare, prepare_arrays
from clipgrip.runs.tasks import with_folder_labels
from clipgrip.runs.untuned_model import residual
from clipgrip.serving.predictor import Predictor
from clipgrip.strategy import Round
from clipgrip.task import paradigm
from clipgrip.types import ClassEmbeds, Labels
from clipgrip.words import Words

LISTED = "issues_"
"""The attribute that lists them."""


@dataclass(frozen=True)
class Fitted:
    """What a fit leaves. ``predictor`` knows the model; None where X were embeddings."""

    head: AnswerHead
    vocabulary: Vocabulary
    rounds: list[Round] = field(repr=False)
    paradigm: str
    issues: Issues = field(default_factory=Issues)
    predictor: Predictor | None = None
    banks: BankMap | None = None
    """How several banks of embeddings become one matrix; None where there is one bank, or images."""
    rounds_reason: str = ""
    """Why fewer rounds were run than asked for."""


def fit_images(
    images: Images,
    y: Any,
    names: ClassNames | None,
    settings: Settings,
    method: Method | None = None,
    *,
    ignore_folders: bool = False,
    encoding: str | None = None,
    say: Say = silent,
) -> Fitted:
    """Embed the images, pseudolabel, tune, repeat.

    DataError: y does not fit the images, nobody names the classes, or no image can be used.
    """
    settings = with_named_eyes(settings)
    check_here(settings.backbone, settings.eye)
    names, target = _target_of_images(images, y, names)
    labels = None if y is None else target.labels.tolist()
    ingested = ingest(
        images, classes=names, labels=labels, encoding=encoding, folders=not ignore_folders
    )
    _say_folders(ingested)
    if ingested.by_folder:
        settings = with_folder_labels(settings, ingested.manifest)
    prepared = prepare(settings, ingested.manifest, Listener(), method=method)
    ready, model = prepared.ready, prepared.backbone
    learning = learned_from(ready)
    target.vocabulary.compare(learning.task.labels, learning.zero_shot.pool)
    warn_of_guesses(learning, model)
    done = run_rounds(learning, inputs_of(ready.start.prompt, model, learning.embeds).pool, say)
    tuned, joint = done.tuned, done.joint
    learned = tuned.learned() if tuned else {}
    beside = ready.beside if joint else None
    facts = prompt_facts(
        ready.settings, model, ready.start, tuned=tuned, joint=joint, beside=beside
    )
    predictor = Predictor(facts, learned, ready.start.class_embeds(learned), joint, beside=beside)
    head = final_head(predictor.class_embeds, facts.logit_scale, joint)
    issues = Issues(ingested.issues, prepared.issues)
    _say_lost(issues, len(ready.embeds.pool_rows))
    return Fitted(
        head,
        target.vocabulary,
        done.rounds,
        paradigm(ready.task),
        issues,
        predictor,
        rounds_reason=done.reason,
    )


def _say_folders(ingested: Ingested) -> None:
    """A warning of labels that nobody gave as y."""
    facts = folder_facts(ingested.by_folder, len(ingested.manifest.pool), ingested.issues)
    sentences = folder_sentences(facts, Words("en"), "ignore_folders=True", LISTED)
    if sentences:
        warnings.warn(" ".join(sentences), UserWarning, stacklevel=4)


def _say_lost(issues: Issues, images: int) -> None:
    """One warning of all images that were meant and are not learned from, ``images`` being those that are."""
    lost = issues.among(LOST)
    if not lost:
        return
    shown = ", ".join(f"{one.path} ({one.detail})" for one in lost[:SHOWN])
    more = f" and {len(lost) - SHOWN} more" if len(lost) > SHOWN else ""
    warnings.warn(
        f"{len(lost)} of {len(lost) + images} images cannot be used and are left out: {shown}{more}. "
        f"{LISTED} has all of them: path, reason and detail.",
        UserWarning,
        stacklevel=4,
    )


def _target_of_images(
    images: Images, y: Any, names: ClassNames | None
) -> tuple[ClassNames, Target]:
    """The classes, and what y says of them."""
    if y is None:
        if names is None:
            raise DataError("class_names is not given, and neither is y. Give class_names.")
        return names, unlabeled(0, Vocabulary.of_names(names.display))
    if isinstance(images, str | os.PathLike):
        raise DataError(
            "y goes with a sequence of images, not with a folder: the order of files says nothing. "
            "Give a list of paths, or use clipgrip run with --labels."
        )
    target = read_target(y, names, len(images))
    if names is None:
        if not target.vocabulary.by_name:
            raise DataError(
                "y holds numbers, and class_names is not given: a model of images and texts needs the names. "
                "Give class_names, or names in y."
            )
        names = ClassNames.from_names(target.vocabulary.names.tolist())
    return names, target


def fit_embeds(
    embeds: Sequence[Tensor],
    y: Any,
    names: ClassNames | None,
    class_embeds: Any,
    logit_scale: float,
    settings: Settings,
    method: Method | None = None,
    say: Say = silent,
) -> Fitted:
    """The same on banks of embeddings (N, ...): there is no text tower, so a residual of the class embeddings is tuned.

    They are of the first bank's encoder. Without class embeddings nothing can be pseudolabeled, and the head learns
    from the labels alone.
    """
    _check_needs_no_model(settings, class_embeds)
    if class_embeds is None:
        return _fit_labels(embeds, y, names, settings, method)
    vectors = class_vectors(class_embeds, names, embeds[0].shape[1])
    named = names or ClassNames.from_names(f"class {n}" for n in range(len(vectors)))
    target = _target_of_rows(y, names, named, len(embeds[0]))
    labels = torch.from_numpy(target.labels)
    chosen = _residual_method(settings, method)
    banks = _bank_map(embeds, labels, vectors, logit_scale, chosen.banks)
    ready = prepare_arrays(
        banks.joined(embeds) if banks else embeds[0],
        labels,
        named,
        vectors,
        logit_scale,
        settings=settings,
        method=chosen,
    )
    learning = learned_from(ready)
    target.vocabulary.compare(learning.task.labels, learning.zero_shot.pool)
    done = run_rounds(learning, learning.embeds.pool, say)
    learned = done.tuned.class_embeds() if done.tuned else vectors
    head = final_head(learned, logit_scale, done.joint)
    return Fitted(
        head,
        target.vocabulary,
        done.rounds,
        paradigm(ready.task),
        banks=banks,
        rounds_reason=done.reason,
    )


def _bank_map(
    embeds: Sequence[Tensor],
    labels: Labels,
    texts: ClassEmbeds | None,
    logit_scale: float,
    settings: BankSettings,
) -> BankMap | None:
    """How several banks become one matrix; the text's answers say how much each counts, and labels."""
    if len(embeds) == 1:
        return None
    text_probs = None
    if texts is not None:
        text_probs = predict_proba(embeds[0].to(texts.dtype), texts, logit_scale)
    return fit_bank_map(embeds, text_probs, labels, settings)


def _target_of_rows(y: Any, names: ClassNames | None, named: ClassNames, n_rows: int) -> Target:
    """What y says of embeddings; where nobody gave ``names``, classes are positions in class_embeds."""
    if y is None:
        of = Vocabulary.of_names if names else Vocabulary.of_positions
        return unlabeled(n_rows, of(named.display))
    if names is None and any(isinstance(value, str) for value in read(y)):
        raise DataError(
            "y holds names and class_embeds is given without class_names, so no row of class_embeds has a name. "
            "Give class_names in the order of the rows."
        )
    target = read_target(y, named, n_rows)
    silent = names is None and target.vocabulary.by_name
    return unlabeled(n_rows, Vocabulary.of_positions(named.display)) if silent else target


def _fit_labels(
    embeds: Sequence[Tensor],
    y: Any,
    names: ClassNames | None,
    settings: Settings,
    method: Method | None,
) -> Fitted:
    if y is None:
        raise DataError(
            "GripClassifier requires y to be passed, but the target y is None: without class_embeds there is "
            "nothing else to learn from. Give labels, or class_embeds."
        )
    target = read_target(y, names, len(embeds[0]))
    if len(set(target.labels.tolist()) - {-1}) < 2:
        raise DataError(
            "y has labels of fewer than two classes, and class_embeds is not given. Give one of them."
        )
    n_classes = len(target.vocabulary.names)
    chosen = _residual_method(settings, method)
    if settings.strategy == "supervised":
        chosen = replace(chosen, refine=ZERO_SHOT)
    labels = torch.from_numpy(target.labels)
    banks = _bank_map(embeds, labels, None, 1.0, chosen.banks)
    joined = banks.joined(embeds) if banks else embeds[0]
    joined, labels = reference_scores(joined, labels, n_classes, settings.seed)
    eyes = joined.shape[1] - embeds[0].shape[1]
    head = head_of_labels(joined, labels, n_classes, chosen, settings.seed, eye_columns=eyes)
    return Fitted(head, target.vocabulary, [], "SSL", banks=banks, rounds_reason=ONLY_LABELS)


def _check_needs_no_model(settings: Settings, class_embeds: Any) -> None:
    if settings.prompt != "textual":
        raise ConfigError(
            f'GripClassifier: prompt = "{settings.prompt}" needs images, and backbone="embeddings" has none. '
            "Leave prompt away, or name a model as backbone."
        )
    if settings.eye:
        raise ConfigError(
            'GripClassifier: eyes need images, and backbone="embeddings" has none. Give X as a list: the embeddings of '
            "the model of class_embeds first, then those of each eye."
        )
    if settings.may_occur is not None and class_embeds is None:
        raise ConfigError(
            "GripClassifier: may_occur needs class_embeds: without them an image may be of any class with a label. "
            "Leave may_occur away, or give class_embeds."
        )
    if settings.strategy == "zero-shot" and class_embeds is None:
        raise ConfigError(
            "GripClassifier: zero-shot on embeddings needs class_embeds. Give (C, D), a row for each class."
        )


def _residual_method(settings: Settings, method: Method | None) -> Method:
    chosen = residual(method or PRESETS[settings.preset]["textual"])
    return replace(chosen, select="balanced") if settings.k else chosen
