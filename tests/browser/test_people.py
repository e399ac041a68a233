"""Several people at one review: second opinions, disagreements, the audit, two languages."""

from __future__ import annotations

from pathlib import Path

from browsing import Serving, Visitor, visiting
from playwright.sync_api import Browser

from clipgrip.words import Words

TABS = ("/", "/audit", "/review", "/one", "/classes", "/rounds", "/files")


def _open_image(visitor: Visitor) -> str:
    visitor.open("/one")
    return str(visitor.value("() => document.getElementById('image').dataset.image"))


def test_a_second_opinion_is_asked_for_and_given(
    browser: Browser, aki: Visitor, server: Serving
) -> None:
    image = _open_image(aki)
    aki.press("b")
    aki.saved()
    with visiting(browser, server, "Bo") as bo:
        bo.open("/review?queue=asked")
        bo.page.click(f".card[data-image='{image}']")
        bo.press("2")
        bo.saved()
        assert server.standing()[image] == ("class", 2, "Bo")


def test_two_who_disagree_are_settled_on_a_page_of_its_own(
    browser: Browser, aki: Visitor, server: Serving
) -> None:
    image = _open_image(aki)
    with visiting(browser, server, "Bo") as bo:
        bo.open(f"/one?image={image}")  # both look at the same image at the same time
        aki.press("1")
        aki.saved()
        bo.press("3")
        bo.saved()
    aki.open("/")
    assert aki.page.get_attribute("#step", "data-step") == "settle"
    aki.moving(lambda: aki.page.click(".next .button"))
    card = aki.page.locator(f".card[data-image='{image}']")
    assert card.locator(".said li").all_inner_texts() == ["Aki: scratch", "Bo: good part"]
    assert aki.page.locator(".card").count() == 1
    card.click()
    aki.moving(lambda: aki.press("3"))  # after the last the page goes on by itself
    aki.saved()
    assert server.standing("settle")[image] == ("class", 3, "Aki")
    aki.open("/review?queue=disagree")
    assert aki.page.locator(f".card[data-image='{image}']").count() == 0


def test_the_audit_shows_no_answer_of_the_model_and_keeps_its_images(
    aki: Visitor, server: Serving
) -> None:
    aki.open("/audit")
    shown = aki.value("() => JSON.parse(document.getElementById('page').textContent)")
    assert shown["purpose"] == "audit"
    assert shown["examples"] == {}
    assert not any({"proposed", "class", "confidence"} & set(one) for one in shown["images"])
    assert aki.page.locator("#proposed, #right, #examples, #skip").count() == 0
    audited = [one["image"] for one in shown["images"][:6]]
    before = set(server.standing("audit"))  # what other tests have answered in the same review
    aki.press("1", "2", "3", "4", "0", "1")
    aki.saved()
    assert set(audited) == set(server.standing("audit")) - before
    aki.open("/review?n=200")
    on_grid = aki.value("() => [...document.querySelectorAll('.card')].map((c) => c.dataset.image)")
    assert not set(audited) & set(on_grid)
    refused = aki.value(
        f"""async () => (await fetch('/api/answers', {{method: 'POST', headers: {{
        'content-type': 'application/json', 'x-csrf-token': document.querySelector('meta[name=csrf]').content}},
        body: JSON.stringify({{answers: [{{token: 'a-token-of-mine', image: '{audited[0]}', klass: 1}}]}})}})).status"""
    )
    assert refused >= 400
    aki.wrong.clear()  # the console has told of the refusal, as it should


def test_the_language_follows_the_browser_and_the_switch(browser: Browser, server: Serving) -> None:
    with visiting(browser, server, "Aki", "ja-JP") as aki:
        for path in TABS:
            page = aki.open(path)
            assert page.get_attribute("html", "lang") == "ja"
            assert page.inner_text("nav a >> nth=0") == Words("ja")("Overview")
        aki.moving(lambda: aki.page.click("[data-language=en]"))
        assert aki.page.inner_text("nav a >> nth=0") == "Overview"
        assert aki.open("/one").get_attribute("html", "lang") == "en"  # it is remembered


def test_answers_come_in_from_a_file_and_go_out_as_one(
    aki: Visitor, server: Serving, tmp_path: Path
) -> None:
    aki.open("/files")
    told = aki.page.evaluate("fetch('/api/next?n=60').then((answer) => answer.json())")
    one, other = [image["path"] for image in told["images"] if "<" not in image["path"]][:2]
    sheet = tmp_path / "labels.csv"
    sheet.write_text(f"path,label\n{one},dent\n{other},good part\nnowhere.png,dent\n")
    aki.page.set_input_files("input[type=file]", sheet)
    aki.page.click("#import button")
    aki.page.wait_for_selector("#problems td")
    assert "2 answers brought in" in aki.page.inner_text("#told")
    assert "nowhere.png" in aki.page.inner_text("#problems")
    with aki.page.expect_download() as coming:
        aki.page.click("a[href='/export/labels']")
    lines = Path(coming.value.path()).read_text("utf-8-sig").splitlines()
    assert f"{one},dent" in lines
    assert f"{other},good part" in lines
