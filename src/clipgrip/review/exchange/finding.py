"""Which image a file from another tool means. A name that two images have means neither."""

from __future__ import annotations

import base64
import binascii
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from posixpath import splitext
from typing import Literal
from urllib.parse import unquote

from clipgrip.data.classes import canonical
from clipgrip.data.rows import Row

How = Literal["content", "path", "name", "case", "other-content"]
"""``other-content``: by path or name, although the file holds or states another content."""

_HASHED = re.compile(r"[0-9a-f]{8}-(.+)", re.DOTALL)
"""What Label Studio puts before the name of an uploaded file."""
_ROBOFLOW = re.compile(r"(.+?)(?:[_-]([A-Za-z0-9]{2,5}))?\.rf\.[0-9A-Za-z_-]{8,}\.\w+", re.DOTALL)
"""``photo_jpg.rf.0123abcd....jpg``, once ``photo.jpg``."""
_OURS = re.compile(r"([0-9a-f]{12})-.+", re.DOTALL)
"""What our own class folders put before a name: the beginning of the content hash."""
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


@dataclass(frozen=True)
class Place:
    """The image that is meant; none where nothing, or more than one, fits."""

    image: str | None
    how: How = "path"
    ambiguous: bool = False


class Finder:
    """Finds images by content hash, by path, by the end of a path, or by a name that only one image has.

    All images of the run are looked through, also those that are not under review: a test image shall not lend its
    label to another image of the same name.
    """

    def __init__(self, rows: Iterable[Row]) -> None:
        every = {row.sha256: row for row in rows}
        self._hashes = every.keys()
        paths = [(canonical(path), image) for image, row in every.items() for path in row.paths]
        self._paths = _Names(paths)
        self._stems = _Names([(splitext(path)[0], image) for path, image in paths])
        self._folded = _Names([(path.casefold(), image) for path, image in paths])
        self._letters: dict[str, set[str]] = defaultdict(set)
        for image, row in every.items():
            for path in row.paths:
                self._letters[path].add(image)
                self._letters[splitext(path)[0]].add(image)
        self._slugs: dict[str, set[str]] = defaultdict(set)
        self._uploads: dict[str, set[str]] = defaultdict(set)
        self._begins: dict[str, set[str]] = defaultdict(set)
        for image in every:
            self._begins[image[:12]].add(image)
        for path, image in paths:
            name = path.rpartition("/")[2]
            self._slugs[_slug(name)].add(image)
            self._uploads[_uploaded(name)].add(image)

    def find(self, path: str, sha256: str = "") -> Place:
        """The image of a path as another tool writes it, or of a content hash."""
        if sha256 in self._hashes:
            return Place(sha256, "content")
        found, how = self._found(canonical(path))
        letters = self._letters.get(path, set())
        if len(found) != 1 and len(letters) == 1:
            # names that differ only in blanks, signs that nobody sees, or how an accent is written
            found, how = letters, "path"
        if len(found) != 1:
            return Place(None, how, len(found) > 1)
        return Place(next(iter(found)), "other-content" if len(sha256) == 64 else how)

    def _found(self, path: str) -> tuple[set[str], How]:
        exact = self._paths.exact.get(path) or self._paths.exact.get(path.replace("\\", "/"))
        if exact:
            return exact, "path"
        texts = spellings(path)
        for names in (self._paths, self._stems):
            looked = [names.look(text) for text in texts]
            images = {image for found, _ in looked for image in found}
            if images:
                how: How = "path" if all(how for found, how in looked if found) else "name"
                return images, how
        if renamed := self._renamed(texts):
            return renamed, "name"
        return {image for text in texts for image in self._folded.look(text.casefold())[0]}, "case"

    def _renamed(self, texts: Sequence[str]) -> set[str]:
        """By what Label Studio's uploads, Roboflow and our own class folders make of a name."""
        found: set[str] = set()
        for text in texts:
            folders, _, name = text.rpartition("/")
            hashed, versioned = _HASHED.fullmatch(name), _ROBOFLOW.fullmatch(name)
            if hashed and "upload" in folders.split("/"):
                found |= self._uploads.get(_uploaded(hashed[1]), set())
                found |= self._exported(hashed[1])
            found |= self._exported(name)
            if versioned:
                found |= self._original(versioned[1], versioned[2])
        return found

    def _exported(self, name: str) -> set[str]:
        ours = _OURS.fullmatch(name)
        return self._begins.get(ours[1], set()) if ours else set()

    def _original(self, stem: str, ending: str | None) -> set[str]:
        name = f"{stem}.{ending}" if ending else stem
        slug = _slug(name)
        return (
            self._paths.named(name)
            or self._stems.named(name)
            or (self._slugs.get(slug, set()) if slug else set())
        )


