"""Accuracy over time: every audited figure, version by version, and what changed on the same images."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from projects import Place, command, rows
from scipy import stats

from clipgrip.data.tables import write_csv
from clipgrip.report.accuracy import AuditedFigure, accuracy
from clipgrip.trust.bounds import change_p_value
from clipgrip.words import Words

FIGURES = (
    AuditedFigure(1, "2026-11-01T10:00:00+00:00", "uniform", 100, 0.8, 0.71, 0.87),
    AuditedFigure(2, "2026-11-08T10:00:00+00:00", "uniform", 100, 0.9, 0.83, 0.94, 12, 2),
    AuditedFigure(2, "2026-11-09T10:00:00+00:00", "measuring", 80, 0.91, 0.87, 0.94),
)


def test_the_exact_test_is_the_binomial_one_of_what_changed() -> None:
    assert change_p_value(12, 2) == pytest.approx(stats.binomtest(2, 14).pvalue)
    assert change_p_value(2, 12) == change_p_value(12, 2)
    assert change_p_value(3, 3) == change_p_value(0, 0) == 1.0


@pytest.mark.parametrize("language", ["en", "ja"])
def test_each_figure_stands_with_its_interval_and_only_equal_images_are_compared(
    language: str,
) -> None:
    found = accuracy(FIGURES, Words(language))  # type: ignore[arg-type]
    assert found is not None
    assert [row.version for row in found.rows] == ["1", "2", "2"]
    assert [bool(row.change) for row in found.rows] == [False, True, False]
    assert "1.3%" in found.rows[1].change
    assert found.svg is not None


def test_without_an_audit_there_is_no_section_and_one_figure_needs_no_plot() -> None:
    assert accuracy((), Words("en")) is None
    found = accuracy(FIGURES[:1], Words("en"))
    assert found is not None
    assert found.svg is None


def test_the_report_shows_both_kinds_of_audit_of_a_run(
    finished: Path,
    quick: pytest.MonkeyPatch,
    place: Place,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = Path(shutil.copytree(finished, tmp_path / "run"))
    for name, more in (("uniform", ()), ("measuring", ("--to-measure", "--seed", 3))):
        sheet = tmp_path / f"{name}.csv"
        drawn = command(capsys, "audit", "draw", folder, "--count", 24, "--out", sheet, *more)
        assert drawn.code == 0, drawn.err
        fill(sheet, place.truth)
        if more:
            again = tmp_path / "rest.csv"
            told = command(
                capsys, "audit", "draw", folder, "--to-measure", "--answers", sheet, "--out", again
            )
            assert told.code == 0, told.err
            sheet = again
            fill(sheet, place.truth)
        assert command(capsys, "audit", "read", folder, "--answers", sheet).code == 0
    told = command(capsys, "report", folder)
    assert told.code == 0, told.err
    page = (folder / "report.html").read_text("utf-8")
    assert "Accuracy over time" in page
    assert page.count("<td>random audit</td>") == page.count("<td>audit drawn to measure</td>") == 1


def fill(sheet: Path, truth: dict[str, str]) -> None:
    cells = rows(sheet)
    for row in cells:
        row["answer"] = truth[row["path"]]
    write_csv(sheet, list(cells[0]), [list(row.values()) for row in cells])
