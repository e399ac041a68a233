"""What ships is what some command, page or the estimator can reach: nothing stands in the packages for tests alone."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import clipgrip
import clipgrip_line

PACKAGES = [Path(one.__file__).parent for one in (clipgrip, clipgrip_line)]
TREES = {
    path: ast.parse(path.read_text("utf-8"))
    for package in PACKAGES
    for path in sorted(package.rglob("*.py"))
}
FOR_OTHERS = {
    # what people call
    *("GripClassifier.to_frame", "EmbeddingCache.for_backbone"),
    # what typer, scikit-learn, urllib and starlette call
    *("Tree.format_commands", "Help.write_heading", "GripClassifier._html_repr"),
    *("_NoRedirects.redirect_request", "_Parser.on_end"),
}
"""Called from outside alone. This set may only shrink, or grow by what is documented."""


def used() -> set[str]:
    """Every name that is read anywhere: in code, in the table of commands, in a page or its script."""
    names: set[str] = set()
    for path, tree in TREES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                names.add(node.id)
            elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
                names.add(node.attr)
            elif isinstance(node, ast.Constant) and path.name in ("tree.py", "stress.py"):
                names |= set(re.findall(r"\w+", str(node.value)))
    for package in PACKAGES:
        for page in (*package.rglob("*.html"), *package.rglob("*.js")):
            names |= set(re.findall(r"\w+", page.read_text("utf-8")))
    return names


def defined() -> Iterator[tuple[str, str]]:
    """Every function, class and method that nothing registers where it is made, with what it is called here."""
    for tree in TREES.values():
        for node in ast.walk(tree):
            owner = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
            for one in ast.iter_child_nodes(node) if owner or isinstance(node, ast.Module) else ():
                if not isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                    continue
                made = [ast.unparse(deco) for deco in one.decorator_list]
                is_plain = all(
                    re.match(r"(class|static)method|property|cach|data", m) for m in made
                )
                if is_plain and not re.fullmatch(r"__\w+__", one.name):
                    yield one.name, owner + one.name


def test_nothing_stands_in_the_packages_that_nothing_there_uses() -> None:
    names, found = used(), list(defined())
    assert len(found) > 3000
    assert {called for name, called in found if name not in names} == FOR_OTHERS