@dataclass
class _Names:
    """Images by path, and by the last part of it."""

    paths: Sequence[tuple[str, str]]
    exact: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    last: dict[str, list[tuple[list[str], str]]] = field(default_factory=lambda: defaultdict(list))

    def __post_init__(self) -> None:
        for path, image in self.paths:
            parts = _parts(path)
            self.exact["/".join(parts)].add(image)
            self.last[parts[-1] if parts else ""].append((parts, image))

    def named(self, name: str) -> set[str]:
        """All images of that name, in whatever folder."""
        return {image for _, image in self.last.get(name, ())}

    def look(self, text: str) -> tuple[set[str], bool]:
        """The images that a written path may mean, and whether folders speak for it too.

        A path that is the end of the other is meant; the longest wins. One shared name alone means something only where
        a single image has it.
        """
        parts = _parts(text)
        if not parts:
            return set(), False
        if not text.startswith("/") and (whole := self.exact.get("/".join(parts))):
            return whole, True
        here = self.last.get(parts[-1], [])
        shared: Mapping[int, set[str]] = defaultdict(set)
        for own, image in here:
            n = min(len(own), len(parts))
            if own[-n:] == parts[-n:]:
                shared[n].add(image)
        longest = max(shared, default=0)
        if longest > 1:
            return shared[longest], True
        return {image for _, image in here}, False


def spellings(path: str) -> list[str]:
    """What a path may mean as a place of a file: without host and query, percent codes decoded or not.

    Label Studio writes ``/data/local-files/?d=a%20b.png`` for local files, ``/data/upload/3/1a2b3c4d-a.png`` for
    uploads, and ``?fileuri=`` with the address of a file in a bucket in base64.
    """
    text = path
    if "?" in path:
        coded = re.search(r"[?&]fileuri=([^&#]+)", path)
        text = _decoded64(unquote(coded[1])) if coded else path
    if "?d=" in text or "&d=" in text:
        plain = re.split(r"[?&]d=", text, maxsplit=1)[1].partition("&")[0]
        return _both(plain)
    if _SCHEME.match(text):
        return _both("/" + text.split("://", 1)[1].partition("/")[2])
    cut = re.split(r"[?#]", text, maxsplit=1)[0]
    return list(dict.fromkeys([*_both(text, cut=False), *_both(cut, cut=False)]))


def _both(text: str, cut: bool = True) -> list[str]:
    """As written and with percent codes decoded; an address without its query and fragment."""
    if cut:
        text = re.split(r"[?#]", text, maxsplit=1)[0]
    both = dict.fromkeys((text, unquote(text)))
    return [canonical(one.replace("\\", "/")) for one in both if one]


def _decoded64(text: str) -> str:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_").decode()
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return text


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in ("", ".", "..")]


def _uploaded(name: str) -> str:
    """A name as Label Studio keeps an uploaded file: spaces are underscores, of the rest only letters, digits, -_."""
    return re.sub(r"[^-\w.]", "", name.strip().replace(" ", "_"))


def _slug(name: str) -> str:
    """A name as Roboflow makes it: letters and digits, everything else a dash; empty where letters would be lost."""
    if not name.isascii():
        return ""
    return re.sub(r"[^0-9A-Za-z]+", "-", name).strip("-").casefold()
