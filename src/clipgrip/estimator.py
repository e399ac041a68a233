"""The scikit-learn face: fit, predict, predict_proba, score."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import NotFittedError

from clipgrip.backbone.embed import Item
from clipgrip.backbone.optional_cache import cache_of
from clipgrip.config import Settings, checked
from clipgrip.data.claims import aligned_claims
from clipgrip.data.classes import ClassNames
from clipgrip.data.discover import discover
from clipgrip.data.ingest import Images, ingest
from clipgrip.data.match import position
from clipgrip.data.sources import BytesSource, FileSource, ImageSource
from clipgrip.data.task import Task, paradigm
from clipgrip.errors import DataError
from clipgrip.method import learn, schedule
from clipgrip.review.store import newest_round
from clipgrip.runs import checkpoint
from clipgrip.runs.embedding import Embeds, embed_manifest, model_of, source_item
from clipgrip.runs.inputs import inputs_of
from clipgrip.runs.outcome import prompt_facts
from clipgrip.runs.rounds import Start, method_for
from clipgrip.runs.tasks import make_task
from clipgrip.serving.predictor import Predictor
from clipgrip.strategy import Reached, Round, kept

SHOWN = 5
Named = Sequence[tuple[str, ImageSource]]
Labels = Sequence[str | int | None]


class GripClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """An image classifier from class names, images and few or no labels.

    ``images`` are paths, Pillow images or arrays in a sequence, or one folder; ``y`` holds class positions or names,
    -1 or None for unlabeled, or is None altogether. Each image is encoded once and kept in the cache.
    Answers are class names, in the order of ``class_names``.
    """

    def __init__(
        self,
        class_names: Sequence[str] | ClassNames,
        *,
        backbone: str = "nano",
        prompt: str = "textual",
        strategy: str = "grip",
        preset: str = "default",
        rounds: int | None = None,
        k: int | None = None,
        template: str | Sequence[str] = "a photo of a {}.",
        candidates: str = "auto",
        engine: str = "torch",
        seed: int = 0,
    ) -> None:
        self.class_names = class_names
        self.backbone = backbone
        self.prompt = prompt
        self.strategy = strategy
        self.preset = preset
        self.rounds = rounds
        self.k = k
        self.template = template
        self.candidates = candidates
        self.engine = engine
        self.seed = seed

    def fit(self, images: Images, y: Labels | None = None) -> Self:
        """Pseudolabel, tune, repeat.

        Sets ``predictor_``, ``classes_``, ``rounds_`` (the Round of each), ``paradigm_`` and ``issues_`` (what could
        not be used, and why).

        Raises:
            DataError: no image can be used, a label is unknown, or there is nothing to learn from.
            ConfigError: a parameter is not allowed.
            BackboneError: the model cannot be used.
        """
        settings, names = self._settings(), ClassNames.of(self.class_names)
        labels = None if y is None else _labels(images, y)
        ingested = ingest(images, classes=names, labels=labels)
        model = model_of(settings)
        everywhere = settings.candidates == "all"
        given = torch.from_numpy(ingested.manifest.labels[ingested.manifest.pool])
        expected = make_task(given, names, seen=None, all_candidates=everywhere)
        start = Start.of(model, names, settings, method_for(settings, expected))
        embedded = embed_manifest(model, ingested.manifest, cache=cache_of(model))
        pool = embedded.embeds
        task = make_task(pool.pool_labels, names, seen=None, all_candidates=everywhere)
        start = start.suited_to(task, model, settings)
        rounds = _rounds(start, model, pool, task, settings)
        best = kept(rounds)
        tuned = best.learner.prompt if best else None
        learned = tuned.learned() if tuned else {}
        facts = prompt_facts(settings, model, start, tuned=tuned)
        self.predictor_ = Predictor(facts, learned, start.class_embeds(learned))
        self.classes_ = np.array(names.display)
        self.rounds_: list[Round] = rounds
        self.paradigm_ = paradigm(task)
        self.issues_ = ingested.issues + embedded.issues
        return self

    def predict_proba(self, images: Images) -> NDArray[np.float32]:
        """(N, C) probabilities in the order of the images, for a folder in the order of its sorted paths.

        Raises:
            DataError: an image cannot be decoded; the message names the first ones.
        """
        self._check_fitted()
        named = _sources(images)
        embedded = self.predictor_.embed(items := _items(named))
        if embedded.failures:
            raise _undecodable(named, items, dict(embedded.failures))
        return self.predictor_.predict_proba(embedded.embeds).numpy()

    def predict(self, images: Images) -> NDArray[np.str_]:
        """(N,) class names."""
        best = self.predict_proba(images).argmax(axis=1)
        return self.classes_[best]

    def score(
        self, images: Images, y: Labels, sample_weight: Sequence[float] | None = None
    ) -> float:
        """Accuracy over the labeled images; ``y`` holds class names or positions, -1 or None for unlabeled.

        Raises:
            DataError: a label is unknown, none is given, or there are not as many as images.
        """
        self._check_fitted()
        truth = np.array(label_positions(y, self.predictor_.classes))
        answers = self.predict_proba(images).argmax(axis=1)
        if len(truth) != len(answers) or not (truth >= 0).any():
            raise DataError(
                f"{len(truth)} labels for {len(answers)} images, {(truth >= 0).sum()} of them not -1. "
                "Give one label for each image, and at least one that is known."
            )
        weights = np.ones(len(truth)) if sample_weight is None else np.asarray(sample_weight)
        known = truth >= 0
        return float(np.average(answers[known] == truth[known], weights=weights[known]))

    def save(self, folder: str | os.PathLike[str]) -> None:
        """Write the tuned prompt into a folder; the images are not needed to use it."""
        self._check_fitted()
        Path(folder).mkdir(parents=True, exist_ok=True)
        fitted = self.predictor_
        checkpoint.write_folder(Path(folder), fitted.learned, fitted.facts, fitted.class_embeds)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> GripClassifier:
        """A fitted classifier from a saved folder, or from a run's: of a reviewed run, its newest round."""
        predictor = Predictor.open(newest_round(Path(folder)))
        facts = predictor.facts
        known = cls._get_param_names()
        plain = ClassNames.of(facts.class_names) == predictor.classes
        names = facts.class_names if plain else predictor.classes
        loaded = cls(names, **{k: v for k, v in facts.settings.items() if k in known})
        loaded.predictor_ = predictor
        loaded.classes_ = np.array(facts.class_names)
        return loaded

    def _settings(self) -> Settings:
        values = {name: value for name, value in self.get_params().items() if name != "class_names"}
        return checked(Settings, values, lambda _: "GripClassifier")

    def _check_fitted(self) -> None:
        if not hasattr(self, "predictor_"):
            raise NotFittedError("This GripClassifier is not fitted. Call fit with images first.")


