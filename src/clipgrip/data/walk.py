"""All files below a folder, once each, whatever the links; system litter is set apart."""

from __future__ import annotations

import os

from clipgrip.data.issues import Issue

LITTER = frozenset(
    {"thumbs.db", "ehthumbs.db", "desktop.ini", "__macosx", "@eadir", "$recycle.bin"}
    | {"system volume information", "lost+found"}
)
"""Names, in lower case, that operating systems and network drives leave behind."""
OWN = ".clipgrip"
"""Begins the names of clipgrip's own hidden files, which are nobody's images and no news."""


def walk(folder: str, root: str) -> tuple[list[str], list[Issue]]:
    """Absolute paths of the files below ``folder``, sorted, and issues shown relative to ``root``.

    Linked folders are read after the real ones; a folder that was read already is not read again,
    so loops end.
    """
    files: list[str] = []
    issues: list[Issue] = []
    seen = {os.path.realpath(folder)}
    pending = [folder]
    while pending:
        pending += _walk_real(pending.pop(0), root, seen, files, issues)
        pending = _unread(pending, root, seen, issues)
    visible = [path for path in files if not is_litter(path, folder)]
    issues += [_hidden(path, root) for path in files if is_litter(path, folder)]
    return sorted(visible), sorted(issues)


def _walk_real(
    folder: str, root: str, seen: set[str], files: list[str], issues: list[Issue]
) -> list[str]:
    """Read a folder without following links; the linked folders in it are returned."""
    links: list[str] = []

    def cannot_read(error: OSError) -> None:
        path = str(error.filename)
        issues.append(Issue(relative(path, root), "unreadable", _plain(error)))

    seen.add(os.path.realpath(folder))
    for here, folders, names in os.walk(folder, onerror=cannot_read):
        files += [os.path.join(here, name) for name in names if not name.startswith(OWN)]
        linked = [name for name in folders if os.path.islink(os.path.join(here, name))]
        links += [os.path.join(here, name) for name in sorted(linked)]
        folders[:] = sorted(
            name for name in folders if name not in linked and _is_new(here, name, seen)
        )
    return links


def _is_new(here: str, name: str, seen: set[str]) -> bool:
    real = os.path.realpath(os.path.join(here, name))
    if real in seen:
        return False
    seen.add(real)
    return True


def _unread(links: list[str], root: str, seen: set[str], issues: list[Issue]) -> list[str]:
    """The links that lead to a folder that was not read; the others become issues."""
    new = [link for link in links if os.path.realpath(link) not in seen]
    issues += [
        Issue(relative(link, root), "repeated-folder", "links to a folder that is read already")
        for link in links
        if link not in new
    ]
    return new


def _hidden(path: str, root: str) -> Issue:
    return Issue(relative(path, root), "hidden", "hidden, or made by the system or an editor")


def is_litter(path: str, folder: str) -> bool:
    """Whether a name between ``folder`` and the file is hidden or a system's."""
    parts = relative(path, folder).split("/")
    return any(part.startswith((".", "~$")) or part.casefold() in LITTER for part in parts)


def relative(path: str, root: str) -> str:
    """The path as shown: relative to ``root`` with ``/``; absolute when on another drive."""
    prefix = root.rstrip(os.sep) + os.sep
    if path.startswith(prefix):
        return path[len(prefix) :].replace(os.sep, "/")
    try:
        return os.path.relpath(path, root).replace(os.sep, "/")
    except ValueError:
        return path.replace(os.sep, "/")


def _plain(error: OSError) -> str:
    return f"the folder cannot be read ({error.strerror})"
