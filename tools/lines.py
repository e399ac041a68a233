"""How many lines of Python each room of ``src`` has, floor by floor as ``docs/architecture.md`` names them.

    python -m tools.lines [--code]

``--code`` leaves out blank lines, comments and docstrings.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src"


def floors() -> dict[str, list[str]]:
    """Floor -> its rooms, from the table *Three floors*; what all stand on last."""
    text = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    part = text.split("## Three floors")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in part.splitlines() if line.startswith("| ")][1:]
    base = part.split("What all stand on:")[1].split(".")[0]
    return {name.strip(): rooms.split() for name, rooms in [*rows, ["base", base]]}


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


def room_lines(package: str, *, code: bool = False) -> dict[str, int]:
    """Lines by room: a folder, or a module that lies beside them."""
    found: dict[str, int] = {}
    for path in sorted((SOURCE / package).rglob("*.py")):
        room = path.relative_to(SOURCE / package).parts[0].removesuffix(".py")
        found[room] = found.get(room, 0) + lines_of(path, code=code)
    return found


def table(*, code: bool = False) -> Iterator[str]:
    """Floor by floor, the largest room first; the line and the whole last."""
    rooms = room_lines("clipgrip", code=code)
    named = floors()
    named["base"] += [room for room in rooms if room.startswith("__")]
    for floor, names in named.items():
        yield f"{sum(rooms[name] for name in names):>7,}  {floor}"
        yield from (
            f"{rooms[name]:>7,}    {name}" for name in sorted(names, key=lambda n: -rooms[n])
        )
    line = sum(room_lines("clipgrip_line", code=code).values())
    yield f"{line:>7,}  the line (clipgrip_line)"
    yield f"{sum(rooms.values()) + line:>7,}  all of src"


def main(arguments: Sequence[str]) -> int:
    """Print the table."""
    if unknown := set(arguments) - {"--code"}:
        print(f"unknown: {', '.join(sorted(unknown))}. Known: --code.")
        return 2
    print("\n".join(table(code="--code" in arguments)))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
