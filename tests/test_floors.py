"""Four floors: what stands on each, how large it may be, and that the core needs none of the others."""

from __future__ import annotations

import itertools
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools import lines

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "clipgrip"
FLOORS = {floor.name: floor for floor in lines.floors()}
OUTSIDE = ("transformers", "tokenizers", "safetensors", "PIL", "sklearn", "pydantic", "sqlite3")

IMPORTED = """
import sys
from importlib import import_module

sys.modules |= dict.fromkeys({absent})  # to import one of them is an error now
for name in {modules}:
    import_module(name)
"""
ANSWERED = """
import torch
import torch.nn.functional as F
from clipgrip.method import PRESETS, learn
from clipgrip.prompts.classifier import predict_proba
from clipgrip.prompts.residual import ResidualPrompt
from clipgrip.strategy import Reached
from clipgrip.task import ul

torch.manual_seed(0)
texts, truth = F.normalize(torch.randn(3, 8), dim=1), torch.arange(90) % 3
images = F.normalize(texts[truth] + 0.1 * torch.randn(90, 8), dim=1)
start = Reached(0, predict_proba(images, texts, 100.0))
prompt, method = ResidualPrompt.untuned(texts, 100.0), PRESETS["default"]["textual"]
*_, last = learn(prompt, images, ul(90, 3), start, ks=(8, 16), method=method, seed=0)
print(int((last.probs.argmax(1) == truth).sum()))
"""


def contract(name: str) -> dict[str, Any]:
    """That of import-linter whose name starts so."""
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    (found,) = (one for one in linter["contracts"] if one["name"].startswith(name))
    return found


def modules_of(floor: str) -> set[str]:
    """Its rooms as import-linter names them."""
    return {f"clipgrip.{room}" for room in FLOORS[floor].rooms if not room.startswith("__")}


def test_every_room_stands_on_one_floor() -> None:
    rooms = {p.stem for p in SOURCE.glob("*.py")}
    rooms |= {p.parent.name for p in SOURCE.glob("*/__init__.py")}
    named = [room for floor in FLOORS.values() for room in floor.rooms]
    assert sorted(named) == sorted([*rooms, lines.LINE])


def test_the_contracts_name_the_rooms_of_each_floor() -> None:
    core, platform, tools = (modules_of(one) for one in ("core", "platform", "developers' tools"))
    applications = modules_of("applications")
    assert set(contract("four floors: the core")["source_modules"]) == core
    assert set(contract("four floors: the platform")["source_modules"]) == platform
    assert applications | tools <= set(contract("four floors: the platform")["forbidden_modules"])
    assert set(contract("four floors: the developers")["source_modules"]) == tools
    assert set(contract("four floors: the developers")["forbidden_modules"]) == applications
    ladder = [one for layer in contract("a module")["layers"] for one in layer.split(" | ")]
    places = {room: place for place, room in enumerate(reversed(ladder))}
    for below, above in itertools.pairwise((core, platform, applications | tools)):
        assert max(places[one] for one in below) < min(places[one] for one in above)


@pytest.mark.parametrize("floor", FLOORS.values(), ids=FLOORS)
def test_a_floor_has_at_most_the_lines_that_it_may_have(floor: lines.Floor) -> None:
    found = sum(lines.count(floor).values())
    assert found <= floor.most, (
        f"{floor.name}: {found:,} lines of at most {floor.most:,}. What comes in pushes something out: take out what "
        "nobody needs any more, or put what belongs higher upon a floor above. `python -m tools.lines` says what each "
        f"room has; the limits stand in {lines.TABLE}."
    )


def test_the_core_counts_what_it_imports_of_the_line() -> None:
    line = ROOT / "src" / lines.LINE
    borrowed = lines.borrowed(FLOORS["core"].rooms)
    names = {path.relative_to(line).as_posix() for path in borrowed}
    assert {"__init__.py", "sentences.py", "errors.py", "misspelled.py", "files.py"} <= names
    count = lines.count(FLOORS["core"])
    assert count[f"of {lines.LINE}"] == sum(lines.lines_of(path) for path in borrowed)


def test_the_core_answers_where_every_other_floor_is_absent() -> None:
    """All of it is imported, and learns from embeddings; images, models, tables and pages cannot be."""
    others = [one for floor in FLOORS for one in modules_of(floor) if floor != "core"]
    modules = sorted(
        ".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__")
        for room in FLOORS["core"].rooms
        for path in lines.files_of(room)
    )
    code = IMPORTED.format(absent=(*others, *OUTSIDE), modules=modules) + ANSWERED
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert int(process.stdout) >= 85
