"""People label images in Chromium: one by one, many at a time, by keyboard alone."""

from __future__ import annotations

from browsing import Serving, Visitor, visiting
from playwright.sync_api import Browser


def _image(visitor: Visitor) -> str:
    return str(visitor.value("() => document.getElementById('image').dataset.image"))


def _shown(visitor: Visitor) -> None:
    visitor.page.wait_for_function("() => document.getElementById('image').naturalWidth > 0")


def _cards(visitor: Visitor, state: str = "") -> list[str]:
    return list(
        visitor.value(
            f"() => [...document.querySelectorAll('.card{state}')].map((card) => card.dataset.image)"
        )
    )


def test_fifty_images_one_by_one_with_nothing_but_the_keyboard(
    browser: Browser, server: Serving
) -> None:
    with visiting(browser, server, name="") as new:  # nobody said a name yet: the page asks
        new.open("/one")
        new.page.wait_for_selector("#who[open]")
        new.page.keyboard.type("Ren <b>")
        new.press("Enter")
        new.page.wait_for_selector("#person:has-text('Ren <b>')")
        new.page.wait_for_selector("#who:not([open])", state="attached")
        wanted = {}
        for n in range(50):
            key = "1234"[n % 4]
            wanted[_image(new)] = int(key)
            before = _image(new)
            new.press(key)
            new.page.wait_for_function(
                """(before) => (image => image.dataset.image !== before && image.complete)
                (document.getElementById('image'))""",
                arg=before,
            )
        new.saved()
        assert "50 answered" in new.page.inner_text("#done")
        kept = server.standing()
        assert len(wanted) == 50
        assert {image: kept[image] for image in wanted} == {
            image: ("class", klass, "Ren <b>") for image, klass in wanted.items()
        }
        last = _image(new)
        new.press("z")  # a slip is taken back, answered again, and one gone back to
        new.page.wait_for_selector("#done:has-text('49 answered')")
        assert _image(new) != last
        new.press("0", "ArrowLeft", "ArrowLeft", "ArrowRight")
        new.saved()
        assert list(server.standing().values())[-1] == ("unsure", None, "Ren <b>")
        seconds = server.rows("SELECT count(seconds) FROM answer WHERE seconds > 0")[0][0]
        assert seconds >= 25  # measured from the moment the image was there


def test_fifty_images_on_the_grid_by_keyboard(aki: Visitor, server: Serving) -> None:
    aki.open("/review?n=50")
    cards, before = _cards(aki), len(server.standing())
    assert len(cards) == 50
    aki.press(*["Enter", "2"] * 24, "Enter")
    aki.moving(lambda: aki.press("2"))  # after the last the next images come by themselves
    aki.saved()
    assert not set(_cards(aki)) & set(cards)
    kept = server.standing()
    assert len(kept) == before + 50
    assert [kept[image][1] for image in cards[1::2]] == [2] * 25
    proposed = dict(server.rows("SELECT image, proposed FROM answer"))
    assert [kept[image][1] for image in cards[0::2]] == [proposed[image] for image in cards[0::2]]


def test_a_range_is_selected_with_shift_and_labeled_at_once(aki: Visitor, server: Serving) -> None:
    aki.open("/review?n=50")
    cards = _cards(aki)
    aki.press(*["Shift+ArrowRight"] * 3)
    assert aki.page.inner_text("#selected") == "4 selected"
    aki.press("1")
    aki.saved()
    aki.page.click(f".card[data-image='{cards[6]}']")
    aki.page.click(f".card[data-image='{cards[9]}']", modifiers=["Shift"])
    assert aki.page.inner_text("#selected") == "4 selected"
    aki.press("3")
    aki.page.wait_for_function("() => document.querySelectorAll('.card.pending').length === 0")
    aki.saved()
    kept = server.standing()
    assert [kept[image][1] for image in cards[:4]] == [1] * 4
    assert [kept[image][1] for image in cards[6:10]] == [3] * 4
    assert not {cards[4], cards[5], cards[10]} & set(kept)


def test_what_was_answered_is_taken_back_also_after_a_reload(aki: Visitor, server: Serving) -> None:
    aki.open("/review?n=50")
    first, second, third = _cards(aki)[:3]
    aki.press("1")
    aki.press("Shift+ArrowRight", "2")
    aki.saved()
    aki.press("z")
    aki.page.wait_for_selector("#toast:has-text('taken back')")
    kept = server.standing()
    assert first in kept
    assert not {second, third} & set(kept)
    assert aki.page.locator(f".card[data-image='{second}'].answered").count() == 0
    aki.moving(aki.page.reload)
    aki.press("z")
    aki.page.wait_for_selector("#toast:has-text('taken back')")
    assert first not in server.standing()
    assert {first, second, third} <= {image for (image,) in server.rows("SELECT image FROM answer")}


def test_who_cannot_tell_says_so(aki: Visitor, server: Serving) -> None:
    aki.open("/one")
    image = _image(aki)
    aki.press("0")
    aki.saved()
    assert server.standing()[image] == ("unsure", None, "Aki")
    aki.open("/review?queue=asked")
    assert image in _cards(aki)
    assert "cannot tell" in aki.page.inner_text(f".card[data-image='{image}'] .said")


def test_an_image_is_enlarged_moved_and_made_small_again(aki: Visitor) -> None:
    aki.open("/one")
    _shown(aki)
    aki.page.wait_for_selector("#scale:has-text('%')")
    size = "() => document.getElementById('image').getBoundingClientRect().width"
    before, shown = aki.value(size), aki.page.inner_text("#scale")
    aki.press("+", "+", "+")
    assert aki.value(size) > 1.5 * before
    assert _true_scale(aki) == aki.page.inner_text("#scale")
    assert aki.value("() => getComputedStyle(document.getElementById('image')).imageRendering") == (
        "pixelated"
    )
    aki.press("-", "-", "-")
    assert aki.page.inner_text("#scale") == shown == _true_scale(aki)
    assert abs(aki.value(size) - before) < 2
    aki.press("/")
    assert aki.page.inner_text("#scale") == "100%"
    assert aki.value(size) == aki.value("() => document.getElementById('image').naturalWidth")
    aki.page.click("#true-size")
    assert abs(aki.value(size) - before) < 2
    aki.page.focus("#stage")
    aki.press("+", "ArrowRight")  # the next image begins small
    aki.page.wait_for_selector(f"#scale:has-text('{shown}')")


def _true_scale(visitor: Visitor) -> str:
    """Screen pixels for each pixel of the image, once its sharper picture is there."""
    _shown(visitor)
    return str(
        visitor.value(
            "() => ((one) => `${Math.round(100 * one.getBoundingClientRect().width / one.naturalWidth)}%`)"
            "(document.getElementById('image'))"
        )
    )


def test_the_grid_leads_to_the_large_image_and_its_examples(aki: Visitor) -> None:
    aki.open("/review?n=50")
    image = _cards(aki)[0]
    aki.moving(lambda: aki.press("v"))
    assert _image(aki) == image
    assert aki.page.locator("#examples img").count() > 0
    proposed = aki.page.inner_text("#proposed")
    assert aki.page.inner_text("#example-name") == proposed


def test_looking_at_the_examples_of_a_class_moves_no_button(aki: Visitor) -> None:
    aki.open("/one")
    tops = "() => [...document.querySelectorAll('#choices button')].map((b) => b.getBoundingClientRect().top)"
    before = aki.value(tops)
    for klass in range(1, 5):  # some have no example
        aki.page.hover(f"#choices [data-class='{klass}']")
        assert aki.value(tops) == before
