"""fit, predict, predict_proba, score: what a user of scikit-learn calls."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Self, cast

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError
from sklearn.utils import estimator_html_repr

from clipgrip.config import Settings, checked
from clipgrip.data.classes import ClassNames
from clipgrip.data.occurring import named
from clipgrip.data.text import check_encoding
from clipgrip.errors import ConfigError, DataError
from clipgrip.estimator.embeds import beside_embeds, embeds_of, joined_embeds
from clipgrip.estimator.fitting import fit_embeds, fit_images
from clipgrip.estimator.heads import final_head
from clipgrip.estimator.inputs import Named, images_of, warn_of_other_rows
from clipgrip.estimator.labels import Vocabulary, class_names_of, weights_of
from clipgrip.estimator.output import classes_html, frame
from clipgrip.estimator.rounds import silent
from clipgrip.method import Method
from clipgrip.review.store import newest_round
from clipgrip.runs import checkpoint
from clipgrip.runs.identity import TORCH
from clipgrip.serving.predictor import Predictor

EMBEDDINGS = "embeddings"
POSITIONS = {"answers": "positions"}  # beside the settings of a saved classifier


class GripClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An image classifier from class names, images and few or no labels.

    **The order of classes.** ``classes_`` is sorted, as scikit-learn wants it, and column i of `predict_proba` is
    ``classes_[i]``. That is *not* the order of ``class_names``, which ``class_names_`` keeps.

    **Answers speak as y does.** Where y holds names, or nothing, answers are names and ``classes_`` are the names in
    alphabetical order. Where y holds positions in ``class_names``, answers are positions and ``classes_`` is 0, 1, ...;
    ``class_names_[answers]`` are their names.

    X is a folder, or a list of paths, Pillow images or arrays, a pandas Series of paths, or a DataFrame with a column
    ``path``. Each image is encoded once and kept in the cache. y is a list, an array, a tensor, or a pandas Series, one
    label for each image; -1, None, NaN or an empty text is unlabeled. All else is refused with a sentence.

    With ``backbone="embeddings"`` X is an array (N, D) of image embeddings of any model; a tensor, a DataFrame (of
    numbers, or with columns of vectors), an Arrow table, or a file of embeddings (`clipgrip.data.embeddings`), whose
    labels, class names and class embeddings count where none are given. With ``class_embeds`` (C, D), the texts of
    ``class_names`` by the same model, unlabeled images are learned from too; without them the labels alone, and the
    classes are those of y. X may be a list of banks [(N, D), (N, E), ...] of the same images: class_embeds are of the
    first bank's model, the others see more and join it with weights that the images tell (``banks_``).

    All other parameters (backbone, prompt, strategy, preset, rounds, k, template, candidates, may_occur, engine, seed)
    are the options of ``clipgrip run``. ``may_occur`` holds for the images of a fit, not for those to be answered.

    Args:
        class_names: the classes in the order in which people read them, a file of them, or a `ClassNames`. None takes
            the names that y holds.
        eyes: what sees the images beside the model, one name or several: "texture" (ships), a vision model's name or
            folder, "auto" for all that is here. How much each counts is found from the images.
        random_state: scikit-learn's name for ``seed``; where it is given it counts.
        ignore_folders: X is a folder, and its folders that are named like classes are not taken as labels. Otherwise
            the images in them are labeled so, as by ``clipgrip run``, and a warning says how many.
        encoding: of the file of class names, and of a CSV that lists images; UTF-8, else cp932.
        class_embeds: only for embeddings, as is ``logit_scale``: the factor on the cosine, 100 in CLIP.
        method: taken instead of the preset's: every number of tuning and refinement (``clipgrip.Method``). It is not
            saved: give it again to a loaded classifier to fit anew.
        verbose: above 0, fit prints a line for each round.

    Attributes:
        classes_: the classes as answers name them, sorted; the order of predict_proba's columns.
        class_names_: their names in display order.
        rounds_: the Round of each; ``rounds_reason_``: why they are fewer than asked for, else empty.
        paradigm_: UL, SSL or TRZSL; ``issues_``: what is unused and why, of lost pictures a warning tells too.
        n_features_in_: the width D of embeddings, ``feature_names_in_``: a DataFrame's columns; of images neither.
        banks_: how several banks of embeddings are joined, ``banks_.weights`` how much each counts; None for one.
        head_: the classifier of embeddings that decides; ``predictor_``: the tuned prompt on its model, else None.
    """

    def __init__(
        self,
        class_names: Sequence[str] | ClassNames | None = None,
        *,
        backbone: str = "nano",
        prompt: str = "textual",
        strategy: str = "grip",
        preset: str = "default",
        rounds: int | None = None,
        k: int | None = None,
        template: str | Sequence[str] = "a photo of a {}.",
        candidates: str = "auto",
        may_occur: str | Sequence[str] | None = None,
        engine: str = "auto",
        eyes: str | Sequence[str] = (),
        seed: int = 0,
        random_state: int | np.random.RandomState | None = None,
        ignore_folders: bool = False,
        encoding: str | None = None,
        class_embeds: Any = None,
        logit_scale: float = 100.0,
        method: Method | None = None,
        verbose: int = 0,
    ) -> None:
        self.class_names = class_names
        self.backbone = backbone
        self.prompt = prompt
        self.strategy = strategy
        self.preset = preset
        self.rounds = rounds
        self.k = k
        self.template = template
        self.candidates, self.may_occur = candidates, may_occur
        self.engine = engine
        self.eyes = eyes
        self.seed, self.random_state = seed, random_state
        self.ignore_folders = ignore_folders
        self.encoding = encoding
        self.class_embeds = class_embeds
        self.logit_scale = logit_scale
        self.method = method
        self.verbose = verbose

    def fit(self, X: Any, y: Any = None) -> Self:
        """Pseudolabel, tune, repeat.

        Raises:
            DataError: no image can be used, a label is unknown, or there is nothing to learn from.
            ConfigError: a parameter is not allowed.
            BackboneError: the model cannot be used.
        """
        settings = self._settings()
        warn_of_other_rows(X, y)
        check_encoding(self.encoding or "utf-8")
        names = class_names_of(self.class_names, self.encoding)
        say = print if self.verbose else silent
        if self.backbone == EMBEDDINGS:
            given = beside_embeds(X, y, names, self.class_embeds, self.logit_scale)
            fitted = fit_embeds(embeds_of(self, X, reset=True), *given, settings, self.method, say)
        else:
            if self.class_embeds is not None:
                raise ConfigError(
                    'GripClassifier: class_embeds is only for backbone="embeddings", and backbone is '
                    f'"{self.backbone}". Leave one of them away.'
                )
            fitted = fit_images(
                images_of(X),
                y,
                names,
                settings,
                self.method,
                ignore_folders=self.ignore_folders,
                encoding=self.encoding,
                say=say,
            )
            self.__dict__.pop("n_features_in_", None)  # of an earlier fit on embeddings
        self._learned(fitted.vocabulary, fitted.rounds_reason)
        self.head_, self.predictor_, self.rounds_ = fitted.head, fitted.predictor, fitted.rounds
        self.paradigm_, self.issues_, self.banks_ = fitted.paradigm, fitted.issues, fitted.banks
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """(N, C) probabilities, a row for each image in the given order, a folder's in the order of its sorted paths.

        Column i is ``classes_[i]``: alphabetical for names, not the order of ``class_names``.

        Raises:
            DataError: an image cannot be decoded; the message names the first ones.
        """
        self._check_fitted()
        return self._vocabulary.ordered(self._probs(X)[1])

    def predict(self, X: Any) -> NDArray[Any]:
        """(N,) answers, of ``classes_``."""
        best = self.predict_proba(X).argmax(axis=1)
        return self.classes_[best]

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Accuracy over the labeled images; ``y`` as in `fit`.

        Raises:
            DataError: a label is unknown, none is given, or there are not as many as images.
        """
        self._check_fitted()
        warn_of_other_rows(X, y)
        truth = self._vocabulary.positions(y)
        answers = self._vocabulary.columns[self.predict_proba(X).argmax(axis=1)]
        known = truth >= 0
        if len(truth) != len(answers) or not known.any():
            raise DataError(
                f"{len(truth)} labels for {len(answers)} images, {known.sum()} of them not -1. "
                "Give one label for each image, and at least one that is known."
            )
        weights = weights_of(sample_weight, known)
        return float(np.average(answers[known] == truth[known], weights=weights))

    def to_frame(self, X: Any, *, probabilities: bool = False) -> Any:
        """A pandas DataFrame: ``path`` (not for embeddings), ``label`` (the class name) and ``confidence``.

        ``probabilities`` adds a column ``p(NAME)`` for each class, in display order. The index is X's where it has one.

        Raises:
            MissingPackage: pandas is not installed.
        """
        self._check_fitted()
        names, probs = self._probs(X)
        index = X.index if hasattr(X, "iloc") else None
        return frame(probs, self._vocabulary, names, index, probabilities=probabilities)

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tuned prompt into a folder; the images are not needed to use it.

        Raises:
            RunError: files are there that no `save` wrote, or that were changed since; they stay as they are.
        """
        self._check_fitted()
        fitted = self.predictor_
        if fitted is None:
            raise DataError(
                "a classifier of embeddings belongs to no model that a folder could name. Keep it with joblib.dump."
            )
        facts = fitted.facts
        if not self._vocabulary.by_name:
            facts = replace(facts, settings=facts.settings | POSITIONS)
        parts = fitted.learned, facts, fitted.class_embeds, fitted.joint, fitted.beside
        checkpoint.PromptFiles(*parts).save(Path(folder))

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> GripClassifier:
        """A fitted classifier from a saved folder, or from a run's: of a reviewed run, its newest round."""
        predictor = Predictor.open(newest_round(Path(folder)))
        facts = predictor.facts
        known = cls._get_param_names()
        plain = ClassNames.of(facts.class_names) == predictor.classes
        names = facts.class_names if plain else predictor.classes
        settings = {k: v for k, v in (TORCH | facts.settings).items() if k in known}
        loaded = cls(names, **settings, eyes=tuple(facts.settings.get("eye", ())))
        by_position = facts.settings.items() >= POSITIONS.items()
        of = Vocabulary.of_positions if by_position else Vocabulary.of_names
        loaded._learned(of(facts.class_names))
        loaded.predictor_ = predictor
        loaded.head_ = final_head(predictor.class_embeds, facts.logit_scale, predictor.joint)
        return loaded

    def _settings(self) -> Settings:
        """What a run would be given; ConfigError where a value is not allowed."""
        values = {k: v for k, v in self.get_params().items() if k in Settings.model_fields}
        values["eye"] = self.eyes
        values["may_occur"] = named(self.may_occur, self.encoding)
        if isinstance(self.random_state, np.random.RandomState):
            values["seed"] = int(self.random_state.randint(2**31 - 1))
        elif self.random_state is not None:
            values["seed"] = self.random_state
        return checked(Settings, values, lambda _: "GripClassifier")

    def _learned(self, vocabulary: Vocabulary, rounds_reason: str = "") -> None:
        self._vocabulary, self.rounds_reason_ = vocabulary, rounds_reason
        self.classes_, self.class_names_ = vocabulary.classes, vocabulary.names

    def _probs(self, X: Any) -> tuple[list[str] | None, NDArray[Any]]:
        """Names of the images, None for embeddings, and (N, C) in display order."""
        if self.predictor_ is None:
            return None, self.head_.predict_proba(joined_embeds(self, X, self.banks_)).numpy()
        named = Named.of(images_of(X), self.encoding)
        embedded = self.predictor_.embed(items := named.items())
        if embedded.failures:
            raise named.undecodable(items, dict(embedded.failures))
        return named.names, self.head_.predict_proba(embedded.embeds).numpy()

    def _check_fitted(self) -> None:
        if not hasattr(self, "head_"):
            raise NotFittedError("This GripClassifier is not fitted. Call fit with images first.")

    def __getstate__(self) -> dict[str, Any]:
        """Rounds without their learners, which hold the pool and the text tower: answers do not need them."""
        state = super().__getstate__()
        rounds = [replace(done, learner=cast(Any, None)) for done in state.get("rounds_", ())]
        return {**state, "rounds_": rounds} if "rounds_" in state else state

    def __sklearn_tags__(self) -> Any:
        """Images are no table of numbers, and labels are needed only where nothing else says what the classes are."""
        tags = super().__sklearn_tags__()
        embeddings = self.backbone == EMBEDDINGS
        tags.input_tags.two_d_array = embeddings
        tags.input_tags.string = not embeddings
        tags.target_tags.required = embeddings and self.class_embeds is None
        tags.no_validation = not embeddings
        return tags

    def _html_repr(self) -> str:
        """scikit-learn's own, and once they are known the classes, and why so few rounds were run."""
        own = str(estimator_html_repr(self))
        is_known = hasattr(self, "_vocabulary")
        return own + classes_html(self._vocabulary, self.rounds_reason_) if is_known else own
