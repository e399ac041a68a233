"""The grid: which cells, honest hold-out, resumed, written down, compared."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from known_sets import MAKERS, small
from projects import CLASSES, Place, command

from clipgrip.bench import run as bench_run
from clipgrip.bench.grid import Bench, Cell, cells
from clipgrip.bench.known import KNOWN
from clipgrip.bench.memory import PeakMemory
from clipgrip.bench.results import CELLS, Finished, published, summary
from clipgrip.bench.run import GridResult, GridSettings, run_grid
from clipgrip.bench.splits import PAPER_SEEDS, paper_seen
from clipgrip.errors import ConfigError, DataError, RunError
from clipgrip.method import Method
from clipgrip.report.grid import SPLITS, build_grid, text_table
from clipgrip.runs.events import Listener
from clipgrip.runs.lock import locked
from clipgrip.words import Words

pytestmark = pytest.mark.usefixtures("quick")
FACTS: dict[str, Any] = {
    "data": "parts",
    "pool": 1,
    "test": 1,
    "split_by": "content",
    "classes": ["a"],
    "backbone": {"name": "nano"},
    "seeds": 2,
    "size": "full",
    "done": 2,
    "cells": 2,
    "versions": {"clipgrip": "0"},
}


@pytest.fixture(scope="module")
def folders(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Path:
    import shutil

    root = tmp_path_factory.mktemp("grid") / "parts"
    for path, label in place.truth.items():
        (root / label).mkdir(parents=True, exist_ok=True)
        shutil.copy(place.images / path, root / label)
    return root


def settings(folders: Path, model: Path, out: Path, **more: object) -> GridSettings:
    options = {
        "prompts": ("textual", "visual"),
        "strategies": ("zero-shot", "supervised", "fpl"),
        "seeds": 2,
    }
    return GridSettings(data=folders, out=out, backbone=str(model), **(options | more))  # type: ignore[arg-type]


def test_a_grid_has_each_cell_that_means_something_once() -> None:
    found = cells(
        ("textual", "visual"), ("UL", "SSL"), ("zero-shot", "supervised", "grip"), ("default",), 2
    )
    assert len(found) == len(set(found))
    counts = {
        s: sum(cell.strategy == s for cell in found) for s in ("zero-shot", "supervised", "grip")
    }
    assert counts == {"zero-shot": 4, "supervised": 4, "grip": 8}
    assert not [c for c in found if c.strategy == "supervised" and c.paradigm == "UL"]


def test_a_grid_is_run_written_down_and_not_run_again(
    folders: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings(folders, tiny_clip, tmp_path / "out")
    result = run_grid(wanted)
    assert len(result.rows) == 3 * (1 + 2) + 2 * 2
    assert {row["seeds"] for row in result.rows} == {2}
    with (tmp_path / "out/results.csv").open(encoding="utf-8-sig", newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == len(result.rows)
    assert json.loads((tmp_path / "out/results.json").read_text("utf-8"))["rows"] == result.rows
    trzsl = [row for row in result.rows if row["paradigm"] == "TRZSL"]
    assert all(row["seen"] is not None for row in trzsl)

    def fail(*_: object) -> None:
        raise AssertionError("run again")

    monkeypatch.setattr(Bench, "run", fail)
    assert run_grid(wanted).rows == result.rows


def test_a_killed_grid_goes_on_with_the_cell_that_was_in_work(
    folders: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings(folders, tiny_clip, tmp_path / "out", prompts=("textual",))
    whole = run_grid(settings(folders, tiny_clip, tmp_path / "whole", prompts=("textual",)))
    real, ran = Bench.run, []

    def stopping(bench: Bench, cell: Cell, *rest: object) -> dict[str, object]:
        ran.append(cell)
        if len(ran) == 4:
            raise KeyboardInterrupt
        return real(bench, cell, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Bench, "run", stopping)
    told: list[GridResult] = []
    with pytest.raises(KeyboardInterrupt):
        run_grid(wanted, on_result=told.append)
    assert [result.facts["done"] for result in told] == [1, 2, 3]
    kept = json.loads((tmp_path / "out/results.json").read_text("utf-8"))
    assert kept["done"] == 3 < kept["cells"]
    assert kept["rows"] == told[-1].rows
    assert "Not finished: 3 of" in build_grid(kept, kept["rows"])
    with (tmp_path / "out" / CELLS).open("a") as file:
        file.write('{"id": "half a li')
    resumed = run_grid(wanted)
    assert resumed.facts["done"] == resumed.facts["cells"]
    assert ran[3] == ran[4]
    assert len(ran) == len(set(ran)) + 1

    def timeless(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        gone = ("seconds", "seconds_sd", "peak_megabytes", "peak_megabytes_sd")
        return [{key: value for key, value in row.items() if key not in gone} for row in rows]

    assert timeless(resumed.rows) == timeless(whole.rows)


def test_held_out_images_are_never_learned_from(
    folders: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    source = bench_run._source(settings(folders, tiny_clip, tmp_path), Listener())
    rows = source.manifest.rows
    pool, test = ([rows[n] for n in part] for part in (source.manifest.pool, source.manifest.test))
    assert not {row.sha256 for row in pool} & {row.sha256 for row in test}
    assert not {path for row in pool for path in row.paths} & {p for row in test for p in row.paths}
    assert sorted(set(source.test_truth.tolist())) == list(range(len(CLASSES)))


def test_the_command_prints_a_table_and_writes_a_page_in_two_languages(
    folders: Path, tiny_clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--strategies", "zero-shot,fpl", "--paradigms", "UL", "--seeds", 1, "--smoke")
    arguments = ("bench", folders, "--backbone", tiny_clip, "--out", tmp_path / "out", *options)
    told = command(capsys, *arguments)
    assert told.code == 0
    assert "fpl" in told.out
    assert "results.html" in told.out
    assert "Poor classes" in (tmp_path / "out/results.html").read_text("utf-8")
    assert command(capsys, *arguments, "--lang", "ja").code == 0
    page = (tmp_path / "out/results.html").read_text("utf-8")
    assert "苦手なクラス" in page
    assert "http" not in page.replace("http-equiv", "")


def test_ctrl_c_ends_with_130_and_leaves_a_page_of_what_is_done(
    folders: Path,
    tiny_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    real = Bench.run

    def stopping(bench: Bench, cell: Cell, *rest: object) -> dict[str, object]:
        if cell.strategy == "fpl":
            raise KeyboardInterrupt
        return real(bench, cell, *rest)  # type: ignore[arg-type]

    options = ("--strategies", "zero-shot,fpl", "--paradigms", "UL", "--seeds", 1, "--smoke")
    arguments = ("bench", folders, "--backbone", tiny_clip, "--out", tmp_path / "out", *options)
    monkeypatch.setattr(Bench, "run", stopping)
    told = command(capsys, *arguments)
    assert told.code == 130
    assert "the same command goes on" in told.err
    assert "Not finished: 1 of 2" in (tmp_path / "out/results.html").read_text("utf-8")
    monkeypatch.setattr(Bench, "run", real)
    assert command(capsys, *arguments).code == 0
    assert "Not finished" not in (tmp_path / "out/results.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": ("textul",)}, 'prompt "textul" is unknown; known are textual'),
        ({"paradigms": ("SLL",)}, 'paradigm "SLL" is unknown'),
        ({"strategies": ("grib",)}, 'Did you mean "grip"'),
        ({"known": "flowers"}, 'set "flowers" is unknown'),
        ({"seeds": 0}, "seeds = 0"),
        ({"test_share": 1.5}, "test-share = 1.5"),
        ({"template": "a photo"}, "must hold {} exactly once"),
        ({"prompts": ()}, "no cell is left"),
        ({"paradigms": ("UL",), "strategies": ("supervised",)}, "no cell is left"),
    ],
)
def test_wrong_settings_say_what_is_allowed(
    folders: Path, tiny_clip: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run_grid(settings(folders, tiny_clip, tmp_path / "out", **options))


def test_a_folder_without_class_folders_is_refused(tiny_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such folder"):
        run_grid(settings(tmp_path / "nothing", tiny_clip, tmp_path / "out"))


def test_published_figures_stand_beside_ours_for_their_sets_only() -> None:
    assert published("flowers102", "textual", "UL", "grip") == pytest.approx(0.698)
    assert published("dtd", "multimodal", "TRZSL", "supervised") == pytest.approx(0.369)
    assert published("eurosat", "visual", "UL", "supervised") is None
    assert published("my parts", "textual", "UL", "grip") is None
    row = {"prompt": "textual", "paradigm": "UL", "strategy": "grip", "preset": "default"}
    figures = {"test": 0.7, "test_zero_shot": 0.6, "poor_change": 0.1, "rich_change": None}
    figures |= {"seconds": 1.0, "worst_before": 0.1, "worst_after": 0.2, "peak_megabytes": 100}
    rows = summary("flowers102", [row | figures, row | figures | {"test": 0.8}])
    assert rows[0]["test"] == pytest.approx(0.75)
    assert rows[0]["test_sd"] == pytest.approx(0.0707, abs=1e-4)
    page = build_grid(FACTS | {"data": "flowers102 <b>\u202e"}, rows)
    assert "69.8" in page
    assert "75.0 ± 7.1" in page
    assert "<b>\u202e" not in page
    assert "+0.0" not in text_table(rows)


def test_the_page_says_why_few_rounds_were_run_where_labels_are_given() -> None:
    row = {"prompt": "textual", "paradigm": "SSL", "strategy": "grip", "preset": "default"}
    figures = {"test": 0.7, "test_zero_shot": 0.6, "seconds": 1.0, "rounds": 1}
    row = summary("own", [row | figures])[0]
    said = "labels that are held out decide"
    assert said in build_grid(FACTS, [{**row, "paradigm": "SSL"}])
    assert said not in build_grid(FACTS, [{**row, "paradigm": "SSL", "rounds": 10}])
    assert said not in build_grid(FACTS, [{**row, "paradigm": "UL"}])
    assert "取り分けたラベル" in build_grid(FACTS, [{**row, "paradigm": "TRZSL"}], "ja")


@pytest.mark.parametrize("split_by", SPLITS)
@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_page_says_how_the_test_images_were_told_apart(split_by: str, language: Any) -> None:
    assert Words(language)(SPLITS[split_by]) in build_grid(
        FACTS | {"split_by": split_by}, [], language
    )


@pytest.mark.parametrize("torn", [b'{"id": "c", "te', b"[]\n", b'{"test": 1}\n', b"\xff\xfe\n"])
def test_finished_cells_survive_a_torn_line(torn: bytes, tmp_path: Path) -> None:
    Finished(tmp_path).add("a", {"test": 0.5})
    with (tmp_path / CELLS).open("ab") as file:
        file.write(torn)
    finished = Finished(tmp_path)
    assert finished.get("a") == {"test": 0.5}
    finished.add("b", {"test": 0.6})
    again = Finished(tmp_path)
    assert again.get("a") == {"test": 0.5}
    assert again.get("b") == {"test": 0.6}
    assert again.get("c") is None


def test_a_figure_that_changed_on_the_disk_is_measured_again(tmp_path: Path) -> None:
    Finished(tmp_path).add("a", {"test": 0.5})
    Finished(tmp_path).add("b", {"test": 0.6})
    path = tmp_path / CELLS
    path.write_text(path.read_text("utf-8").replace("0.5", "0.7"), "utf-8")
    finished = Finished(tmp_path)
    assert (finished.get("a"), finished.get("b")) == (None, {"test": 0.6})
    assert path.read_text("utf-8").count("\n") == 1, "a line that is not whole is taken out"


def test_one_process_at_a_time_works_in_a_folder(
    folders: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    with locked(tmp_path), pytest.raises(RunError, match="is in use by another clipgrip"):
        run_grid(settings(folders, tiny_clip, tmp_path))


def test_results_never_lie_among_the_class_folders(folders: Path, tiny_clip: Path) -> None:
    with pytest.raises(ConfigError, match="would lie among the class folders"):
        run_grid(settings(folders, tiny_clip, folders / "results"))


def made(folders: Path, model: Path, out: Path, **more: object) -> Bench:
    wanted = settings(folders, model, out, **more)
    return bench_run._bench(wanted, bench_run._source(wanted, Listener()), Listener())


def test_a_cells_identity_changes_with_all_that_determines_it(
    folders: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = Cell("textual", "TRZSL", "grip", "default", 0)
    one = made(folders, tiny_clip, tmp_path)
    others = [
        one.identity(replace(cell, **{name: value}))  # type: ignore[arg-type]
        for name, value in (
            ("seed", 1),
            ("paradigm", "UL"),
            ("prompt", "visual"),
            ("preset", "paper"),
        )
    ]
    changed = ({"template": "my {}."}, {"shots": 3}, {"test_share": 0.5}, {"smoke": True})
    others += [made(folders, tiny_clip, tmp_path, **each).identity(cell) for each in changed]
    before = one.identity(cell)
    assert before == made(folders, tiny_clip, tmp_path).identity(cell)
    monkeypatch.setattr(Method, "suited_to", lambda self, _: self.many_labels or self)
    others.append(one.identity(cell))  # as where labels abound: another recipe is taken
    monkeypatch.setattr("clipgrip.method.REVISION", 0)
    others.append(one.identity(cell))
    monkeypatch.setattr("clipgrip.bench.grid.__version__", "0.0")
    others.append(one.identity(cell))
    assert len({before, *others}) == len(others) + 1


def test_what_a_seed_drew_is_kept_with_the_figures(
    folders: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    run_grid(settings(folders, tiny_clip, tmp_path, prompts=("textual",), strategies=("fpl",)))
    lines = [json.loads(line) for line in (tmp_path / CELLS).read_text("utf-8").splitlines()]
    few, seen = ([x for x in lines if x["paradigm"] == name] for name in ("SSL", "TRZSL"))
    assert [len(x["labeled"]) for x in few] == [2 * len(CLASSES)] * 2
    assert few[0]["labeled"] != few[1]["labeled"]
    assert [sorted(x["seen_classes"]) for x in seen] == [
        sorted(sorted(CLASSES)[c] for c in paper_seen(len(CLASSES), seed))
        for seed in PAPER_SEEDS[:2]
    ]


def test_a_measure_that_has_nothing_to_say_is_null_and_not_nan(
    folders: Path, tiny_clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where all classes are found equally often none is poor."""
    monkeypatch.setattr("clipgrip.bench.grid.robin_hood", lambda *_: (math.nan, 0.0))
    run_grid(
        settings(folders, tiny_clip, tmp_path, prompts=("textual",), strategies=("zero-shot",))
    )
    written = (tmp_path / CELLS).read_text("utf-8") + (tmp_path / "results.json").read_text("utf-8")
    assert "NaN" not in written
    assert '"poor_change": null' in written


