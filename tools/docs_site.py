"""Build the documentation's site into build/site/html: pages that open without a server and without a network.

``pip install -e '.[docs]'`` brings what it needs. The source is docs/, with the notebook, the list of decisions and the
changelog turned into pages. A broken link, a warning or a request to another machine fails it.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tools.notebook import markdown

ROOT = Path(__file__).parent.parent
SITE = ROOT / "build" / "site"
SOURCE = SITE / "source"
LOADED = re.compile(
    r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=\"((?:https?:)?//[^\"]+)"
    r"|<link\b(?![^>]*rel=\"(?:canonical|prev|next)\")[^>]*?\bhref=\"((?:https?:)?//[^\"]+)"
    r"|url\(['\"]?((?:https?:)?//[^)'\"]+)"
)
"""What a browser fetches by itself: scripts, pictures, styles and fonts, not the links that a reader follows."""

WIDE = "[\u3000-\u9fff\uff00-\uffef]"
BREAK = re.compile(rf"(?<={WIDE})\n *(?={WIDE}|[A-Za-z(]|\*\*|`(?!``))|(```.*?```)", re.DOTALL)
"""The end of a line within a Japanese paragraph, which a browser would show as a space; or a block of code."""


def stage(folder: Path) -> None:
    """Write the pages that zensical.toml names into ``folder``."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "docs", folder, ignore=shutil.ignore_patterns("*.ipynb"))
    shutil.copy(ROOT / "CHANGELOG.md", folder / "changelog.md")
    for page in folder.rglob("*.ja.md"):
        page.write_text(BREAK.sub(r"\1", page.read_text("utf-8")), encoding="utf-8")
    notebook = ROOT / "docs" / "first-steps.ipynb"
    (folder / "first-steps.md").write_text(
        markdown(notebook, folder / "first-steps-files"), encoding="utf-8"
    )
    (folder / "decisions" / "index.md").write_text(decisions(), encoding="utf-8")


def decisions() -> str:
    """A page with a row for each decision: its title and whether it is in force."""
    lines = ["# Decisions", "", "What would surprise a reader of the code, and why it is so.", ""]
    lines += ["| decision | status |", "|---|---|"]
    for path in sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md")):
        title, _, status = path.read_text("utf-8").split("\n", 3)[:3]
        link = f"[{title.removeprefix('# ')}]({path.name})"
        lines.append(f"| {link} | {status.removeprefix('Status: ')} |")
    return "\n".join(lines) + "\n"


def foreign(folder: Path) -> list[str]:
    """``page: address`` of everything that the pages would fetch from another machine."""
    return sorted(
        f"{path.relative_to(folder)}: {next(filter(None, found))}"
        for path in folder.rglob("*")
        if path.suffix in (".html", ".css")
        for found in LOADED.findall(path.read_text("utf-8"))
    )


def main() -> int:
    """0 where the site stands in build/site/html."""
    if not find_spec("zensical") or not find_spec("mkdocstrings"):
        print("The site needs zensical and mkdocstrings. Run: pip install -e '.[docs]'")
        return 1
    stage(SOURCE)
    command = [sys.executable, "-m", "zensical", "build", "--strict", "--clean"]
    built = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    warnings = [line for line in built.stderr.splitlines() if line.startswith("griffe:")]
    faults = [*warnings, *(foreign(SITE / "html") if built.returncode == 0 else [])]
    if built.returncode or faults:
        print(built.stdout, built.stderr, *faults, sep="\n")
        return 1
    print(f"site: {SITE / 'html' / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
