"""One word per thing: no class name twice, no private participle as a name. The words are in docs/glossary.md."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import clipgrip
import clipgrip_line

PACKAGES = [Path(one.__file__).parent for one in (clipgrip, clipgrip_line)]
FILES = {
    path.relative_to(package.parent).as_posix(): path
    for package in PACKAGES
    for path in sorted(package.rglob("*.py"))
}
GLOSSARY = Path(__file__).parents[1] / "docs" / "glossary.md"

IN_BOTH = {
    *("Answer", "Change", "Column", "Counted", "Entry", "Found", "Gallery", "Guard"),
    *("Head", "Job", "Listing", "Measured", "Model", "OnnxTower", "Parts", "Picture", "Promise"),
    *("PublicName", "Scope", "Seen", "Status", "Table", "Watch", "Watched"),
    "Words",
}
"""Class names of both packages, mostly each side of the same thing. This set may only shrink."""

PARTICIPLES = {"believed", "firm", "hear", "held", "kept", "said", "sober", "told"}
"""What is neither a noun nor a verb says not what it holds: say probs, listener, promise, labels, best_round."""
KEYS = {"clipgrip_line/folder/asking.py": {"kept"}}
"""Names that are keys of a document which programs read."""


def named(tree: ast.AST) -> Iterator[str]:
    """Every name that a module gives: types, functions, parameters, attributes, variables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr


def class_names_twice() -> dict[str, list[str]]:
    """Class names that stand in more than one file, and in which packages."""
    where = defaultdict(list)
    for name, path in FILES.items():
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef):
                where[node.name].append(name.split("/")[0])
    return {name: packages for name, packages in where.items() if len(packages) > 1}


def participles() -> dict[str, set[str]]:
    """Every file and the private participles that it gives as names."""
    found = {}
    for name, path in FILES.items():
        words = {path.stem, *named(ast.parse(path.read_text("utf-8")))}
        found[name] = {word.strip("_").lower() for word in words} & PARTICIPLES
    return found


def test_no_class_name_stands_twice_in_a_package() -> None:
    twice = class_names_twice()
    assert [name for name, where in twice.items() if len(where) != len(set(where))] == []


def test_no_private_participle_is_a_name() -> None:
    assert {name: words for name, words in participles().items() if words} == KEYS


def test_what_is_still_allowed_is_still_there_so_that_the_set_can_only_shrink() -> None:
    assert set(class_names_twice()) == IN_BOTH


def test_the_glossary_fits_a_page_and_has_each_term_once() -> None:
    lines = GLOSSARY.read_text("utf-8").splitlines()
    assert len(lines) <= 40
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines if "|" in line]
    terms = [term for row in rows[2:] for term in row[0].split(", ")]
    assert len(terms) == len(set(terms))
    assert all(len(row) == 3 for row in rows)
    others = {word for row in rows[2:] for word in row[2].split(", ")}
    assert others >= PARTICIPLES - {"held", "sober"}
    assert not others & set(terms)
