"""Reads templates from files with one template a line."""

from __future__ import annotations

from clipgrip.data.text import read_text
from clipgrip.errors import ConfigError
from clipgrip.files import AnyPath
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, Template, as_templates
from clipgrip.sentences import mark

FILE_MARK = "@"
"""Marks the name of a file of templates."""
EMPTY = mark('{path} holds no template. Write one a line, for example "{example}".')


def expand(template: Template, encoding: str | None = None) -> str | tuple[str, ...]:
    """Templates, in which each ``@file`` is replaced by its lines; a single template as a string.

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
    """The templates in a file; empty lines and lines that begin with ``#`` are skipped.

    ConfigError: the file has no template. DataError: it cannot be read.
    """
    lines = (line.strip() for line in read_text(path, encoding).splitlines())
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ConfigError(EMPTY, path=path, example=DEFAULT_TEMPLATE)
    return found
