"""One press of a key is one answer, on every keyboard and with every input method."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browsing import Serving, Visitor, visiting
from playwright.sync_api import Browser

MODES = ("/one", "/audit", "/review?n=50")
ALT, CTRL, META, SHIFT = 1, 2, 4, 8
SENT = """() => {
  window.sent = [];
  const fetching = window.fetch;
  window.fetch = (path, how) => {
    if (String(path).endsWith("/api/answers")) window.sent.push(...JSON.parse(how.body).answers);
    return fetching(path, how);
  };
}"""


class Keyboard:
    """A keyboard whose every event is ours: what the key writes, where it lies, whether it repeats."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.devtools = visitor.page.context.new_cdp_session(visitor.page)

    def send(self, kind: str, key: str, code: str, **more: Any) -> None:
        self.devtools.send(
            "Input.dispatchKeyEvent", {"type": kind, "key": key, "code": code, **more}
        )

    def tap(self, key: str, code: str, **more: Any) -> None:
        self.send("rawKeyDown", key, code, **more)
        self.send("keyUp", key, code, **{k: v for k, v in more.items() if k == "modifiers"})

    def bounce(self, key: str, code: str) -> None:
        """Two presses at once: no way from here to the page comes between them."""
        self.visitor.value(
            """([key, code]) => {
              for (const kind of ["keydown", "keyup", "keydown", "keyup"])
                document.body.dispatchEvent(new KeyboardEvent(kind, { key, code, bubbles: true, cancelable: true }));
            }""",
            [key, code],
        )

    def answers(self) -> list[tuple[str, int | None]]:
        """What the page has sent since it was opened."""
        self.visitor.saved()
        sent = self.visitor.value("() => window.sent")
        return [(one["verdict"], one["klass"]) for one in sent]


@pytest.fixture
def opened(browser: Browser, server: Serving) -> Iterator[Callable[[str], Keyboard]]:
    """Opens a page whose answers are taken back in the end, so that other tests find their images."""
    with visiting(browser, server) as aki:

        def open_(path: str) -> Keyboard:
            aki.open(path)
            aki.value(SENT)
            return Keyboard(aki)

        yield open_
        aki.saved()
        tokens = [token for (token,) in server.rows(
            "SELECT token FROM answer WHERE purpose = 'review' AND number NOT IN (SELECT answer FROM undo)"
        )]  # fmt: skip
        if tokens:
            aki.value(
                """async (tokens) => (await import("/static/core.js")).post("/api/undo", { tokens })""",
                tokens,
            )


@pytest.mark.parametrize("path", MODES)
def test_a_held_key_gives_one_answer(opened: Callable[[str], Keyboard], path: str) -> None:
    keyboard = opened(path)
    keyboard.send("keyDown", "1", "Digit1", text="1")
    for _ in range(30):
        keyboard.send("keyDown", "1", "Digit1", text="1", autoRepeat=True)
    keyboard.send("keyUp", "1", "Digit1")
    assert keyboard.answers() == [("class", 1)]


@pytest.mark.parametrize("path", MODES)
def test_a_switch_that_bounces_gives_one_answer_and_two_presses_give_two(
    opened: Callable[[str], Keyboard], path: str
) -> None:
    keyboard = opened(path)
    keyboard.bounce("1", "Digit1")  # the switch, or a remote desktop
    keyboard.tap("2", "Digit2")
    keyboard.tap("1", "Digit1")
    keyboard.visitor.page.wait_for_timeout(150)
    keyboard.tap("1", "Digit1")
    assert keyboard.answers() == [("class", 1), ("class", 2), ("class", 1), ("class", 1)]


def test_a_held_key_takes_back_one_answer_and_still_moves_and_zooms(
    opened: Callable[[str], Keyboard],
) -> None:
    keyboard = opened("/one")
    page = keyboard.visitor.page
    for key in "123":
        keyboard.tap(key, f"Digit{key}")
    keyboard.answers()
    for _ in range(5):
        keyboard.send("keyDown", "z", "KeyZ", text="z", autoRepeat=_ > 0)
    page.wait_for_selector("#done:has-text('2 answered')")
    page.wait_for_selector("#toast:has-text('taken back')")
    for _ in range(3):
        keyboard.send("keyDown", "+", "Equal", text="+", autoRepeat=_ > 0)
    assert page.inner_text("#scale") != "100%"


@pytest.mark.parametrize("path", ["/one", "/review?n=50"])
def test_a_button_that_has_the_focus_is_pressed_once_however_long_enter_is_held(
    opened: Callable[[str], Keyboard], path: str
) -> None:
    keyboard = opened(path)
    keyboard.visitor.page.focus("#right")
    for n in range(20):
        keyboard.send("keyDown", "Enter", "Enter", text="\r", autoRepeat=n > 0)
    keyboard.send("keyUp", "Enter", "Enter")
    assert len(keyboard.answers()) == 1


