"""Every command that the pages show exists by its present name, with the options they give it."""

from __future__ import annotations

import importlib.util
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clipgrip.cli.main import root

ROOT = Path(__file__).parent.parent
PAGES = (
    *("README.md", "CONTRIBUTING.md"),
    *("benchmarks/README.md", "line/README.md", "pretraining/README.md"),
    *(
        f"docs/{path.name}"
        for path in sorted((ROOT / "docs").glob("*.md"))
        if path.name != "cli.md"
    ),
    "docs/operations/guide.md",
    "docs/operations/guide.ja.md",
)
LINK = re.compile(r"\]\(([^)#:\s]*)(?:#([^)\s]+))?\)")


def shown(page: str) -> Iterator[list[str]]:
    """The words of each clipgrip command in a page's console blocks, and of those in a line of prose."""
    text = (ROOT / page).read_text("utf-8")
    for block in re.findall(r"```(?:console|bash)\n(.*?)```", text, re.DOTALL):
        for line in block.replace("\\\n", " ").splitlines():
            if line.startswith("clipgrip "):
                yield shlex.split(line, comments=True)[1:]
    for words in re.findall(r"`clipgrip ([^`]+)`", text):
        yield shlex.split(words)


def called(words: list[str]) -> Any:
    """The command that the words call; groups may be named alone."""
    found: Any = root()
    for word in words:
        if not hasattr(found, "list_commands"):
            break
        named = found.get_command(None, word)
        if named is None and (group := getattr(found, "group", None)) and group.alone:
            return found.get_command(None, group.alone)  # its name alone means this one
        found = named
        assert found is not None, words
        assert not getattr(found, "new_name", ""), f"old name: {words}"
    return found


@pytest.mark.parametrize("page", PAGES)
def test_documented_commands_exist_with_their_options(page: str) -> None:
    for words in shown(page):
        command = called(words)
        known = {option for parameter in command.params for option in parameter.opts}
        given = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
        assert given <= known | {"--help"}, (page, words)


@pytest.mark.parametrize("page", PAGES)
def test_documented_files_and_their_headings_exist(page: str) -> None:
    written = {"decisions/index.md", "first-steps.md", "changelog.md"}  # by tools.docs_site
    for target, heading in LINK.findall((ROOT / page).read_text("utf-8")):
        place = (ROOT / page).parent / target if target else ROOT / page
        assert place.exists() or target in written, (page, target)
        if heading and place.suffix == ".md":
            assert heading in anchors(place.read_text("utf-8")), (page, target, heading)


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in links, as GitHub makes it."""
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES)
def test_documented_modules_exist(page: str) -> None:
    text = (ROOT / page).read_text("utf-8")
    for name in re.findall(r"python -m ((?:tools|benchmarks|pretraining)[.\w]+)", text):
        assert importlib.util.find_spec(name), (page, name)
    for name in re.findall(r"python ((?:tools|benchmarks|pretraining)/[/\w]+\.py)", text):
        assert (ROOT / name).exists(), (page, name)


def shown_at_the_line(page: str) -> Iterator[list[str]]:
    """The words of each clipgrip-line command in a page."""
    text = (ROOT / page).read_text("utf-8")
    for words in re.findall(r"^clipgrip-line (.+)$", text, re.MULTILINE):
        yield shlex.split(words, comments=True)
    for words in re.findall(r"`clipgrip-line ([^`]+)`", text):
        yield shlex.split(words)


@pytest.mark.parametrize("page", [*PAGES, "line/README.md"])
def test_documented_commands_of_the_line_exist_with_their_options(page: str) -> None:
    from clipgrip_line.cli import parser_of

    (commands,) = (one for one in parser_of()._actions if one.dest == "command")
    assert isinstance(commands.choices, dict)
    for words in shown_at_the_line(page):
        known = set(commands.choices[words[0]]._option_string_actions)
        given = {word.split("=")[0] for word in words[1:] if word.startswith("--")}
        assert given <= known, (page, words)
