"""The page is whole, asks for nothing from outside, and shows hostile text as text."""

from __future__ import annotations

import re
from functools import cache
from html.parser import HTMLParser

import pytest
from report_facts import FACTORY, HOSTILE, SURFACES, MakeFacts, build_facts

from clipgrip.report.build import build_report
from clipgrip.words import LANGUAGES, Language

VOID = {"meta", "img", "br", "input", "link", "path", "use", "hr", "col"}
MANY = [f"species {i}" for i in range(300)]
CASES = {
    "test": {},
    "without test": {"test_per_class": 0},
    "japanese": {"names": FACTORY},
    "few labels": {"labeled": 20},
    "some classes": {"labeled": 200, "unseen": 3},
    "all labeled": {"labeled": 320, "strategy": "supervised"},
    "fpl": {"strategy": "fpl"},
    "zero-shot": {"strategy": "zero-shot"},
    "zero-shot without test": {"strategy": "zero-shot", "test_per_class": 0},
    "two classes": {"names": ("OK", "NG"), "per_class": 1, "test_per_class": 1},
    "many classes": {"names": MANY, "per_class": 4, "test_per_class": 2, "rounds": 3},
    "many classes without test": {"names": MANY, "per_class": 4, "test_per_class": 0, "rounds": 3},
    "hostile": {
        "names": HOSTILE,
        "paths": "<b>\"'&{:03d}</b>\udcff.jpg",
        "folder": "it's <b>",
        "missing": True,
    },
    "long": {
        "names": [f"{'very long name ' * 9}{i}" for i in range(20)],
        "paths": "deep/" * 30 + "{}.jpg",
    },
}


class Page(HTMLParser):
    """Checks that tags are balanced and collects ids, references and text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.references: list[str] = []
        self.handlers: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        self._collect(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._collect(attrs)

    def _collect(self, attrs: list[tuple[str, str | None]]) -> None:
        names = [name for name, _ in attrs]
        assert len(names) == len(set(names)), names
        for name, value in attrs:
            self.handlers += [name] if name.startswith("on") else []
            self.ids += [value or ""] if name == "id" else []
            self.references += (
                [value or ""] if name in ("href", "src", "xlink:href", "action") else []
            )

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@cache
def page_of(case: str, language: Language) -> str:
    return build_report(build_facts(**CASES[case]), language)


@pytest.fixture(params=[(case, language) for case in CASES for language in LANGUAGES], ids=" ".join)
def html(request: pytest.FixtureRequest) -> str:
    return page_of(*request.param)


def test_a_page_is_whole_and_closed_to_the_outside(html: str) -> None:
    page = Page(html)
    assert len(page.ids) == len(set(page.ids))
    outside = [r for r in page.references if not r.startswith(("data:image/jpeg;base64,", "#"))]
    assert outside == []
    assert {r[1:] for r in page.references if r.startswith("#")} <= set(page.ids)
    without_pictures = re.sub(r'"data:image/jpeg;base64,[^"]*"', "", html)
    assert not re.search(r"https?:|//|@import|url\((?!#)", without_pictures)
    assert not {"script", "link", "iframe", "object", "embed", "form", "base"} & set(page.tags)
    assert page.handlers == []


def test_a_page_says_by_csp_that_it_loads_nothing(html: str) -> None:
    assert "default-src 'none'; img-src data:; style-src 'unsafe-inline'" in html[:400]


def test_a_page_can_be_written_and_mailed(html: str) -> None:
    assert len(html.encode("utf-8")) < 3_000_000
    assert "\x00" not in html
    assert "None" not in Page(re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL)).text
    assert "nan" not in re.findall(r"\bnan\b", html)


def test_hostile_names_are_shown_as_text() -> None:
    html = page_of("hostile", "en")
    page = Page(html)
    assert "<script" not in html
    assert HOSTILE[0] in page.text
    assert HOSTILE[1] in page.text
    assert HOSTILE[2] in page.text
    assert "\u202e" not in html
    assert "a\ufffdb\ufffd\ufffd" in page.text


def test_fifteen_classes_of_noisy_photographs_stay_below_three_megabytes(
    make_facts: MakeFacts,
) -> None:
    facts = make_facts([f"part {i}" for i in range(15)], per_class=30)
    assert len(build_report(facts)) < 3_000_000


def test_missing_pictures_leave_a_placeholder(make_facts: MakeFacts) -> None:
    html = build_report(make_facts(missing=True))
    assert "Picture not available" in html
    assert "data:image/jpeg" in html


def test_the_same_facts_make_the_same_bytes(make_facts: MakeFacts) -> None:
    assert build_report(make_facts()) == build_report(make_facts())


def test_the_page_speaks_one_language(make_facts: MakeFacts) -> None:
    english, japanese = (build_report(make_facts(SURFACES), language) for language in ("en", "ja"))
    assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff]", english)
    assert '<html lang="ja">' in japanese
    assert "見逃し" in japanese
    assert "過検出" in japanese


def test_up_to_25_classes_stand_in_a_matrix_and_more_as_pairs(make_facts: MakeFacts) -> None:
    few = build_report(make_facts([f"c{i}" for i in range(25)], per_class=4, test_per_class=3))
    more = build_report(make_facts([f"c{i}" for i in range(26)], per_class=4, test_per_class=3))
    assert 'class="matrix' in few
    assert 'class="matrix' not in more
    assert 'class="pairs' in more


def test_many_classes_are_capped_in_pictures_and_folded_in_tables() -> None:
    html = page_of("many classes", "en")
    assert html.count('class="gallery"') == 30
    assert "All 300 classes" in html
    assert "species 299" in html
