"""Text around a class name: one template, or several whose answers are averaged."""

from __future__ import annotations

from collections.abc import Sequence

from clipgrip.data.text import read_text
from clipgrip.errors import ConfigError
from clipgrip.files import AnyPath

DEFAULT_TEMPLATE = "a photo of a {}."
FILE_MARK = "@"
"""Before the name of a file that holds one template a line."""

Template = str | Sequence[str]
"""One, or an ensemble."""


def check_template(template: str) -> str:
    """The template itself, or ConfigError unless ``{}`` stands in it once."""
    if template.count("{}") != 1:
        raise ConfigError(
            f'template "{template}" must hold {{}} exactly once, where the class name goes, '
            f'for example "{DEFAULT_TEMPLATE}".'
        )
    return template


def as_templates(template: Template) -> tuple[str, ...]:
    """All of them, checked; ConfigError where there is none, one is wrong or stands twice."""
    found = (template,) if isinstance(template, str) else tuple(template)
    if not found:
        raise ConfigError(f'no template given. Give one, for example "{DEFAULT_TEMPLATE}".')
    for number, one in enumerate(found):
        if check_template(one) in found[:number]:
            raise ConfigError(f'template "{one}" stands twice and would count twice. Remove one.')
    return found


def first_template(template: Template) -> str:
    """The one whose words a tuned prompt starts from."""
    return as_templates(template)[0]


def expand(template: Template, encoding: str | None = None) -> str | tuple[str, ...]:
    """Templates with every ``@file`` replaced by its lines; a single one as plain text.

    Raises:
        ConfigError: as `as_templates`.
        DataError: a file cannot be read.
    """
    named = (template,) if isinstance(template, str) else tuple(template)
    found: list[str] = []
    for one in named:
        is_file = one.startswith(FILE_MARK) and "{}" not in one
        found += read_templates(one.removeprefix(FILE_MARK), encoding) if is_file else [one]
    checked = as_templates(found)
    return checked[0] if len(checked) == 1 else checked


def read_templates(path: AnyPath, encoding: str | None = None) -> list[str]:
    """One template a line; empty lines and lines that begin with ``#`` are left out.

    Raises:
        DataError: the file cannot be read.
    """
    lines = (line.strip() for line in read_text(path, encoding).splitlines())
    return [line for line in lines if line and not line.startswith("#")]


def fill(template: str, class_prompts: Sequence[str]) -> list[str]:
    """One text per class."""
    before, after = check_template(template).split("{}")
    return [f"{before}{name}{after}" for name in class_prompts]
