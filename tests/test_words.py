"""Every fixed sentence has a translation, and nothing in the catalogue is left over."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
import pytest
from jinja2 import nodes

import clipgrip
import clipgrip_line
from clipgrip import errors
from clipgrip.cli.helptext import default_phrase, paragraphs, parts
from clipgrip.cli.main import root
from clipgrip.cli.tree import paths
from clipgrip.errors import ConfigError
from clipgrip.sentences import Sentence, combined
from clipgrip.words import LANGUAGES, Words, catalogue
from clipgrip_line import words as line_words
from clipgrip_line.cli import COMMANDS

PACKAGE = Path(clipgrip.__file__).parent
LINE = Path(clipgrip_line.__file__).parent
PACKAGES = (PACKAGE, LINE)
CALLS = {"say", "mark", "self", "Sentence"}
ERRORS = {"LineError", *(name for name in vars(errors) if name.endswith("Error")), "MissingPackage"}
"""An error with values holds a sentence; one without may be for Python alone, and is marked where it is not."""


def _python_texts(package: Path) -> Iterator[str]:
    for path in package.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Call):
                for argument in node.args if _is_said(node) else _help_of(node):
                    yield from _python_constants(argument)


def _help_of(call: ast.Call) -> list[ast.expr]:
    """What an option of the line's commands says of itself."""
    is_option = ast.unparse(call.func).endswith(".add_argument")
    return [one.value for one in call.keywords if is_option and one.arg == "help"]


def _is_said(call: ast.Call) -> bool:
    name = ast.unparse(call.func)
    return name in CALLS or (name in ERRORS and bool(call.keywords))


def _python_constants(argument: ast.expr) -> Iterator[str]:
    if isinstance(argument, ast.IfExp):
        yield from _python_constants(argument.body)
        yield from _python_constants(argument.orelse)
    elif isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value


def _template_texts(package: Path) -> Iterator[str]:
    for path in package.rglob("templates/*.html"):
        for call in jinja2.Environment().parse(path.read_text("utf-8")).find_all(nodes.Call):
            if _template_name(call.node) in CALLS:
                yield from (
                    a.value
                    for a in call.args
                    if isinstance(a, nodes.Const) and isinstance(a.value, str)
                )


def _template_name(node: Any) -> str:
    if isinstance(node, nodes.Getattr):
        return f"{_template_name(node.node)}.{node.attr}"
    return node.name if isinstance(node, nodes.Name) else ""


def _line_commands() -> Iterator[str]:
    """What the line's commands say of themselves under --help: the first lines of their modules."""
    for path in COMMANDS.values():
        yield (import_module(path).__doc__ or "").splitlines()[0]


def _texts(package: Path) -> set[str]:
    told = _line_commands() if package == LINE else ()
    return {*_python_texts(package), *_template_texts(package), *told}


def _help_texts() -> Iterator[str]:
    """What commands say of themselves and of their options under --help."""
    for words in ((), *paths()):
        command = root()
        for word in words:
            command = command.get_command(None, word)
        yield from paragraphs(command.help)
        for parameter in command.params:
            text, behind = parts(parameter.help)
            yield from (text, *filter(None, map(default_phrase, behind)))


TEXTS = sorted({*_help_texts(), *_texts(PACKAGE), *_texts(LINE)})


def test_there_are_texts_from_python_and_from_templates() -> None:
    assert "Tuning helped" in TEXTS
    assert "Next steps" in TEXTS
    assert len(TEXTS) > 100


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_the_catalogue_holds_exactly_the_texts_that_are_used(language: str) -> None:
    assert sorted(catalogue(language)) == TEXTS


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_the_line_brings_its_own_sentences_and_no_others(language: str) -> None:
    assert sorted(line_words.catalogue(language)) == sorted(_texts(LINE))


@pytest.mark.parametrize("language", [name for name in LANGUAGES if name != "en"])
def test_a_translation_has_the_same_values_as_the_text(language: str) -> None:
    for text, translated in catalogue(language).items():
        assert _values(text) == _values(translated), text


