"""Pages from templates: what comes from outside is shown as text."""

from __future__ import annotations

import re
from functools import cache

import jinja2

_UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


@cache
def templates(package: str) -> jinja2.Environment:
    """The templates of a package's folder ``templates``, and the colours of all pages; a value must be given."""
    loaders = [jinja2.PackageLoader(package), jinja2.PackageLoader("clipgrip_line.web", "static")]
    return jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def page(package: str, name: str, **values: object) -> str:
    """A page of a package's, fit to be written."""
    return printable(templates(package).get_template(name).render(**values))


def printable(text: str) -> str:
    """Text with a replacement character for what no page may hold, or what turns text around."""
    return _UNPRINTABLE.sub("\ufffd", text)
