"""Rules worth having are tests: the order of imports, what is public, what is light, how long a file may be."""

from __future__ import annotations

import ast
import importlib
import socket
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import clipgrip

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "clipgrip"
LINE = ROOT / "src" / "clipgrip_line"
FILES = sorted([*SOURCE.rglob("*.py"), *LINE.rglob("*.py")])
MODULES = {
    ".".join(path.relative_to(top).with_suffix("").parts).removesuffix(".__init__"): path
    for top, room in (
        *((ROOT / "src", room) for room in ("clipgrip", "clipgrip_line")),
        *((ROOT, room) for room in ("benchmarks", "pretraining", "tools")),
    )
    for path in sorted((top / room).rglob("*.py"))
}
MAY_CLOSE_A_CIRCLE = {
    "clipgrip": "the face: it tells type checkers what it offers and imports that when it is asked for"
}
HEAVY = ("torch", "transformers", "numpy", "PIL", "sklearn", "scipy", "matplotlib", "pydantic")


def test_a_module_imports_only_what_stands_below_it() -> None:
    pytest.importorskip("importlinter")
    linter = Path(sys.executable).with_name("lint-imports")
    told = subprocess.run(
        [str(linter), "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert told.returncode == 0, told.stdout


def imported_by(path: Path) -> Iterator[str]:
    """Our own modules that a file names, at its top, in a function, or for type checkers alone."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            assert node.level == 0, f"{path}: a relative import"
            for alias in node.names:
                part = f"{node.module}.{alias.name}"
                if part in MODULES or node.module in MODULES:
                    yield part if part in MODULES else node.module


def test_no_modules_import_each_other_in_a_circle_wherever_the_import_stands() -> None:
    graph = {
        name: set(imported_by(path))
        for name, path in MODULES.items()
        if name not in MAY_CLOSE_A_CIRCLE
    }
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"a circle: {' -> '.join(reversed(error.args[1]))}")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT / "src")))
def test_a_file_has_at_most_300_lines_and_says_what_it_is(path: Path) -> None:
    text = path.read_text("utf-8")
    assert len(text.splitlines()) <= 300
    assert ast.get_docstring(ast.parse(text)), "no docstring"


def test_a_function_has_at_most_45_lines_below_its_head() -> None:
    """Heads of commands declare their options; a docstring counts."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef
    long = [
        f"{path.relative_to(SOURCE.parent)}:{node.name}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, kinds) and (node.end_lineno or 0) - node.body[0].lineno > 44
    ]
    assert long == []


def test_importing_the_line_imports_no_training_stack() -> None:
    absent = (
        "torch",
        "transformers",
        "scipy",
        "sklearn",
        "pydantic",
        "jaxtyping",
        "clipgrip",
        "onnxruntime",
    )
    code = f"import sys, clipgrip_line.model, clipgrip_line.cli; print([n for n in {absent} if n in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_importing_clipgrip_imports_nothing_heavy() -> None:
    code = f"import sys, clipgrip; print([name for name in {HEAVY} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout == "[]\n"


def test_every_public_name_is_there_and_documented() -> None:
    for name in clipgrip.__all__:
        value = getattr(clipgrip, name)
        if name not in ("__version__", "PRESETS"):
            assert value.__doc__, name
    assert set(clipgrip.__all__) <= set(dir(clipgrip))
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = clipgrip.nothing


def test_the_documented_doors_for_tensors_are_open() -> None:
    for door in ("pseudolabel", "prompts", "metrics"):
        assert getattr(clipgrip, door) is importlib.import_module(f"clipgrip.{door}")
    assert callable(clipgrip.prompts.zero_shot)
    assert callable(clipgrip.metrics.accuracy)
    assert callable(clipgrip.pseudolabel.balanced)


def test_every_name_that_a_package_offers_is_there() -> None:
    for path in SOURCE.rglob("__init__.py"):
        parts = path.parent.relative_to(SOURCE.parent).parts
        module = importlib.import_module(".".join(parts))
        for name in getattr(module, "__all__", ()):
            assert hasattr(module, name), f"{module.__name__}.{name}"


def test_no_pickle_is_ever_loaded_and_nothing_is_evaluated() -> None:
    forbidden = {"pickle", "shelve", "marshal", "dill", "joblib"}
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                assert not {alias.name for alias in node.names} & forbidden, path
            if isinstance(node, ast.ImportFrom):
                assert node.module not in forbidden, path
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in ("eval", "exec", "torch.load", "np.random.seed"), path
                if called == "np.load":
                    assert "allow_pickle=False" in ast.unparse(node), path


def test_the_suite_reaches_no_other_machine() -> None:
    with socket.socket() as probe, pytest.raises(AssertionError, match="wants to connect"):
        probe.connect(("192.0.2.1", 80))