def _values(text: str) -> set[str]:
    return set(re.findall(r"\{[\w.:,]*\}", text))


def test_japanese_uses_japanese_punctuation_and_no_spaces_beside_it() -> None:
    for text in catalogue("ja").values():
        text = text.replace("コマンド [引数...]", "")  # a place in a command line
        assert not re.search(r"[\u3040-\u30ff\u4e00-\u9fff][,:;()!?]", text), text
        assert not re.search(
            r"[\u3040-\u30ff\u4e00-\u9fff] | [\u3040-\u30ff\u4e00-\u9fff]", text
        ), text


def test_the_catalogues_travel_with_the_package() -> None:
    assert files("clipgrip").joinpath("locale", "ja.json").is_file()
    assert files("clipgrip_line").joinpath("locale", "ja.json").is_file()


def test_a_missing_sentence_is_an_error_and_not_english() -> None:
    with pytest.raises(KeyError):
        Words("ja")("nobody translated this")


def test_an_unknown_language_names_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="en, ja"):
        Words("jp")  # type: ignore[arg-type]


ROOMS = ("cli", "data", "labeling", "pilot", "report", "review", "runs", "serving", "trust")
"""Whose errors and remarks people meet on the terminal, on pages and in tables."""
TOLD = ("note", "step", "Issue", "Sentence", "Result")


def _said_in_english(source: str) -> Iterator[str]:
    """Errors, notes and reasons that are English whatever the reader's language: text that was never marked."""
    for node in ast.walk(ast.parse(source)):
        call = node.exc if isinstance(node, ast.Raise) else node
        if not isinstance(call, ast.Call):
            continue
        name = ast.unparse(call.func).rpartition(".")[2]
        is_error = isinstance(getattr(errors, name, None), type)
        if is_error or (isinstance(node, ast.Raise) and name in ("OSError", "DatabaseError")):
            texts: Iterable[ast.AST] = () if call.keywords else call.args[:1]
        else:
            made = ast.walk(call) if name in TOLD else ()
            texts = (one for one in made if isinstance(one, ast.JoinedStr))
        for one in texts:
            if re.search("[a-z]{2,} [a-z]{2,}", _literal(one)):
                yield f"line {call.lineno}: {ast.unparse(one)}"


def _literal(text: ast.AST) -> str:
    """What stands in a text itself, without the values of an f-string."""
    parts = text.values if isinstance(text, ast.JoinedStr) else [text]
    found = [one.value for one in parts if isinstance(one, ast.Constant)]
    return " ".join(one for one in found if isinstance(one, str))


@pytest.mark.parametrize("room", ROOMS)
def test_what_people_are_told_can_be_said_in_their_language(room: str) -> None:
    files_of_room = list((PACKAGE / room).rglob("*.py"))
    assert len(files_of_room) > 1
    found = {
        path.name: texts
        for path in files_of_room
        if (texts := list(_said_in_english(path.read_text("utf-8"))))
    }
    assert found == {}, "mark() the text, and give its values by name"


@pytest.mark.parametrize(
    "line",
    [
        'raise RunError(f"{run} holds no run")',
        'raise RunError("this holds no run")',
        'Issue(path, "unreadable", f"cannot be read ({why})")',
        'note(f"{n} images are left out")',
    ],
)
def test_text_that_nobody_could_translate_is_found(line: str) -> None:
    assert list(_said_in_english(line))
    for good in ('mark("this holds no run")', '"{run} holds no run", run=f"{run}"'):
        assert list(_said_in_english(f"raise RunError({good})")) == []


def test_values_with_braces_stay_as_they_are() -> None:
    assert Words("en")("or {name}", name="{0} {name}") == "or {0} {name}"