@pytest.mark.parametrize("name", ["dtd", "mnist", "eurosat"])
def test_known_sets_run_with_their_own_template_and_the_papers_figures(
    name: str,
    tiny_clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    MAKERS[name](tmp_path / "data")
    monkeypatch.setitem(KNOWN, name, small(name))
    options = ("--backbone", tiny_clip, "--out", tmp_path / "out", "--paradigms", "UL", "--smoke")
    more = ("--strategies", "zero-shot,grip", "--seeds", 1, "--json")
    told = command(capsys, "bench", tmp_path / "data", "--set", name, *options, *more)
    assert told.code == 0, told.err
    found = json.loads(told.out)
    assert found["template"] == KNOWN[name].template
    assert [row["published"] for row in found["rows"]] == [
        published(name, row["prompt"], "UL", row["strategy"]) for row in found["rows"]
    ]
    assert "A quick look" in (tmp_path / "out/results.html").read_text("utf-8")


def test_the_peak_of_memory_is_that_of_the_cell() -> None:
    def peak(values: int) -> int | None:
        memory = PeakMemory()
        held = np.ones(values * 2**17)
        told = memory.megabytes()
        assert held[0] == 1
        return told

    large, small = peak(400), peak(1)
    if large is None or small is None or PeakMemory().since_start:
        pytest.skip("this system does not tell the peak of a part of a process's life")
    assert large - small > 200
