"""From embeddings to logits: zero-shot templates and learned prompts, on tensors."""

from clipgrip.prompts.classifier import cosine_logits, predict_proba, zero_shot
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, as_templates, fill
from clipgrip.prompts.textual import TextualPrompt

__all__ = [
    "DEFAULT_TEMPLATE",
    "TextualPrompt",
    "as_templates",
    "cosine_logits",
    "fill",
    "predict_proba",
    "zero_shot",
]