def test_numbers_are_written_for_readers() -> None:
    say = Words("en")
    assert say.percent(0.7249) == "72.5%"
    assert say.percent(None) == "–"
    assert say.points(-0.0312) == "−3.1 points"
    assert say.points(None) == say.signed(None) == "–"
    assert say.signed(0.00001) == "0.0"
    assert say.signed(-0.00001) == "0.0"
    assert say("{n} images", n=say.number(1)) == "1 image"
    assert say("{n} images", n=say.number(12345)) == "12,345 images"
    assert say.span([0.5, 0.625]) == "50.0% to 62.5%"
    assert [say.seconds(s) for s in (3.14, 90, 7200)] == ["3.1 s", "1.5 min", "2.0 h"]
    assert say.date("2026-11-03T14:05:09+09:00") == "2026-11-03 14:05"
    assert say.date("long ago") == "long ago"


def test_long_lists_are_counted() -> None:
    assert Words("en").names(["a", "b", "c"], limit=3) == "a, b, c"
    assert Words("en").names(["a", "b", "c"], limit=2) == "a, b and 1 more"
    assert Words("ja").names(["a", "b", "c"], limit=2) == "a、b、ほか1件"


JAPANESE = {
    "監査": "抜き取り確認",
    "約束": "保証",
    "確からしさ": "信頼度（区間・保証）、確信度（モデル）",
    "チューニング": "学習、プロンプトの調整",
    "レビュー": "確認、確認作業、確認画面",
    "フォルダ(?!ー)": "フォルダー",
    "ブラウザ(?!ー)": "ブラウザー",
    "サーバ(?!ー)": "サーバー",
    "無作為に抽出": "無作為に抜き取る",
    "報告": "レポート",
    "この処理": "この実行",
    "モデルの回答": "モデルの判定（回答するのは人）",
    "答え(?![るたてらよまなず])": "判定（モデル）、回答（人）",
    "確信(?!度)|自信の": "確信度",
    "モデルの版|版ごと|どの版|新しい版のclipgrip": "バージョン（判定基準の改訂だけは「版」）",
    "マシン|パソコン|この機械": "PC",
    "アラーム": "警報",
    "擬似": "疑似ラベル",
    "メモリ(?!ー)": "メモリー",
    "中位|好条件|慎重": "標準、楽観、控えめ",
    "裏で|決着|を読み直され|ほんとうに": "plain words, as a plant uses them",
}
"""What one word is for, beside words that once stood for the same."""
GUIDE = Path(__file__).parents[1] / "docs" / "operations" / "guide.ja.md"


@pytest.mark.parametrize("other", JAPANESE, ids=list(JAPANESE))
def test_screens_reports_and_guide_have_one_japanese_word_for_one_thing(other: str) -> None:
    texts = [*catalogue("ja").values(), *GUIDE.read_text("utf-8").splitlines()]
    found = [text for text in texts if re.search(other, text)]
    assert not found, f"instead: {JAPANESE[other]}"


def test_what_stands_between_two_reasons_is_japanese_too() -> None:
    both = combined([Sentence("Getting ready"), Sentence("Looking at the images")])
    assert both == "Getting ready; Looking at the images"
    assert "；" in Words("ja").translated(both)
    assert ";" not in Words("ja").translated(both)


@pytest.mark.parametrize(
    ("template", "n", "said"),
    [
        ("{n} images are left", 1, "1 image is left"),
        ("{n} new classes have none", 1, "1 new class has none"),
        ("{n} entries", "1", "1 entry"),
        ("{n} images are left", 0, "0 images are left"),
        ("{n} images are left", 11, "11 images are left"),
        ("{n} of 64 images", 1, "1 of 64 images"),
        ("{n} image has labels", 1, "1 image has labels"),
        ("{name} names no files", "1", "1 names no files"),
        ("{n} images", True, "True images"),
    ],
)
def test_one_of_a_thing_is_said_so(template: str, n: object, said: str) -> None:
    key = "name" if "{name}" in template else "n"
    assert Sentence(template, **{key: n}) == said


def test_no_sentence_of_ours_speaks_of_1_images() -> None:
    for text in TEXTS:
        names = set(re.findall(r"\{(\w+)\}", text))
        said = Sentence(text, **dict.fromkeys(names, 1)) if "%(" not in text and names else ""
        assert not re.search(r"(?<![\d.,] )\b1 (images|files|labels|answers|classes)\b", said), text