def _rounds(start: Start, model: Any, pool: Embeds, task: Task, settings: Settings) -> list[Round]:
    """All rounds of the settings' strategy."""
    ks = schedule(settings.strategy, task, k=settings.k, n_rounds=settings.rounds)
    return list(
        learn(
            start.prompt,
            inputs_of(start.prompt, model, pool).pool,
            task,
            Reached(0, start.answers({}, pool).pool),
            ks=ks,
            method=start.method,
            image_embeds=pool.pool,
            seed=settings.seed,
        )
    )


def label_positions(y: Labels, names: ClassNames) -> list[int]:
    """Class positions, -1 for unlabeled.

    Raises:
        DataError: a label is no class.
    """
    claims = aligned_claims([""] * len(y), _plain(y), names)
    return [position(claim, names) for claim in claims]


def _labels(images: Images, y: Labels) -> list[str | int | None]:
    if isinstance(images, str | os.PathLike):
        raise DataError(
            "y goes with a sequence of images, not with a folder: the order of files says nothing. "
            "Give a list of paths, or use clipgrip run with --labels."
        )
    return _plain(y)


def _plain(y: Labels) -> list[str | int | None]:
    return [int(v) if isinstance(v, np.integer) else v for v in y]


def _sources(images: Images) -> list[tuple[str, ImageSource]]:
    """Name and bytes of each image, in the given order; a folder in the order of its paths."""
    if isinstance(images, str | os.PathLike):
        return [(entry.path, entry.source) for entry in discover(images).entries]
    return [_source(number, image) for number, image in enumerate(images)]


def _source(number: int, image: Any) -> tuple[str, ImageSource]:
    if isinstance(image, str | os.PathLike):
        return os.fspath(image), FileSource(os.path.abspath(os.fspath(image)))
    return f"image {number}", BytesSource.of(image)


def _items(named: Named) -> list[Item]:
    items = []
    for name, source in named:
        try:
            items.append(source_item(source))
        except OSError as error:
            raise DataError(f"{name} cannot be read: {error.strerror}. Check the path.") from None
    return items


def _undecodable(
    named: Sequence[tuple[str, ImageSource]], items: Sequence[Item], why: dict[str, DataError]
) -> DataError:
    bad = [
        f"{name} ({why[item[0]]})"
        for (name, _), item in zip(named, items, strict=True)
        if item[0] in why
    ]
    more = f" and {len(bad) - SHOWN} more" if len(bad) > SHOWN else ""
    return DataError(
        f"{len(bad)} of {len(items)} images cannot be decoded: {', '.join(bad[:SHOWN])}{more}. "
        "Leave them out, or use clipgrip predict, which lists them and goes on."
    )
