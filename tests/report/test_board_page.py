"""The page for the board: verdict first, every figure with its source, the unknown said, nothing from outside."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from board_facts import AFTER, BEFORE, FIRST, board_facts, version
from report_facts import FACTORY, HOSTILE, SURFACES
from test_report_page import Page

from clipgrip.report.board.facts import Automation, BoardFacts, CaseValues
from clipgrip.report.board.figures import figures
from clipgrip.report.board.page import build_board
from clipgrip.report.board.results import Results
from clipgrip.report.board.verdict import board_verdict
from clipgrip.words import LANGUAGES, Language, Words

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
NOTHING: dict[str, Any] = {
    "kind": None, "automation": None, "audit_effort": None, "review_effort": None, "versions": (), "assumed": {},
}  # fmt: skip
CASES: dict[str, dict[str, Any]] = {
    "audit": {},
    "nothing": NOTHING,
    "test": {"kind": "test", "automation": None},
    "japanese": {"names": FACTORY, "currency": "円"},
    "many classes": {"names": [f"species {i}" for i in range(300)], "each": 3, "wrong": 0.4},
    "hostile": {
        "names": HOSTILE, "path": "<b>\"'&{:03d}</b>\udcff.jpg", "folder": "it's <b>", "missing": True,
        "currency": "<u>",
    },
    "long": {
        "names": [f"{'very long name ' * 9}{i}" for i in range(20)], "path": "deep/" * 30 + "{}.jpg",
        "folder": "deep/" * 40, "wrong": 9.0,
    },
    "unbroken": {"names": [f"{'名前' * 60}{i}" for i in range(20)], "path": "x" * 250 + "{}.jpg", "folder": "y" * 250},
    "late": {"versions": [version(SURFACES, made=AFTER)]},
    "three versions": {
        "versions": [
            version(SURFACES),
            version(SURFACES, number=2, made=FIRST, reason="because " * 60),
            version(SURFACES, number=3, made=AFTER, reason="line 3"),
        ]
    },
}  # fmt: skip


def results(**more: Any) -> Results:
    return Results(board_facts(**more))


def verdict_of(**more: Any) -> Any:
    return board_verdict(results(**more), Words("en"))


@pytest.fixture(params=[(case, language) for case in CASES for language in LANGUAGES], ids=" ".join)
def html(request: pytest.FixtureRequest) -> str:
    case, language = request.param
    return build_board(board_facts(**CASES[case]), language)


def test_a_page_is_whole_and_closed_to_the_outside(html: str) -> None:
    page = Page(html)
    assert [r for r in page.references if not r.startswith("data:image/jpeg;base64,")] == []
    assert not re.search(
        r"https?:|//|@import|url\(", re.sub(r'"data:image/jpeg;base64,[^"]*"', "", html)
    )
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert page.handlers == []
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html[:400]
    assert "None" not in Page(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)).text
    assert not re.search(r"\bnan\b|\binf\b", html)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
@pytest.mark.parametrize("language", LANGUAGES)
def test_it_prints_on_one_to_three_pages(language: Language, tmp_path: Path) -> None:
    for case in CASES:
        page, pdf = tmp_path / "board.html", tmp_path / "board.pdf"
        html = build_board(board_facts(**CASES[case]), language)
        page.write_text(html, "utf-8", "backslashreplace")
        words = [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            f"--user-data-dir={tmp_path / 'user'}",
        ]
        words += ["--no-pdf-header-footer", f"--print-to-pdf={pdf}", page.as_uri()]
        subprocess.run(words, check=True, capture_output=True, timeout=120)
        pages = len(re.findall(rb"/Type\s*/Page\b", pdf.read_bytes()))
        assert 1 <= pages <= 3, (case, pages)


def test_hostile_names_are_shown_as_text() -> None:
    html = build_board(board_facts(**CASES["hostile"]))
    assert "<script" not in html
    assert "<u>" not in html
    text = Page(html).text
    assert all(name in text for name in HOSTILE[:3])


def test_all_criteria_met_is_yes() -> None:
    limits = {"accuracy": "0.9:0.8", "misses": "0.05", "overkill": "0.15", "automated": "0.6"}
    told = verdict_of(versions=[version(SURFACES, **limits)])
    assert (told.word, told.symbol) == ("Yes", "○")
    assert [row.judgement for row in told.rows] == ["yes"] * 4
    assert told.points == ()


def test_one_criterion_within_the_band_makes_it_conditional_and_says_what_is_missing() -> None:
    told = verdict_of(versions=[version(SURFACES, accuracy="0.92:0.9", misses="0.05")])
    assert told.word == "With conditions"
    assert "further answers prove it" in told.points[0]
    between = verdict_of(versions=[version(SURFACES, accuracy="0.96:0.9")])
    assert "lies between the limit 96.0% and the edge 90.0%" in between.points[0]


def test_by_the_rule_estimate_the_value_itself_is_judged() -> None:
    limits = {"accuracy": "0.94:0.9"}
    assert verdict_of(versions=[version(SURFACES, rule="estimate", **limits)]).word == "Yes"


def test_one_criterion_beyond_the_edge_is_no_and_stands_first() -> None:
    told = verdict_of(wrong=14.0, versions=[version(SURFACES, misses="0.2", accuracy="0.99:0.98")])
    assert told.word == "No"
    assert "Accuracy" in told.lead
    assert "beyond the edge" in told.points[0]


def test_what_is_not_measured_leaves_the_verdict_open() -> None:
    told = verdict_of(**{**NOTHING, "versions": [version(SURFACES)]})
    assert told.word == "Not decided yet"
    assert all(row.found == "unknown" for row in told.rows)


def test_a_promise_that_is_looser_than_the_criterion_does_not_count() -> None:
    loose = Automation(2000, 360, 0.1, 0.95, 300, 9, AFTER, "", "runs.db")
    unsure = Automation(2000, 360, 0.02, 0.5, 300, 0, AFTER, "", "runs.db")
    for automation in (loose, unsure):
        told = verdict_of(automation=automation, versions=[version(SURFACES, automated="0.6")])
        assert told.rows[0].judgement == "unknown"


def test_a_payback_that_only_the_middle_case_keeps_is_conditional() -> None:
    money = {
        "images_per_year": CaseValues(200_000.0),
        "hourly_cost": CaseValues(3500.0),
        "purchase": CaseValues(100_000.0),
    }
    told = verdict_of(assumed=money, versions=[version(SURFACES, payback="6:12")])
    assert told.rows[0].judgement == "conditions"
    assert "the cautious case does not" in told.points[0]


def test_without_criteria_there_is_no_verdict_word() -> None:
    for versions in ((), [version(SURFACES, made=AFTER)]):
        told = verdict_of(versions=versions)
        assert (told.word, told.rows) == ("", ())
        assert "no verdict" in told.lead
        html = build_board(board_facts(versions=versions))
        assert 'class="word"' not in html


def test_the_version_before_the_first_answer_counts_and_a_later_one_is_shown_but_not_used() -> None:
    early, late = (
        version(SURFACES, accuracy="0.9"),
        version(SURFACES, number=2, made=AFTER, accuracy="0.5"),
    )
    told = verdict_of(versions=[early, late])
    assert told.rows[0].limit == "≥ 90.0%"
    assert "in force, before the first answer" in told.versions[0].text
    assert "so not used" in told.versions[1].text
    both_before = version(SURFACES, number=2, made="2026-11-12T08:00:00+09:00", accuracy="0.8")
    told = verdict_of(versions=[early, both_before])
    assert told.rows[0].limit == "≥ 80.0%"
    assert "replaced before" in told.versions[0].text


def test_times_of_different_zones_are_compared_as_moments() -> None:
    tokyo = version(
        SURFACES, made="2026-11-17T17:59:00+09:00"
    )  # 08:59 UTC; the first answer is 09:00 UTC
    assert verdict_of(versions=[tokyo]).word
    assert not verdict_of(versions=[version(SURFACES, made="2026-11-17T18:01:00+09:00")]).word


def test_accuracy_is_never_the_models_own_confidence() -> None:
    told = {one.label: one for one in figures(results(**NOTHING), Words("en"))}
    assert told["Accuracy"].value == "unknown"
    assert "is not taken for one" in build_board(board_facts(**NOTHING))
    assert "Without an audit, from the test" in build_board(board_facts(kind="test"))


@pytest.mark.parametrize("ok", [(), ("no defect",)])
def test_without_figures_one_block_says_so_and_what_brings_them(ok: tuple[str, ...]) -> None:
    html = build_board(board_facts(**NOTHING, home="my run", ok_classes=ok))
    text = " ".join(Page(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)).text.split())
    assert "nothing to decide on yet" in text
    assert "unknown" not in text.replace("accuracy is unknown", "")
    for heading in ("Key figures", "Hours, cost and payback", "Assumptions", "Risks"):
        assert heading not in text
    name = "'no defect'" if ok else "OK_CLASS"
    for command in (
        f"clipgrip audit plan 'my run' --ok-class {name} --accuracy",
        "clipgrip review 'my run'",
        f"clipgrip report 'my run' --for board --pilot pilot.json --ok-class {name} --assume",
    ):
        assert command in text
    some = build_board(
        board_facts(**{**NOTHING, "assumed": {"images_per_year": CaseValues(1000.0)}})
    )
    assert "Assumptions" in some
    assert "nothing to decide on yet" not in some


def test_misses_and_overkill_count_what_they_say() -> None:
    facts = board_facts(["OK", "scratch", "dent"])
    counts = ((90, 6, 4), (3, 40, 7), (2, 1, 47))
    assert facts.evidence is not None
    judged = Results(_with_counts(facts, counts))
    assert (judged.misses.count, judged.misses.total) == (5, 100)  # type: ignore[union-attr]
    assert (judged.overkill.count, judged.overkill.total) == (10, 100)  # type: ignore[union-attr]
    assert (judged.accuracy.count, judged.accuracy.total) == (177, 203)  # type: ignore[union-attr]
    worst = judged.classes[0]
    assert (worst.name, worst.missed.count, worst.overkill.count) == ("scratch", 10, 7)


def test_without_ok_classes_misses_of_ok_parts_are_unknown_and_each_class_is_shown() -> None:
    told = {one.label: one for one in figures(results(versions=()), Words("en"))}
    assert told["Misses"].value == "unknown"
    html = build_board(board_facts(versions=()))
    assert "--ok-class" in html
    assert html.count('<th scope="row"><span class="name">') == len(SURFACES)


def test_an_assumption_against_a_measured_value_is_told() -> None:
    html = build_board(
        board_facts(assumed={"share_model": CaseValues(0.9), "hourly_cost": CaseValues(1.0)})
    )
    told = "Share of the images that the model decides 90.0%, measured 69.1%"
    assert f"Assumed by you, though it was measured: {told}." in html


def test_every_figure_names_a_source_that_is_explained() -> None:
    html = build_board(board_facts())
    letters = set("".join(re.findall(r"<sup>([A-Z ]+)</sup>", html)).replace(" ", ""))
    assert letters <= set(re.findall(r"<dt>([A-Z])</dt>", html))
    assert {"A", "B", "C", "D"} <= letters


def test_many_classes_are_cut_to_the_worst_and_said_so() -> None:
    html = build_board(board_facts(**CASES["many classes"]))
    assert "10 of 300, all of them in board.xlsx" in html


def test_the_same_facts_make_the_same_bytes() -> None:
    assert build_board(board_facts()) == build_board(board_facts())


def test_the_japanese_page_has_the_words_of_a_meeting() -> None:
    page = build_board(board_facts(FACTORY, versions=[version(FACTORY, made=BEFORE)]), "ja")
    for word in ("見送り", "条件付き", "見逃し", "過検出", "作成", "確認", "承認", "回収期間"):
        assert word in page


def _with_counts(facts: BoardFacts, counts: Any) -> BoardFacts:
    from dataclasses import replace

    assert facts.evidence is not None
    return replace(facts, evidence=replace(facts.evidence, counts=counts))


def test_images_that_are_gone_are_counted_among_what_is_not_known() -> None:
    facts = replace(board_facts(), lost=50)
    assert "50 images are gone or cannot be read" in build_board(facts, "en")
    assert "50枚" in build_board(facts, "ja")
