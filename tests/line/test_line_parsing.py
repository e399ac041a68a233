"""The command line at the line speaks the reader's language, also where its words cannot be used."""

from __future__ import annotations

import argparse
import base64
import errno
import io
import json
import os
import re
from pathlib import Path, PureWindowsPath
from typing import Any

import pytest
from line_command import line
from PIL import Image
from safetensors.numpy import load

from clipgrip_line.causes import cause
from clipgrip_line.cli import COMMANDS, parser_of
from clipgrip_line.parsing import OF_ARGPARSE, named_language
from clipgrip_line.pictures.images import UndecodableImage, decode
from clipgrip_line.places import hindrance
from clipgrip_line.sentences import Sentence
from clipgrip_line.words import Words

JA = Words("ja")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["watch"], "次の指定が必要です：bundle, folder, --out"),
        (["watch", "b", "f", "--out", "o", "--poll", "0"], "0.01から86400までの秒数を指定"),
        (["watch", "b", "f", "--out", "o", "--keep", "lots"], "大きさとして読めません"),
        (["watch", "b", "f", "--out", "o", "--sort", "move"], "選べません"),
        (["watch", "b", "f", "--out"], "値を1個指定"),
        (["watch", "b", "f", "--out", "o", "--batch", "1.5"], "1以上の整数を指定"),
        (["serve", "--port", "x"], "「x」は使えません。整数を指定"),
        (["serve", "--timeout", "soon"], "「soon」は使えません。数を指定"),
        (["status", "o", "--nothing"], "使えない指定があります：--nothing"),
        (["nothing"], "選べるもの"),
    ],
)
def test_words_that_cannot_be_used_are_said_in_japanese(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    words: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("CLIPGRIP_LANG", "ja")
    told = line(capsys, *words)
    assert told.code == 2
    assert told.err.startswith("clipgrip-line: ")
    assert len(told.err.splitlines()) == 1, "a page of options would hide the sentence"
    assert "使い方は" in told.err
    assert said in told.err
    monkeypatch.delenv("CLIPGRIP_LANG")
    told = line(capsys, *words)
    assert "See clipgrip-line" in told.err, "the language of one call is not that of the next"
    assert told.err.isascii()


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        (["wach"], "watch"),
        (["watch", "b", "f", "--uot", "o"], "--out"),
        (["watch", "--uot=o"], "--out"),
        (["serve", "--prot", "8080"], "--port"),
        (["--lang", "ja", "sevre"], "serve"),
        (["alarms", "o", "--nota", "x"], "--note"),
    ],
)
def test_a_slip_in_a_command_or_an_option_names_what_was_meant(
    capsys: pytest.CaptureFixture[str], words: list[str], meant: str
) -> None:
    told = line(capsys, *words)
    assert told.code == 2
    assert (f"もしかして「{meant}」" if "ja" in words else f'Did you mean "{meant}"?') in told.err
    assert json.loads(line(capsys, *words, "--json").out)["kind"] == "Usage"


