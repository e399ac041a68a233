"""How many lines of Python each room of ``src`` has, floor by floor as ``docs/architecture.md`` names and limits them.

    python -m tools.lines [--code]

``--code`` leaves out blank lines, comments and docstrings. The limits are of all lines.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"
TABLE = "the table *Four floors* of docs/architecture.md"
LINE = "clipgrip_line"


class Floor(NamedTuple):
    """A row of the table."""

    name: str
    rooms: list[str]
    most: int
    """Lines at most."""


def floors() -> list[Floor]:
    """From the core up, then the line, as the table has them."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    part = text.split("## Four floors")[1].split("\n## ")[0]
    rows = [line.split("|")[1:-1] for line in part.splitlines() if line.startswith("| ")][1:]
    return [
        Floor(name.strip(), rooms.split(), int(most.replace(",", "")))
        for name, rooms, _, most in rows
    ]


def lines_of(path: Path, *, code: bool = False) -> int:
    """Lines of a file; with ``code`` those that are neither blank, comment nor docstring."""
    text = path.read_text("utf-8")
    lines = text.splitlines()
    if not code:
        return len(lines)
    told = {
        number
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        for number in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    return sum(
        bool(line.strip()) and not line.lstrip().startswith("#") and number not in told
        for number, line in enumerate(lines, 1)
    )


def files_of(room: str) -> list[Path]:
    """A folder's files, or the module that lies beside the folders; of the line, all that it has."""
    if room == LINE:
        return sorted((SOURCE / LINE).rglob("*.py"))
    path = SOURCE / "clipgrip" / room
    return sorted(path.rglob("*.py")) if path.is_dir() else [path.with_suffix(".py")]


def borrowed(rooms: Sequence[str]) -> list[Path]:
    """Files of the line that these rooms import, wherever the import stands, and those which these import."""
    found: dict[Path, None] = {}
    unread = [path for room in rooms for path in files_of(room)]
    while unread:
        for path in _of_the_line(unread.pop()):
            if path not in found:
                found[path] = None
                unread.append(path)
    return sorted(found)


def _of_the_line(path: Path) -> Iterator[Path]:
    """Files of the line that a file imports, and those of the packages around them."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.ImportFrom) or (node.module or "").split(".")[0] != LINE:
            continue
        for alias in node.names:
            parts = [*(node.module or "").split("."), alias.name]
            for depth in range(1, len(parts) + 1):
                place = SOURCE.joinpath(*parts[:depth])
                yield from (
                    one
                    for one in (place / "__init__.py", place.with_suffix(".py"))
                    if one.is_file()
                )


def count(floor: Floor, *, code: bool = False) -> dict[str, int]:
    """Lines by room, the largest first; of the core also what it borrows of the line, which counts there too."""
    found = {
        room: sum(lines_of(path, code=code) for path in files_of(room)) for room in floor.rooms
    }
    if floor.name == "core":
        found[f"of {LINE}"] = sum(lines_of(path, code=code) for path in borrowed(floor.rooms))
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def table(*, code: bool = False) -> Iterator[str]:
    """Floor by floor, and the whole, in which what the core borrows counts once."""
    for floor in floors():
        rooms = count(floor, code=code)
        limit = "" if code else f" of at most {floor.most:,}"
        yield f"{sum(rooms.values()):>7,}  {floor.name}{limit}"
        if len(rooms) > 1:
            yield from (f"{lines:>7,}    {room}" for room, lines in rooms.items())
    whole = sum(lines_of(path, code=code) for path in SOURCE.rglob("*.py"))
    yield f"{whole:>7,}  all of src"


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    if unknown := set(arguments) - {"--code"}:
        print(f"unknown: {', '.join(sorted(unknown))}. Known: --code.")
        return 2
    print("\n".join(table(code="--code" in arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
