"""Text around a class name: one template, or several whose answers are averaged."""

from __future__ import annotations

from collections.abc import Sequence

from clipgrip.errors import ConfigError

DEFAULT_TEMPLATE = "a photo of a {}."

Template = str | Sequence[str]
"""One template, or several to be averaged."""


def check_template(template: str) -> str:
    """The template itself; ConfigError unless it holds ``{}`` exactly once."""
    if template.count("{}") != 1:
        raise ConfigError(
            'template "{template}" must hold {{}} exactly once, where the class name goes, for '
            'example "{default_template}".',
            template=template,
            default_template=DEFAULT_TEMPLATE,
        )
    return template


def as_templates(template: Template) -> tuple[str, ...]:
    """The templates, checked; ConfigError if there is none, or one is wrong or given twice."""
    found = (template,) if isinstance(template, str) else tuple(template)
    if not found:
        raise ConfigError(
            'no template given. Give one, for example "{default_template}".',
            default_template=DEFAULT_TEMPLATE,
        )
    for number, one in enumerate(found):
        if check_template(one) in found[:number]:
            raise ConfigError(
                'template "{one}" stands twice and would count twice. Remove one.', one=one
            )
    return found


def first_template(template: Template) -> str:
    """The first template, whose words a tuned prompt starts from."""
    return as_templates(template)[0]


def fill(template: str, class_prompts: Sequence[str]) -> list[str]:
    """One text per class."""
    before, after = check_template(template).split("{}")
    return [f"{before}{name}{after}" for name in class_prompts]
