"""Lists all files below a folder, each once in spite of links; hidden and system files become issues."""

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
"""Names, in lower case, of files that operating systems and network drives create."""
OWN = ".clipgrip"
"""How the names of clipgrip's own hidden files begin; they get no issue."""
HIDDEN = Sentence("hidden, or made by the system or an editor")


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
        pending = _unread_links(pending, root, seen, issues)
    issues.extend(hidden_issue(path, root) for path in files if is_litter(path, folder))
    ordered = files.order().tolist()
    visible = (place for place in ordered if not is_litter(files[place], folder))
    return files.take(visible), issues.in_order()


def _walk_real(folder: str, root: str, seen: set[str], files: Texts, issues: Issues) -> list[str]:
    """Add the files below a folder without following links; returns the linked folders that were met."""
    links: list[str] = []
    real = os.path.realpath(folder)
    seen.add(real)
    pending = [(folder, real)]
    while pending:
        here, real = pending.pop()
        for name in sorted(folders := _list_folder(here, root, files, issues)):
            path = os.path.join(here, name)
            if folders[name]:
                links.append(path)
                continue
            inner = _real_path(real, path)
            if inner not in seen:
                seen.add(inner)
                pending.append((path, inner))
    return links


def _list_folder(here: str, root: str, files: Texts, issues: Issues) -> dict[str, bool]:
    """Add the files of one folder to ``files``; returns its sub-folders, and whether each is a link."""
    folders: dict[str, bool] = {}
    try:
        with os.scandir(openable(here)) as entries:
            for entry in entries:
                if _is_folder(entry):
                    folders[entry.name] = entry.is_symlink()
                elif not entry.name.startswith(OWN):
                    files.append(os.path.join(here, entry.name))
    except OSError as error:
        why = Sentence("the folder cannot be read ({reason})", reason=system_words(error))
        issues.append(Issue(relative(here, root), "unreadable", why))
    return folders


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link in a circle
        return False


def _real_path(folder: str, path: str) -> str:
    """The real path of a sub-folder that is no link, from its parent's. Windows also has junctions, so it is asked."""
    return (
        os.path.realpath(path) if os.name == "nt" else os.path.join(folder, os.path.basename(path))
    )


def _unread_links(links: list[str], root: str, seen: set[str], issues: Issues) -> list[str]:
    """The links to folders that were not read yet; the others become issues."""
    new = [link for link in links if os.path.realpath(link) not in seen]
    detail = Sentence("links to a folder that is read already")
    issues.extend(
        Issue(relative(link, root), "repeated-folder", detail) for link in links if link not in new
    )
    return new


def hidden_issue(path: str, root: str) -> Issue:
    return Issue(relative(path, root), "hidden", HIDDEN)


def is_litter(path: str, folder: str) -> bool:
    """Whether the file, or a folder between ``folder`` and it, is hidden or belongs to the system."""
    parts = relative(path, folder).split("/")
    return any(part.startswith((".", "~$")) or part.casefold() in LITTER for part in parts)


def relative(path: str, root: str) -> str:
    """The path as people see it: relative to ``root`` with ``/``; absolute if it is on another drive or in a store."""
    prefix = root.rstrip(os.sep) + os.sep
    if path.startswith(prefix):
        return path[len(prefix) :].replace(os.sep, "/")
    if "://" in path and "://" not in root and not os.path.isabs(path):
        return path
    try:
        return os.path.relpath(path, root).replace(os.sep, "/")
    except ValueError:
        return path.replace(os.sep, "/")
