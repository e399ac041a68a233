"""All files below a folder, once each, whatever the links; system litter is set apart."""

from __future__ import annotations

import os

from clipgrip.data.issues import Issue, Issues
from clipgrip.data.texts import Texts
from clipgrip.files import openable, system_words
from clipgrip.sentences import Sentence

LITTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"}
    | {"system volume information", "lost+found"}
)
"""Names, in lower case, that operating systems and network drives leave behind."""
OWN = ".clipgrip"
HIDDEN = Sentence("hidden, or made by the system or an editor")
"""Begins the names of clipgrip's own hidden files, which are nobody's images and no news."""


def walk(folder: str, root: str) -> tuple[Texts, Issues]:
    """Absolute paths of the files below ``folder``, sorted, and issues shown relative to ``root``.

    Linked folders are read after the real ones; a folder that was read already is not read again,
    so loops end.
    """
    files, issues = Texts(), Issues()
    seen = {os.path.realpath(folder)}
    pending = [folder]
    while pending:
        pending += _walk_real(pending.pop(0), root, seen, files, issues)
        pending = _unread(pending, root, seen, issues)
    issues.extend(hidden_issue(path, root) for path in files if is_litter(path, folder))
    ordered = files.order().tolist()
    visible = (place for place in ordered if not is_litter(files[place], folder))
    return files.take(visible), issues.in_order()


def _walk_real(folder: str, root: str, seen: set[str], files: Texts, issues: Issues) -> list[str]:
    """Read a folder without following links, however deep; the linked folders in it are returned."""
    links: list[str] = []
    real = os.path.realpath(folder)
    seen.add(real)
    pending = [(folder, real)]
    while pending:
        here, real = pending.pop()
        for name in sorted(folders := _listed(here, root, files, issues)):
            path = os.path.join(here, name)
            if folders[name]:
                links.append(path)
                continue
            inner = _real(real, path)
            if inner not in seen:
                seen.add(inner)
                pending.append((path, inner))
    return links


def _listed(here: str, root: str, files: Texts, issues: Issues) -> dict[str, bool]:
    """The folders in a folder, and whether each is a link; its files are added to ``files``."""
    folders: dict[str, bool] = {}
    try:
        with os.scandir(openable(here)) as entries:
            for entry in entries:
                if _is_folder(entry):
                    folders[entry.name] = entry.is_symlink()
                elif not entry.name.startswith(OWN):
                    files.append(os.path.join(here, entry.name))
    except OSError as error:
        issues.append(Issue(relative(here, root), "unreadable", _plain(error)))
    return folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _real(folder: str, path: str) -> str:
    """Where a folder that is no link really lies, from where its parent does; Windows has junctions besides links."""
    return (
        os.path.realpath(path) if os.name == "nt" else os.path.join(folder, os.path.basename(path))
    )


def _unread(links: list[str], root: str, seen: set[str], issues: Issues) -> list[str]:
    """The links that lead to a folder that was not read; the others become issues."""
    new = [link for link in links if os.path.realpath(link) not in seen]
    detail = Sentence("links to a folder that is read already")
    issues.extend(
        Issue(relative(link, root), "repeated-folder", detail) for link in links if link not in new
    )
    return new


def hidden_issue(path: str, root: str) -> Issue:
    """The issue of a file that is litter."""
    return Issue(relative(path, root), "hidden", HIDDEN)


def is_litter(path: str, folder: str) -> bool:
    """Whether a name between ``folder`` and the file is hidden or a system's."""
    parts = relative(path, folder).split("/")
    return any(part.startswith((".", "~$")) or part.casefold() in LITTER for part in parts)


def relative(path: str, root: str) -> str:
    """The path as shown: relative to ``root`` with ``/``; absolute on another drive, and a URL where root is none."""
    prefix = root.rstrip(os.sep) + os.sep
    if path.startswith(prefix):
        return path[len(prefix) :].replace(os.sep, "/")
    if "://" in path and "://" not in root and not os.path.isabs(path):
        return path
    try:
        return os.path.relpath(path, root).replace(os.sep, "/")
    except ValueError:
        return path.replace(os.sep, "/")


def _plain(error: OSError) -> Sentence:
    return Sentence("the folder cannot be read ({reason})", reason=system_words(error))
