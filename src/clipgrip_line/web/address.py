"""Where the page is reached: the machine's own address, names of reverse proxies, and a path before every page."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import urlsplit

USUAL = {"http": 80, "https": 443}
_NAME = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)(\.(?!-)[a-z0-9_-]{1,63}(?<!-))*|\[[0-9a-f:.]+\]")


@dataclass(frozen=True)
class PublicName:
    """A name under which a reverse proxy offers the page; without a port the usual ones of http and https."""

    name: str
    port: int | None = None

    def at(self, port: int | None, own: int) -> bool:
        """Whether the name is answered at a port; None where a header says none, as proxies often do."""
        return port in (None, self.port) if self.port else port in (None, own, *USUAL.values())


@dataclass(frozen=True)
class Access:
    """What the server answers to. ``token`` empty: whoever reaches the loopback address may come in."""

    host: str
    port: int
    token: str = field(default="", repr=False)
    names: tuple[str, ...] = ()
    """Further names of this machine under which people open the page."""
    public: tuple[PublicName, ...] = ()
    prefix: str = ""
    """Path before every page, as ``/clipgrip``; empty: none."""

    def admits(self, host: str) -> bool:
        """Whether a Host header names this server. A name that is not ours may be a rebinding attack."""
        name, port = parted(host)
        if any(one.name == name and one.at(port, self.port) for one in self.public):
            return True
        if (port or 80) != self.port:
            return False
        if name in ("localhost", self.host, *self.names):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or self.host in ("0.0.0.0", "::")

    def admits_origin(self, origin: str, host: str) -> bool:
        """Whether a page of ``origin`` may write: the very host that was asked, or a name of a reverse proxy."""
        scheme, _, place = origin.partition("://")
        if scheme not in USUAL:
            return False
        if place == host:
            return True
        name, port = parted(place)
        port = port or USUAL[scheme]
        return any(one.name == name and one.at(port, self.port) for one in self.public)

    def inner(self, path: str) -> str:
        """The page's own path, whether or not the reverse proxy has taken the prefix away."""
        if self.prefix and (path == self.prefix or path.startswith(self.prefix + "/")):
            path = path[len(self.prefix) :]
        return path if path.endswith("//") else path.rstrip("/") or "/"


def named(text: str) -> tuple[str, int | None] | None:
    """Name and port that ``NAME`` or ``NAME:PORT`` stands for; None where it is no name of a host."""
    name, port = parted(text)
    known = _NAME.fullmatch(f"[{name}]" if ":" in name else name)
    return None if known is None or port == 0 else (name, port)


@lru_cache(32)
def parted(host: str) -> tuple[str, int | None]:
    """Name and port of a Host header; the name in small letters, as DNS has it, an empty one where it is none."""
    if re.search(r"[@/?#\\\s]", host):
        return "", None
    try:
        parts = urlsplit(f"//{host}")
        name, port = (parts.hostname or "").casefold().removesuffix("."), parts.port
    except ValueError:
        return "", None
    try:
        return name if name.isascii() else name.encode("idna").decode(), port
    except UnicodeError:
        return "", port
