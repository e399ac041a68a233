"""Templates that stand in files, one a line."""

from __future__ import annotations

from clipgrip.data.text import read_text
from clipgrip.errors import ConfigError
from clipgrip.files import AnyPath
from clipgrip.prompts.templates import DEFAULT_TEMPLATE, Template, as_templates
from clipgrip.sentences import mark

FILE_MARK = "@"
"""Before the name of a file that holds one template a line."""
EMPTY = mark('{path} holds no template. Write one a line, for example "{example}".')


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

    ConfigError: the file holds none. DataError: it cannot be read.
    """
    lines = (line.strip() for line in read_text(path, encoding).splitlines())
    found = [line for line in lines if line and not line.startswith("#")]
    if not found:
        raise ConfigError(EMPTY, path=path, example=DEFAULT_TEMPLATE)
    return found
