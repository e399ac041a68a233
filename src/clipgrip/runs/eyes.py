"""Eyes beside the model: embeds a run's images by them, and joins that with the model's own embeddings."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import Any

import torch
from safetensors.torch import load, save

from clipgrip.backbone.base import Eye
from clipgrip.backbone.device import Precision
from clipgrip.backbone.embed import Embedded, embed_cached
from clipgrip.backbone.encode import Item
from clipgrip.backbone.eyes import SHIPPED, load_eye, named_eyes
from clipgrip.config import Settings
from clipgrip.errors import BackboneError, ConfigError, DataError
from clipgrip.mapped import gathered
from clipgrip.pseudolabel.bank_weights import BankSettings
from clipgrip.pseudolabel.banks import BankMap, fit_bank_map
from clipgrip.runs.embedding import EmbeddedManifest, Embeds, embed_with_cache
from clipgrip.runs.events import Listener
from clipgrip.types import Labels, Probs
from clipgrip.words import Words, mark

COUNTS = mark('The eye "{name}" makes {share} of what images are compared by.')
COUNTS_NOTHING = mark('The eye "{name}" tells nothing of these images, and is left out.')
ITSELF = mark(
    '--eye "{name}" is the model itself, which would see every image twice the same. Leave it away, or choose another '
    "--backbone."
)
UNREAD = mark(
    'The eye "{name}" changes no answer: with this preset or strategy nothing compares images.'
)
FACTS = "facts"
"""Name of the tensor whose bytes are the JSON of the eyes' facts."""


@dataclass(frozen=True)
class EyeFacts:
    """What identifies an eye, so that new images are embedded as those of the run."""

    name: str
    fingerprint: str
    image_key: str
    embed_dim: int
    precision: Precision

    @classmethod
    def of(cls, eye: Eye) -> EyeFacts:
        """The facts of a loaded eye."""
        precision: Precision = getattr(eye, "precision", "float32")
        return cls(eye.name, eye.fingerprint, eye.image_key, eye.embed_dim, precision)

    def load(self, precision: Precision | None = None) -> Eye:
        """Load the eye, maybe in another precision. BackboneError: it is not here, or is another one now."""
        eye = load_eye(self.name, precision=precision or self.precision)
        # the files of an eye that ships cannot be replaced; the next check covers another version of it
        if eye.fingerprint != self.fingerprint and eye.name not in SHIPPED:
            raise BackboneError(
                'the prompt was tuned beside an eye "{name}" with fingerprint {noted}, but the one here has '
                "{found}. Bring back the same one, or run anew.",
                name=self.name,
                noted=self.fingerprint[:12],
                found=eye.fingerprint[:12],
            )
        if eye.image_key != self.image_key and precision in (None, self.precision):
            raise BackboneError(
                'the prompt was tuned beside an eye "{name}" that saw images in another way than the one here: '
                "another version of clipgrip. Bring back that version, or run anew.",
                name=self.name,
            )
        return eye


