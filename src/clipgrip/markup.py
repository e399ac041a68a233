"""Renders HTML pages from templates; all values are escaped."""

from __future__ import annotations

import re
from functools import cache

import jinja2

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@cache
def templates(package: str) -> jinja2.Environment:
    """The environment of a package's templates and the common styles; a missing value is an error."""
    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader("clipgrip_line.web", "static")]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(package: str, name: str, **values: object) -> str:
    """Render a template of a package."""
    return printable(templates(package).get_template(name).render(**values))


def printable(text: str) -> str:
    """Text with a replacement character for control characters, and for marks that reverse text."""
    return _UNPRINTABLE.sub("\ufffd", text)
