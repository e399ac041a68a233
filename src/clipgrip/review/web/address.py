"""Where the page is reached: the machine's own address, names of reverse proxies, and a path before every page."""

from __future__ import annotations

import re

from clipgrip.errors import ConfigError
from clipgrip_line.web import address as line
from clipgrip_line.web.address import Access as Access
from clipgrip_line.web.address import named

OWN = (
    *("alarm", "api", "audit", "classes", "export", "files", "healthz", "image", "one", "review"),
    *("rounds", "static", "thumb", "work"),
)
"""First parts of the page's own paths."""
_PREFIX = re.compile(r"(/(?!\.{1,2}(/|$))[A-Za-z0-9._~-]+)*")


class PublicName(line.PublicName):
    """A name under which a reverse proxy offers the page; without a port the usual ones of http and https."""

    @classmethod
    def of(cls, text: str) -> PublicName:
        """From ``NAME`` or ``NAME:PORT``. ConfigError: it is neither."""
        found = named(text)
        if found is None:
            raise ConfigError(
                '--allow-name "{text}" is no name of a host. Give it as it stands in the browser, '
                "without https:// and without a path: review.plant.example or "
                "review.plant.example:8443.",
                text=text,
            )
        return cls(*found)


def path_prefix(text: str) -> str:
    """``/clipgrip`` from ``clipgrip``, ``/clipgrip`` or ``/clipgrip/``; empty from ``/``.

    ConfigError: it is no plain path, or begins as a page of clipgrip does.
    """
    prefix = f"/{text.strip('/')}" if text.strip("/") else ""
    if not _PREFIX.fullmatch(prefix):
        raise ConfigError(
            '--path-prefix "{text}" is no path. Give letters, digits, - . _ ~ and / only, as in '
            "/clipgrip.",
            text=text,
        )
    if prefix.split("/")[1:2] and prefix.split("/")[1] in OWN:
        raise ConfigError(
            "--path-prefix {prefix} begins like one of clipgrip's own pages ({own}). Choose "
            "another, as /clipgrip{prefix}.",
            prefix=prefix,
            own=", ".join(OWN),
        )
    return prefix