@dataclass(frozen=True)
class JoinedEyes:
    """Eyes, and the map that joins their embeddings with the model's; those that count are stored beside a prompt."""

    eyes: tuple[EyeFacts, ...]
    banks: BankMap = field(repr=False)

    def embedded(
        self,
        found: Embedded,
        items: Sequence[Item],
        loaded: Callable[[EyeFacts], Eye],
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Embedded:
        """Add the eyes' embeddings to those of the model, ``found``.

        ``loaded`` gives an eye; it is called only where the cache lacks some of its embeddings.
        """
        failed = {sha256 for sha256, _ in found.failures}
        good = [item for item in items if item[0] not in failed] if failed else items
        banks, failures = [found.embeds], list(found.failures)
        for eye in self.eyes:
            load = partial(loaded, eye)
            seen = embed_cached(eye.image_key, eye.embed_dim, good, load, on_progress)
            for _, error in seen.failures:  # the model could read it a moment ago
                raise error
            banks.append(seen.embeds)
        return Embedded(self.banks.joined(banks), found.hashes, failures)

    def pack(self) -> bytes:
        """The content as bytes; equal values give equal bytes."""
        facts_json = json.dumps([asdict(eye) for eye in self.eyes], sort_keys=True).encode()
        return save(
            {
                **self.banks.tensors(),
                FACTS: torch.frombuffer(bytearray(facts_json), dtype=torch.uint8),
            }
        )

    @classmethod
    def unpack(cls, content: bytes) -> JoinedEyes:
        """The inverse of `pack`."""
        tensors = load(content)
        facts_json = json.loads(bytes(tensors.pop(FACTS).tolist()))
        return cls(tuple(EyeFacts(**facts) for facts in facts_json), BankMap.from_tensors(tensors))

    @property
    def digest(self) -> str:
        """SHA-256 of `pack`."""
        return hashlib.sha256(self.pack()).hexdigest()

    @property
    def keys(self) -> tuple[str, ...]:
        """The `Eye.image_key` of each eye."""
        return tuple(eye.image_key for eye in self.eyes)

    @property
    def counting(self) -> JoinedEyes | None:
        """The eyes whose weight is not 0; None if there are none."""
        if not self.banks.joins:
            return None
        weights = self.banks.weights[1:]
        counting = [number for number, weight in enumerate(weights) if weight]
        columns = tuple(self.banks.columns[number] for number in counting)
        shown = (self.banks.weights[0], *(weights[number] for number in counting))
        return JoinedEyes(
            tuple(self.eyes[number] for number in counting),
            replace(self.banks, columns=columns, weights=shown),
        )

    def facts(self, *, read: bool = True) -> list[dict[str, Any]]:
        """The part of metrics.json about each eye; ``share`` is its share of all embeddings, the model's included.

        ``read`` says whether anything compares images, so that the eyes matter.
        """
        weights, shares = self.banks.weights[1:], self.banks.shares()[1:]
        unread = {} if read else {"read": False}
        return [
            {**asdict(eye), **unread, "weight": round(weight, 4), "share": round(share, 4)}
            for eye, weight, share in zip(self.eyes, weights, shares, strict=True)
        ]


def with_named_eyes(settings: Settings) -> Settings:
    """The settings with the names of all eyes on this machine in the place of ``auto``."""
    return (
        settings.model_copy(update={"eye": named_eyes(settings.eye)}) if settings.eye else settings
    )


def eye_sentences(eyes: Iterable[Mapping[str, Any]], words: Words) -> list[str]:
    """One sentence for each eye about how much it counts."""
    return [
        words(UNREAD, name=eye["name"])
        if not eye.get("read", True)
        else words(COUNTS, name=eye["name"], share=words.percent(eye["share"], 0))
        if eye["weight"]
        else words(COUNTS_NOTHING, name=eye["name"])
        for eye in eyes
    ]


def eyes_of(settings: Settings, backbone: Eye) -> tuple[Eye, ...]:
    """Load the eyes that the settings name.

    Raises:
        BackboneError: one is unknown, not here, or its files cannot be used.
        ConfigError: one is the model itself.
    """
    eyes = tuple(load_eye(name, precision=settings.precision) for name in settings.eye)
    for eye in eyes:
        if eye.fingerprint == backbone.fingerprint:
            raise ConfigError(ITSELF, name=eye.name)
    return eyes


def embed_eyes(
    eyes: Sequence[Eye],
    found: EmbeddedManifest,
    zero_shot: Probs | None,
    labels: Labels,
    listener: Listener,
    *,
    settings: BankSettings,
    banks: BankMap | None = None,
) -> tuple[Embeds, JoinedEyes | None]:
    """Embed the images by the eyes and join the result with the run's embeddings; unchanged without eyes.

    The weights of the eyes are fitted on the pool, by the ``settings``, zero-shot's answers (N, C) if there are texts,
    and the labels. A stored run is joined by its own ``banks`` again.
    """
    if not eyes:
        return found.embeds, None
    own = found.embeds
    pools, tests = [own.pool], [own.test]
    for eye in eyes:
        seen = embed_with_cache(eye, found.manifest, listener, stage=f"embed:{eye.name}")
        for issue in seen.issues:
            raise DataError(
                "{path} could be read a moment ago, and now: {detail}. Run the same command again.",
                path=issue.path,
                detail=issue.detail,
            )
        pools.append(seen.embeds.pool)
        tests.append(seen.embeds.test)
    banks = banks or fit_bank_map(pools, zero_shot, labels, settings)
    every = JoinedEyes(tuple(map(EyeFacts.of, eyes)), banks)
    if not every.banks.joins:
        return own, every
    width = own.pool.shape[1]
    pool, test = (every.banks.joined(banks) for banks in (pools, tests))
    columns = torch.arange(width, pool.shape[1])
    pool, test = (gathered(one, torch.arange(len(one)), columns) for one in (pool, test))
    return replace(own, pool_beside=pool, test_beside=test), every
