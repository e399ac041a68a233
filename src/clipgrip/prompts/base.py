"""The interface of all learned prompts: what training and prediction need, whatever a prompt consumes."""

from __future__ import annotations

from typing import ClassVar, Literal, Self

from jaxtyping import Float
from torch import Tensor

from clipgrip.errors import PromptError
from clipgrip.prompts.classifier import wide_logits
from clipgrip.types import ClassEmbeds, ImageEmbeds, Logits


class Prompt:
    """An immutable prompt on a frozen backbone. Logits are the cosine of its two sides, times ``logit_scale``.

    A subclass defines `class_embeds`, `learned` and `with_learned`; one with tokens in the image tower also
    `image_embeds`, `on` and ``consumes``.
    """

    consumes: ClassVar[Literal["embeds", "pixels"]] = "embeds"
    """What ``image_embeds`` takes: image embeddings, or preprocessed pixels."""
    logit_scale: float
    """The factor on the cosine; never tuned."""

    def class_embeds(self) -> ClassEmbeds:
        """(C, D) unit vectors, differentiable in the learned values where the text side is tuned."""
        raise NotImplementedError

    def image_embeds(self, inputs: Tensor) -> ImageEmbeds:
        """(B, D) unit vectors, differentiable in the learned values where the image side is tuned."""
        return inputs

    def logits(self, inputs: Tensor) -> Logits:
        """(B, C) logits of inputs (B, ...)."""
        return wide_logits(self.image_embeds(inputs), self.class_embeds(), self.logit_scale)

    def image_tokens(self) -> Float[Tensor, "K P E"] | None:
        """What stands in the image tower beside the patches; None where images are seen as they are."""
        return None

    def learned(self) -> dict[str, Tensor]:
        """The tuned tensors by name: exactly what a checkpoint holds."""
        raise NotImplementedError

    def with_learned(self, learned: dict[str, Tensor]) -> Self:
        """The same prompt with other learned values; PromptError where names or shapes do not fit."""
        raise NotImplementedError

    def check_fit(self, kind: str, learned: dict[str, Tensor]) -> None:
        """PromptError unless the tensors have the names and shapes of this prompt's own."""
        found, needed = (
            {name: tuple(value.shape) for name, value in sorted(values.items())}
            for values in (learned, self.learned())
        )
        if found != needed:
            raise PromptError(
                "this checkpoint holds {found}, a {kind} prompt on this model needs {needed}. Was it "
                "tuned on another model, or as another kind of prompt?",
                found=found,
                kind=kind,
                needed=needed,
            )


def learned_parameters(prompt: Prompt) -> int:
    """How many numbers are tuned."""
    return sum(value.numel() for value in prompt.learned().values())
