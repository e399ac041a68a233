"""Answers new images by a stored prompt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import cast

import torch

from clipgrip.backbone.base import Backbone, Eye
from clipgrip.backbone.clip import ClipBackbone
from clipgrip.backbone.device import Precision
from clipgrip.backbone.embed import Embedded, embed_cached
from clipgrip.backbone.encode import Item
from clipgrip.backbone.names import EMBEDDINGS
from clipgrip.backbone.precomputed import NO_PICTURES, PrecomputedBank, PrecomputedModel
from clipgrip.backbone.prompted import seen_through
from clipgrip.backbone.registry import load_backbone
from clipgrip.data.classes import ClassNames
from clipgrip.data.rows import Row
from clipgrip.errors import BackboneError, RunError
from clipgrip.fewshot.joint import Joint, joined_probs
from clipgrip.method import PRESETS
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.classifier import zero_shot
from clipgrip.runs import checkpoint
from clipgrip.runs.calibrated import AuditedCalibration, read_calibration
from clipgrip.runs.checkpoint import PromptFacts
from clipgrip.runs.embedding import item, items_of
from clipgrip.runs.eyes import EyeFacts, JoinedEyes
from clipgrip.runs.precomputed import check_source_kind, read_precomputed, vectors_of
from clipgrip.starts import untuned
from clipgrip.types import ClassEmbeds, Probs, WideEmbeds


@dataclass(frozen=True)
class Predictor:
    """Answers by a stored prompt. The model is loaded only if the cache lacks an embedding."""

    facts: PromptFacts
    learned: dict[str, torch.Tensor] = field(repr=False)
    class_embeds: ClassEmbeds = field(repr=False)
    joint: Joint | None = field(default=None, repr=False)
    """The classifier that labels taught beside the prompt."""
    calibrated: AuditedCalibration | None = field(default=None, repr=False)
    """The temperature from audited answers; None without calibration."""
    beside: JoinedEyes | None = field(default=None, repr=False)
    """The eyes beside the model; None without any."""
    precomputed: PrecomputedModel | None = field(default=None, repr=False)
    """The model of a run on precomputed embeddings; None for other runs."""

    @classmethod
    def open(cls, folder: Path) -> Predictor:
        """Open the prompt in a run's folder, or in one that `GripClassifier.save` wrote.

        Raises:
            RunError: the folder holds no prompt.
            PromptError: the prompt or its calibration is damaged.
            BackboneError: the model is not here, or is not the one that the prompt was tuned on.
        """
        path = folder / checkpoint.NAME
        if not path.is_file():
            raise RunError(
                "{folder} holds no finished run (no {name} in it). Give the folder that clipgrip run "
                "wrote; if that run was stopped, run the same command again to finish it.",
                folder=folder,
                name=path.name,
            )
        learned, facts = checkpoint.read(path)
        known = checkpoint.read_class_embeds(folder / checkpoint.CLASS_EMBEDS, path.read_bytes())
        joint = checkpoint.read_head(folder, facts)
        beside = checkpoint.read_eyes(folder, facts)
        precomputed = None
        if facts.settings["backbone"] == EMBEDDINGS:
            precomputed = read_precomputed(folder, facts.backbone_fingerprint)
        embeds = derive(facts, learned, precomputed) if known is None else known
        return cls(facts, learned, embeds, joint, read_calibration(folder), beside, precomputed)

    @cached_property
    def backbone(self) -> Backbone:
        """The model that the prompt was tuned on, with the prompt's visual tokens if it has any."""
        backbone = matching_backbone(self.facts)
        if self.facts.image_key == backbone.image_key:
            return backbone
        return seen_through(prompt_of(self.facts, backbone, self.learned), backbone)

    @cached_property
    def eyes(self) -> dict[EyeFacts, Eye]:
        """The eyes that were loaded so far."""
        return {}

    def __getstate__(self) -> dict[str, object]:
        """For pickling: without the models, which are loaded again where they are needed."""
        return {
            name: value for name, value in vars(self).items() if name not in ("backbone", "eyes")
        }

    @property
    def classes(self) -> ClassNames:
        """The classes of the answers."""
        return ClassNames(self.facts.class_names, self.facts.class_prompts)

    @property
    def unread_banks(self) -> frozenset[str]:
        """Banks of the run's embeddings with weight 0, on which no answer depends."""
        known = (
            [] if self.precomputed is None else [bank.name for bank in self.precomputed.banks[1:]]
        )
        counting = () if self.beside is None else self.beside.eyes
        return frozenset(known) - {eye.name for eye in counting}

    def predict_proba(self, image_embeds: WideEmbeds) -> Probs:
        """Probabilities (N, C) for embeddings from `embed`, model and eyes side by side; not `calibrated` yet."""
        return joined_probs(image_embeds, self.class_embeds, self.facts.logit_scale, self.joint)

    def embed_rows(
        self,
        rows: Sequence[Row],
        item_of: Callable[[Row], Item] = item,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Embedded:
        """`embed` for rows of images or of precomputed embeddings; ``item_of`` as in `predict_files`.

        DataError: the rows are embeddings and the run learned from images, or the other way round.
        """
        check_source_kind(rows, self.facts.settings["backbone"])
        if self.precomputed is None:
            return self.embed(items_of(rows, item_of), on_progress=on_progress)
        counting = () if self.beside is None else self.beside.eyes
        banks = [
            self.precomputed.banks[0],
            *(PrecomputedBank(eye.name, eye.embed_dim) for eye in counting),
        ]
        unread = self.unread_banks
        seen = [vectors_of(rows, bank, alone=not counting, others=unread) for bank in banks]
        if self.beside is None:
            return seen[0]
        joined = self.beside.banks.joined([one.embeds for one in seen])
        return replace(seen[0], embeds=joined)

    def embed(
        self,
        items: Sequence[Item],
        *,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Embedded:
        """Embed images by the model and its eyes; no model is loaded if the cache holds all embeddings."""
        key, width = self.facts.image_key, self.facts.embed_dim
        found = embed_cached(key, width, items, lambda: self.backbone, on_progress)
        if self.beside is None:
            return found
        return self.beside.embedded(found, items, self._eye, on_progress)

    def _eye(self, facts: EyeFacts) -> Eye:
        if facts not in self.eyes:
            self.eyes[facts] = facts.load()
        return self.eyes[facts]


def matching_backbone(facts: PromptFacts) -> ClipBackbone:
    """Load the model of a prompt. BackboneError: its fingerprint differs from when the prompt was tuned."""
    if facts.settings["backbone"] == EMBEDDINGS:
        raise BackboneError(NO_PICTURES)
    backbone = load_backbone(
        facts.settings["backbone"],
        precision=cast(Precision, facts.precision),
        engine=facts.settings.get("engine", "torch"),
    )
    if backbone.fingerprint != facts.backbone_fingerprint:
        raise BackboneError(
            'the prompt was tuned on a model "{name}" with fingerprint {backbone_fingerprint}, but '
            "the one here has {fingerprint}. Bring back the same model, or tune anew on this one.",
            name=backbone.name,
            backbone_fingerprint=facts.backbone_fingerprint[:12],
            fingerprint=backbone.fingerprint[:12],
        )
    return backbone


def derive(
    facts: PromptFacts,
    learned: dict[str, torch.Tensor],
    precomputed: PrecomputedModel | None = None,
) -> ClassEmbeds:
    """Class embeddings (C, D) of a prompt, computed by its model or its ``precomputed`` embeddings."""
    backbone = matching_backbone(facts) if precomputed is None else precomputed
    if facts.kind == "zero-shot":
        return zero_shot(backbone, facts.class_prompts, facts.settings["template"])
    with torch.no_grad():
        return prompt_of(facts, backbone, learned).class_embeds()


def prompt_of(facts: PromptFacts, backbone: Backbone, learned: dict[str, torch.Tensor]) -> Prompt:
    """The prompt with its learned values."""
    kind = facts.settings["prompt"] if facts.kind == checkpoint.RESIDUAL else facts.kind
    method = PRESETS[facts.settings["preset"]][kind]
    method = replace(method, init=facts.init or method.init)
    template = facts.settings["template"]
    prompt = untuned(backbone, facts.class_prompts, method, template=template, seed=0, kind=kind)
    return prompt.with_learned(learned)
