"""The grid: which cells, honest hold-out, resumed, written down, compared."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from projects import CLASSES, Place, command

from clipgrip.bench import run as bench_run
from clipgrip.bench.grid import Bench, Cell, cells
from clipgrip.bench.published import published
from clipgrip.bench.results import CELLS, Finished, summary
from clipgrip.bench.run import GridSettings, run_grid
from clipgrip.errors import ConfigError, DataError
from clipgrip.report.grid import build_grid

pytestmark = pytest.mark.usefixtures("quick")


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
    made = cells(
        ("textual", "visual"), ("UL", "SSL"), ("zero-shot", "supervised", "grip"), ("default",), 2
    )
    assert len(made) == len(set(made))
    counts = {
        s: sum(cell.strategy == s for cell in made) for s in ("zero-shot", "supervised", "grip")
    }
    assert counts == {"zero-shot": 4, "supervised": 4, "grip": 8}
    assert not [c for c in made if c.strategy == "supervised" and c.paradigm == "UL"]


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
    with pytest.raises(KeyboardInterrupt):
        run_grid(wanted)
    with (tmp_path / "out" / CELLS).open("a") as file:
        file.write('{"id": "half a li')
    resumed = run_grid(wanted)
    assert ran[3] == ran[4]
    assert len(ran) == len(set(ran)) + 1

    def timeless(rows: list[dict[str, object]]) -> list[dict[str, object]]:
        gone = ("seconds", "seconds_sd", "peak_megabytes", "peak_megabytes_sd")
        return [{key: value for key, value in row.items() if key not in gone} for row in rows]

    assert timeless(resumed.rows) == timeless(whole.rows)


def test_held_out_images_are_never_learned_from(
    folders: Path, tiny_clip: Path, tmp_path: Path
) -> None:
    source = bench_run._source(settings(folders, tiny_clip, tmp_path), bench_run.Listener())
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


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prompts": ("textul",)}, 'prompt "textul" is unknown; known are textual'),
        ({"paradigms": ("SLL",)}, 'paradigm "SLL" is unknown'),
        ({"strategies": ("grib",)}, 'Did you mean "grip"'),
        ({"known": "flowers"}, 'set "flowers" is unknown'),
        ({"seeds": 0}, "seeds = 0"),
        ({"test_share": 1.5}, "test-share = 1.5"),
    ],
)
def test_wrong_settings_say_what_is_allowed(
    folders: Path, tiny_clip: Path, tmp_path: Path, options: dict[str, object], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        run_grid(settings(folders, tiny_clip, tmp_path / "out", **options))


def test_a_folder_without_class_folders_is_refused(tiny_clip: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="holds 0 class folders"):
        run_grid(settings(tmp_path / "nothing", tiny_clip, tmp_path / "out"))


def test_published_figures_stand_beside_ours_for_their_sets_only() -> None:
    assert published("flowers102", "textual", "UL", "grip") == pytest.approx(0.698)
    assert published("dtd", "multimodal", "TRZSL", "supervised") == pytest.approx(0.369)
    assert published("eurosat", "visual", "UL", "supervised") is None
    assert published("my parts", "textual", "UL", "grip") is None
    row = {"prompt": "textual", "paradigm": "UL", "strategy": "grip", "preset": "default"}
    figures = {
        "test": 0.7,
        "test_zero_shot": 0.6,
        "poor_change": 0.1,
        "rich_change": 0.0,
        "seconds": 1.0,
    }
    figures |= {"worst_before": 0.1, "worst_after": 0.2, "peak_megabytes": 100}
    rows = summary("flowers102", [row | figures, row | figures])  # type: ignore[operator]
    facts = {
        "data": "flowers102",
        "pool": 1,
        "test": 1,
        "classes": ["a"],
        "backbone": {"name": "nano"},
        "seeds": 2,
    }
    page = build_grid(facts | {"versions": {"clipgrip": "0"}}, rows)
    assert "69.8" in page


def test_finished_cells_survive_in_order(tmp_path: Path) -> None:
    finished = Finished(tmp_path)
    finished.add("a", {"test": 0.5})
    assert Finished(tmp_path).get("a") == {"test": 0.5}
    assert Finished(tmp_path).get("b") is None
