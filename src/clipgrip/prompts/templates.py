"""Text around a class name."""

from __future__ import annotations

from collections.abc import Sequence

from clipgrip.errors import ConfigError

DEFAULT_TEMPLATE = "a photo of a {}."


def check_template(template: str) -> str:
    """The template itself, or ConfigError unless ``{}`` stands in it once."""
    if template.count("{}") != 1:
        raise ConfigError(
            f'template "{template}" must hold {{}} exactly once, where the class name goes, '
            f'for example "{DEFAULT_TEMPLATE}".'
        )
    return template


def fill(template: str, class_prompts: Sequence[str]) -> list[str]:
    """One text per class."""
    before, after = check_template(template).split("{}")
    return [f"{before}{name}{after}" for name in class_prompts]
