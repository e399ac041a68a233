"""The untuned prompt of each kind, from which every round starts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from clipgrip.errors import ConfigError
from clipgrip.method import Method
from clipgrip.prompts.base import Prompt
from clipgrip.prompts.multimodal import MultimodalPrompt
from clipgrip.prompts.residual import ResidualPrompt
from clipgrip.prompts.templates import Template, first_template
from clipgrip.prompts.textual import TextualPrompt
from clipgrip.prompts.towers import TwoTowers
from clipgrip.prompts.visual import VisualPrompt, class_tokens, random_tokens
from clipgrip.seeds import generator


def untuned(
    backbone: TwoTowers,
    class_prompts: Sequence[str],
    method: Method,
    *,
    template: Template,
    seed: int,
    kind: str = "textual",
) -> Prompt:
    """The prompt of this kind that every round is tuned from; of several templates the first one's words.

    A residual of the class embeddings where there is no text tower, because embeddings were given instead of images.
    """
    if not backbone.text.max_tokens:
        return ResidualPrompt.untuned(
            backbone.text.encode_texts(class_prompts), backbone.logit_scale
        )
    if method.init == "template" and kind in ("textual", "multimodal"):
        _check_words(first_template(template))
    return _STARTS[kind](backbone, class_prompts, method, template, seed)


def _textual(
    backbone: TwoTowers,
    class_prompts: Sequence[str],
    method: Method,
    template: Template,
    seed: int,
) -> TextualPrompt:
    if method.init == "template":
        return TextualPrompt.from_template(
            backbone, class_prompts, template=first_template(template)
        )
    drawn = generator(seed, "ctx")
    return TextualPrompt.random(backbone, class_prompts, n_ctx=method.n_ctx, generator=drawn)


def _visual(
    backbone: TwoTowers,
    class_prompts: Sequence[str],
    method: Method,
    template: Template,
    seed: int,
    *,
    deep: bool = False,
) -> VisualPrompt:
    return VisualPrompt.of(
        backbone,
        class_prompts,
        class_tokens if method.init == "template" else random_tokens,
        n_tokens=method.n_tokens,
        generator=generator(seed, "tokens"),
        deep=deep,
        template=template,
    )


def _multimodal(
    backbone: TwoTowers,
    class_prompts: Sequence[str],
    method: Method,
    template: Template,
    seed: int,
) -> MultimodalPrompt:
    drawn, n_tokens = generator(seed, "multimodal"), method.n_tokens
    if method.init == "template":
        words = first_template(template)
        return MultimodalPrompt.from_template(
            backbone, class_prompts, template=words, n_tokens=n_tokens, generator=drawn
        )
    return MultimodalPrompt.random(
        backbone, class_prompts, n_ctx=method.n_ctx, n_tokens=n_tokens, generator=drawn
    )


_STARTS: dict[str, Callable[[TwoTowers, Sequence[str], Method, Template, int], Prompt]] = {
    "textual": _textual,
    "visual": _visual,
    "visual-deep": partial(_visual, deep=True),
    "multimodal": _multimodal,
}


def _check_words(template: str) -> None:
    if not template.split("{}")[0].strip():
        raise ConfigError(
            'template "{template}" has no words before {{}} to tune. Write some, as in "a photo '
            'of a {{}}.", or choose --preset paper, which starts from random vectors, or '
            "--strategy zero-shot.",
            template=template,
        )
