"""Classes are changed and the next round is run from the page."""

from __future__ import annotations

from browsing import Serving, Visitor, visiting
from playwright.sync_api import Browser


def _line(visitor: Visitor, id_: int) -> str:
    return f"tr[data-class='{id_}']"


def _names(visitor: Visitor) -> list[str]:
    return list(
        visitor.value(
            "() => [...document.querySelectorAll('tr:not([data-class=\"0\"]) .name-field')].map((f) => f.value)"
        )
    )


def test_a_round_is_run_from_the_page_and_shows_what_it_brought(
    browser: Browser, own_server: Serving
) -> None:
    with visiting(browser, own_server) as aki:
        aki.open("/audit")
        aki.press(*"123412341234")
        aki.saved()
        aki.open("/one")
        aki.press(*"12341234123412341234")
        aki.saved()
        aki.open("/rounds")
        assert "20 answers" in aki.page.inner_text("main")
        aki.page.click("#start")
        aki.page.wait_for_selector("#progress:not([hidden])")
        assert aki.page.is_disabled("#start")
        aki.open("/review")  # people go on meanwhile
        aki.press("1")
        aki.saved()
        aki.open("/rounds")
        aki.page.wait_for_selector(".round .gain", timeout=180_000)
        told = aki.page.inner_text(".round")
        assert "12 audited" in told
        assert "20 labels" in told or "21 labels" in told  # the last came while it began
        assert own_server.rows("SELECT count(*) FROM round") == [(2,)]


def test_other_words_are_tried_then_kept(browser: Browser, own_server: Serving) -> None:
    with visiting(browser, own_server) as aki:
        aki.open("/classes")
        line = _line(aki, 3)
        aki.page.fill(f"{line} .prompt-field", "a red square")
        aki.page.click(f"{line} [data-do=preview]")
        aki.page.wait_for_selector("#moves:not([hidden])")
        assert aki.page.inner_text("#moves-sentence")
        assert own_server.rows("SELECT prompt FROM class WHERE id = 3") == [("good part",)]
        aki.page.fill(f"{line} .name-field", "良品")
        aki.moving(lambda: aki.page.click(f"{line} [data-do=edit]"))
        assert "良品" in _names(aki)
        assert own_server.rows("SELECT name, prompt FROM class WHERE id = 3") == [
            ("良品", "a red square")
        ]


def test_classes_are_added_merged_and_split(browser: Browser, own_server: Serving) -> None:
    with visiting(browser, own_server) as aki:
        aki.accepts = True
        aki.open("/classes")
        aki.page.fill(f"{_line(aki, 0)} .name-field", "burr")
        aki.moving(lambda: aki.page.press(f"{_line(aki, 0)} .name-field", "Enter"))
        assert _names(aki)[-1] == "burr"
        line = _line(aki, 2)
        aki.page.click(f"{line} summary")
        aki.page.select_option(f"{line} .into", label="scratch")
        aki.moving(lambda: aki.page.click(f"{line} [data-do=merge]"))
        assert "dent" not in _names(aki)
        line = _line(aki, 1)
        aki.page.click(f"{line} summary")
        aki.page.fill(f"{line} .parts", "long scratch\nshort scratch")
        aki.moving(lambda: aki.page.click(f"{line} [data-do=split]"))
        assert _names(aki)[-2:] == ["long scratch", "short scratch"]
        aki.open("/one")
        choices = aki.page.locator("#choices [data-class] .name").all_inner_texts()
        assert choices[-2:] == ["long scratch", "short scratch"]


def test_what_was_typed_is_not_lost_when_another_class_is_added(
    browser: Browser, own_server: Serving
) -> None:
    with visiting(browser, own_server) as aki:
        aki.open("/classes")
        line = _line(aki, 3)
        aki.page.fill(f"{line} .prompt-field", "a spotless surface")
        assert aki.page.inner_text(f"{line} .state") == "not kept yet"
        aki.page.fill(f"{_line(aki, 0)} .name-field", "rust")
        aki.moving(lambda: aki.page.click(f"{_line(aki, 0)} [data-do=add]"))
        assert _names(aki)[-1] == "rust"
        assert aki.page.input_value(f"{line} .prompt-field") == "a spotless surface"
        assert aki.page.inner_text(f"{line} .state") == "not kept yet"
        assert aki.page.input_value(f"{_line(aki, 0)} .name-field") == ""
        aki.moving(lambda: aki.page.click(f"{line} [data-do=edit]"))
        assert aki.page.inner_text(f"{line} .state") == ""
        assert own_server.rows("SELECT prompt FROM class WHERE id = 3") == [("a spotless surface",)]


def test_a_dialog_says_what_it_will_undo(browser: Browser, own_server: Serving) -> None:
    with visiting(browser, own_server) as aki:
        aki.open("/classes")
        line = "tr[data-class]:not([data-class='0']) >> nth=0"
        name = aki.page.input_value(f"{line} >> .name-field")
        answers = aki.page.get_attribute(line, "data-answers")
        aki.page.click(f"{line} >> summary")
        aki.page.click(f"{line} >> [data-do=remove]")
        (told,) = aki.wrong  # the dialog, which was not answered with yes
        assert (
            f"Take “{name}” away? What was answered with this class becomes invalid ({answers} "
            in told
        )
        assert name in _names(aki)
        aki.wrong.clear()
        aki.open("/rounds")
        if aki.page.locator("[data-back]").count():
            aki.page.click("[data-back]")
            assert "Classes, their names and texts do not go back" in aki.wrong.pop()