def test_what_stands_behind_two_dashes_or_begins_an_option_is_no_slip(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for words in (["check", "--", "--jsn"], ["status", "o", "--js"]):
        assert "Did you mean" not in line(capsys, *words).err


def test_headings_of_help_are_japanese(capsys: pytest.CaptureFixture[str]) -> None:
    told = line(capsys, "status", "--lang", "ja", "--help")
    assert told.code == 0
    for one in ("使い方：", "引数", "オプション", "この説明を表示"):
        assert one in told.out


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_is_explained_in_japanese(
    capsys: pytest.CaptureFixture[str], command: str
) -> None:
    told = line(capsys, command, "--lang", "ja", "--help")
    assert told.code == 0
    plain = re.compile(r"[a-z]{3,} [a-z]{3,} [a-z]{3,}")
    for action in _actions(command):
        assert action.help
        assert not plain.search(action.help), action.help


def _actions(command: str) -> list[argparse.Action]:
    commands = next(one for one in parser_of(JA)._actions if one.dest == "command")
    assert isinstance(commands.choices, dict)
    return [one for one in commands.choices[command]._actions if one.dest != "help"]


def test_with_json_an_error_of_usage_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    told = line(capsys, "watch", "--json")
    assert told.code == 2
    assert json.loads(told.out)["kind"] == "Usage"


@pytest.mark.parametrize(
    ("words", "language"),
    [([], ""), (["--lang", "ja"], "ja"), (["x", "--lang=ja"], "ja"), (["--lang"], "")],
)
def test_the_language_is_known_before_the_words_are(
    monkeypatch: pytest.MonkeyPatch, words: list[str], language: str
) -> None:
    monkeypatch.delenv("CLIPGRIP_LANG", raising=False)
    assert named_language(words) == language


def test_what_python_says_is_still_what_our_catalogue_translates() -> None:
    texts = Path(argparse.__file__).read_text("utf-8")
    for text in OF_ARGPARSE:
        assert repr(text)[1:-1] in texts or text in texts or text.replace("\n", "\\n") in texts
    assert parser_of(JA).format_help().startswith("usage")


@pytest.mark.parametrize("share", [0.5, 0.9])
@pytest.mark.parametrize("form", ["PNG", "JPEG", "BMP", "GIF", "TIFF", "WEBP"])
def test_what_decoders_say_of_cut_pictures_is_japanese(form: str, share: float) -> None:
    out = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(out, form)
    try:
        decode(out.getvalue()[: int(share * len(out.getvalue()))])
    except UndecodableImage as error:
        said = JA.translated(error.sentence)
        assert not re.search("[a-z]{4}", re.sub(r"b'\w+'", "", said)), said


def test_what_nobody_translated_stays_as_it_is() -> None:
    assert cause("a {new} saying") == "a {new} saying"
    assert JA.translated(cause("a {new} saying")) == "a {new} saying"
    text = JA.translated(cause("image file is truncated (7 bytes not processed)"))
    assert text == "ファイルが途中で切れています（未処理7バイト）"


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[1,",
        b"{",
        b'{"a" 1}',
        b'["a',
        b"[1] 2",
        b"\xff",
        b"\xe3\x81",
        b'{"a": 1,}',
        b'"\x01"',
    ],
)
def test_what_is_wrong_with_json_is_japanese(text: bytes) -> None:
    with pytest.raises(ValueError) as found:
        json.loads(text.decode("utf-8"))
    said = JA.translated(Sentence("{error}", error=found.value))
    assert not re.search("[a-z]{4}", said), said


@pytest.mark.parametrize("number", [1, 2, 13, 17, 20, 24, 28, 30, 36, 40, 104, 111, 113, 116])
def test_what_the_system_refuses_is_japanese(number: int) -> None:
    error = OSError(number, os.strerror(number), "labels.csv")
    assert not re.search("[a-z]{4}", JA.translated(cause(error))), error


def test_a_cause_within_a_cause_is_japanese_too() -> None:
    text = "Error while deserializing header: header too large"
    assert JA.translated(cause(text)) == "見出しを読めません（見出しが大きすぎます）"


@pytest.mark.parametrize("data", [b"", b"\xff" * 20, (2).to_bytes(8, "little") + b"{}xx"])
def test_what_is_wrong_with_weights_is_japanese(data: bytes) -> None:
    with pytest.raises(Exception, match="deserializing") as found:
        load(data)
    assert not re.search("[a-z]{4}", JA.translated(cause(found.value))), found.value


def test_how_deep_python_was_is_not_said() -> None:
    with pytest.raises(RecursionError) as found:
        json.loads("[" * 100_000)
    assert JA.translated(cause(found.value)) == "入れ子が深すぎます"


@pytest.mark.parametrize("text", ["a", "abc", "ab=c", "ab$=", "é"])
def test_what_is_wrong_with_base64_is_japanese(text: str) -> None:
    with pytest.raises(ValueError) as found:
        base64.b64decode(text, validate=True)
    assert not re.search("[a-z]{4}", JA.translated(cause(found.value))), found.value


def test_a_full_disk_is_not_called_a_matter_of_permissions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("tempfile.TemporaryFile", full)
    assert hindrance(tmp_path) == f"{tmp_path}: No space left on device"


class Missing:
    """A folder on a drive of Windows that is not there."""

    def __init__(self, path: str) -> None:
        self.path = PureWindowsPath(path)

    def absolute(self) -> PureWindowsPath:
        return self.path

    def __fspath__(self) -> str:
        return str(self.path)


@pytest.mark.parametrize("place", ["Q:\\runs\\one", "\\\\server\\share\\one"])
def test_a_drive_that_is_missing_is_named(place: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    folder: Any = Missing(place)
    assert hindrance(folder) == f"{PureWindowsPath(place).anchor} is not there"
    assert hindrance(folder).template == "{folder} is not there"