def test_a_double_click_on_a_class_answers_one_image(opened: Callable[[str], Keyboard]) -> None:
    keyboard = opened("/one")
    keyboard.visitor.page.dblclick("#choices [data-class='2']")
    assert keyboard.answers() == [("class", 2)]


WRITTEN = {
    "Japanese input method": ("Process", "Digit2", ("class", 2)),
    "Japanese input method, number pad": ("Process", "Numpad2", ("class", 2)),
    "no key said": ("Unidentified", "Digit3", ("class", 3)),
    "full-width digit": ("２", "Digit2", ("class", 2)),
    "full-width digit without a place": ("４", "", ("class", 4)),
    "kana": ("ぬ", "Digit1", ("class", 1)),
    "AZERTY &": ("&", "Digit1", ("class", 1)),
    "AZERTY é": ("é", "Digit2", ("class", 2)),
    "AZERTY à": ("à", "Digit0", ("unsure", None)),
    "number pad": ("4", "Numpad4", ("class", 4)),
    "Arabic digit": ("٢", "Digit2", ("class", 2)),
    "Thai": ("/", "Digit2", ("class", 2)),
    "dead key": ("Dead", "Digit2", ("class", 2)),
    "Cyrillic B": ("и", "KeyB", ("ask", None)),
    "Greek B": ("β", "KeyB", ("ask", None)),
    "full-width B": ("Ｂ", "KeyB", ("ask", None)),
    "Caps Lock": ("B", "KeyB", ("ask", None)),
    "input method, B": ("Process", "KeyB", ("ask", None)),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("path", ["/one", "/review?n=50"])
def test_every_layout_and_input_method_answers(
    opened: Callable[[str], Keyboard], path: str, name: str
) -> None:
    key, code, wanted = WRITTEN[name]
    keyboard = opened(path)
    more = {"windowsVirtualKeyCode": 229} if key == "Process" else {}
    keyboard.tap(key, code, **more)
    assert keyboard.answers() == [wanted]


def test_enter_of_an_input_method_and_of_the_number_pad_says_that_the_model_is_right(
    opened: Callable[[str], Keyboard],
) -> None:
    keyboard = opened("/one")
    keyboard.tap("Process", "Enter", windowsVirtualKeyCode=229)
    keyboard.tap("Enter", "NumpadEnter")
    assert [verdict for verdict, _ in keyboard.answers()] == ["class", "class"]


@pytest.mark.parametrize("path", MODES)
def test_with_control_alt_or_the_command_key_nothing_is_answered(
    opened: Callable[[str], Keyboard], path: str
) -> None:
    keyboard = opened(path)
    for modifiers in (ALT, CTRL, META, CTRL | ALT, CTRL | SHIFT):
        for key, code in (("1", "Digit1"), ("&", "Digit1"), ("Process", "Digit2"), ("0", "Digit0")):
            keyboard.tap(key, code, modifiers=modifiers)
    keyboard.tap("!", "Digit1", modifiers=SHIFT)
    assert keyboard.answers() == []


def test_letters_go_by_what_is_written_on_the_key(opened: Callable[[str], Keyboard]) -> None:
    keyboard = opened("/review?n=50")
    keyboard.tap("a", "KeyQ")  # AZERTY: "a" selects all
    assert keyboard.visitor.page.inner_text("#selected") == "50 selected"
    assert keyboard.answers() == []


def test_who_has_an_input_method_on_is_told_where_the_key_cannot_be_read(
    opened: Callable[[str], Keyboard],
) -> None:
    keyboard = opened("/one")
    keyboard.tap("Process", "", windowsVirtualKeyCode=229)
    assert "input method" in keyboard.visitor.page.inner_text("#toast")
    assert keyboard.answers() == []


def test_enter_that_confirms_a_word_of_an_input_method_adds_no_class(
    opened: Callable[[str], Keyboard], server: Serving
) -> None:
    keyboard = opened("/classes")
    before = server.rows("SELECT count(*) FROM class")
    keyboard.visitor.page.fill("tr[data-class='0'] .name-field", "ばり")
    keyboard.visitor.page.focus("tr[data-class='0'] .name-field")
    keyboard.tap("Process", "Enter", windowsVirtualKeyCode=229)
    keyboard.tap("Enter", "Enter", windowsVirtualKeyCode=229)
    assert keyboard.visitor.page.input_value("tr[data-class='0'] .name-field") == "ばり"
    assert server.rows("SELECT count(*) FROM class") == before
