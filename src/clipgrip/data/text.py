"""Decodes the text files of people: finds the encoding, refuses what is no text."""

from __future__ import annotations

import os
import re
import string

from clipgrip.data.stores import read_object, url_of
from clipgrip.errors import ConfigError, DataError
from clipgrip.files import AnyPath, read_file, system_words
from clipgrip.sentences import Sentence, mark

MAX_BYTES = 256 << 20
"""The largest text file that is read."""
EXAMPLES = "utf-8, cp932, gbk, big5, cp1252, cp1250, mac-roman or euc-jp"

NUL = mark(
    "{name}: NUL characters stand in it, so it is no text, or UTF-16 without its mark. Save it as UTF-8 "
    '(in Excel: "CSV UTF-8").'
)
SHEET = mark(
    "{name}: it is a sheet of Excel or LibreOffice, or a ZIP, and no text. Save it there as CSV in UTF-8 (in Excel: "
    '"CSV UTF-8") and give that file.'
)
PARQUET = mark(
    "{name}: it is a Parquet file, and a text is wanted here. Write it as CSV in UTF-8 and give that file."
)
_PACKED = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
"""First bytes of XLSX, ODS and ZIP, and of XLS."""
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_NO_TEXT = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\u200b\u200e\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]"
)
"""Invisible characters: control codes, also of terminals, and marks that reverse the direction of text."""
_TO_JAPANESE = re.compile(r"\x1b(?:\$\(?[@BD]|\([IJ])")
"""The escape sequences by which ISO 2022 switches to Japanese."""


def read_text(path: AnyPath, encoding: str | None = None) -> str:
    """The text of a file, as `decoded`.

    DataError: the file is missing, unreadable, no regular file, very large, or in another encoding.
    """
    return decoded(_bytes(path), os.path.basename(os.fspath(path)), encoding)


def decoded(data: bytes, name: str, encoding: str | None = None) -> str:
    """The text by its byte order mark, else in ``encoding``, else as UTF-8, else as cp932 if that gives Japanese.

    DataError: it is in another encoding, or no text.
    """
    text, _ = _decoded_by(data, name, encoding)
    # a second byte order mark, and the end-of-file mark of DOS
    text = text.lstrip("\ufeff").rstrip("\x1a")
    if _TO_JAPANESE.search(text):
        raise DataError(
            "{name}: it is in the Japanese encoding JIS. Give --encoding iso-2022-jp, or save it as UTF-8 "
            '(in Excel: "CSV UTF-8").',
            name=name,
        )
    if "\0" in text:
        raise DataError(NUL, name=name)
    return text


def _decoded_by(data: bytes, name: str, encoding: str | None) -> tuple[str, str]:
    """The text as it stands, and the name of its encoding; DataError as in `decoded`."""
    marked = [code for bom, code in _BOMS if data.startswith(bom)]
    if data.startswith(_PACKED):
        raise DataError(SHEET, name=name)
    if data.startswith(b"PAR1"):
        raise DataError(PARQUET, name=name)
    if b"\0" in data and not marked and not encoding:
        raise DataError(NUL, name=name)
    tried = marked or ([encoding] if encoding else ["utf-8", "cp932"])
    for one in tried:
        try:
            text = data.decode(one)
        except UnicodeError:
            continue
        reason = why_not_japanese(text) if one == "cp932" and not encoding else None
        if reason is None:
            return text, one
        raise _unknown_encoding(name, Sentence(", in which it would hold {reason}", reason=reason))
    if tried == [encoding]:
        raise DataError(
            "{name}: the text is not {encoding}. Give --encoding the one it was saved in, for "
            "example {examples}.",
            name=name,
            encoding=encoding,
            examples=EXAMPLES,
        )
    raise _unknown_encoding(name, "")


def encoding_remark(path: AnyPath, encoding: str | None = None) -> Sentence | None:
    """A remark on the encoding that a text file was read in; None where it is UTF-8 or has a byte order mark.

    DataError as `read_text`.
    """
    data = _bytes(path)
    _, taken = _decoded_by(data, os.path.basename(os.fspath(path)), encoding)
    if taken.startswith("utf") or data.isascii():
        return None
    if encoding:
        return Sentence("read as {taken}, as --encoding says", taken=taken)
    return Sentence(
        "read as Windows Japanese (cp932), being no UTF-8. If names look wrong, give --encoding or save it as UTF-8"
    )


def in_utf8(data: bytes, encoding: str | None) -> bytes:
    """The bytes of an uploaded file with its text in UTF-8; unchanged if it is UTF-8, has a mark, or is a ZIP.

    DataError: its text is not in ``encoding``.
    """
    if encoding is None or data.startswith((b"PK", *(bom for bom, _ in _BOMS))):
        return data
    try:
        data.decode("utf-8")
    except UnicodeDecodeError:
        return decoded(data, "the file", encoding).encode()
    return data


def check_encoding(name: str) -> str:
    """The name itself, or ConfigError where no text encoding is called so."""
    try:
        b"a".decode(name)
    except (LookupError, UnicodeError, ValueError):
        raise ConfigError(
            'encoding "{name}" is unknown. Give the one that the text files were saved in, for '
            "example {examples}.",
            name=name,
            examples=EXAMPLES,
        ) from None
    return name


def without_controls(text: str) -> str:
    """The text without invisible characters, such as control codes."""
    return _NO_TEXT.sub("", text)


def _bytes(path: AnyPath) -> bytes:
    try:
        url = url_of(path)
        return read_file(path, MAX_BYTES) if url is None else read_object(url, MAX_BYTES)
    except OSError as error:
        raise DataError(
            "{path}: cannot be read ({reason}). Check the name.",
            path=os.fspath(path),
            reason=system_words(error),
        ) from error


def _unknown_encoding(name: str, reason: str) -> DataError:
    return DataError(
        "{name}: the text is neither UTF-8 nor Windows Japanese (cp932){reason}. In Excel, save "
        'it as "CSV UTF-8", or give its encoding with --encoding, for example {examples}.',
        name=name,
        reason=reason,
        examples=EXAMPLES,
    )


_KANA, _KANJI, _WIDE = "ぁ-ヿ", "一-龠々", "Ａ-Ｚａ-ｚ"
_CERTAIN = re.compile(f"[{_KANA}]{{2}}|[{_KANJI}][{_KANA}]|[{_KANA}][{_KANJI}]")
"""Certainly Japanese: no text of another encoding gives kana side by side by chance."""
_PRIVATE = re.compile(r"[\ue000-\uf8ff]")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]+")
_VOICED, _SEMI_VOICED, _BEFORE_SMALL = "ｳｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎ", "ﾊﾋﾌﾍﾎ", "ｷｼﾁﾆﾋﾐﾘﾌｳﾃﾄﾂｸﾞﾟ"
_WORD = re.compile(
    f"(?:[ｱ-ﾜｦ](?:(?<=[{_VOICED}])ﾞ|(?<=[{_SEMI_VOICED}])ﾟ)?(?:(?<=[{_BEFORE_SMALL}])[ｬｭｮｧｨｩｪｫ])?[ｯﾝｰ]*･?)+"
)
"""A word in half-width katakana: voicing marks and small kana stand only where Japanese has them."""
_LATIN = frozenset(string.ascii_letters)
_IN_LATIN_WORD = re.compile(
    f"(?<![{_KANA}{_KANJI}{_WIDE}])[{_KANA}{_KANJI}{_WIDE}][a-z]|[A-Za-z][^\\x00-\\x7f][a-z]"
)
_KANJI_RUN = re.compile(f"[{_KANJI}]+")
_RARE = re.compile(rb"[\x99-\x9f\xe0-\xfc]")
"""First bytes of rare kanji (JIS level 2), where the accented letters of other code pages fall."""
_KNOWN = re.compile("瑕疵|[疵皺罅黴瘤皹髙﨑]")
"""Rare kanji that are common in words of inspection and in names."""


def why_not_japanese(text: str) -> Sentence | None:
    """Why ``text``, decoded as cp932, cannot be Japanese, in words; None where it may be."""
    if found := _PRIVATE.search(text):
        return Sentence("private-use characters ({shown})", shown=_quoted(text, found))
    runs = list(_HALF_WIDTH.finditer(text))
    for found in runs:
        if len(found[0]) < 2 or not _WORD.fullmatch(found[0]):
            return Sentence(
                "half-width katakana that make no word ({shown})", shown=_quoted(text, found)
            )
    if _CERTAIN.search(text):
        return None
    if runs and "ﾞ" not in text:
        return Sentence(
            "half-width katakana and no other Japanese ({shown})", shown=_quoted(text, runs[0])
        )
    if found := _IN_LATIN_WORD.search(text):
        return Sentence(
            "Japanese characters within Latin words ({shown})", shown=_quoted(text, found)
        )
    kanji_runs, rare = list(_KANJI_RUN.finditer(text)), 0
    for found in kanji_runs:
        letters = (one.encode("cp932", "replace") for one in _KNOWN.sub("", found[0]))
        rare_here = sum(_RARE.match(one) is not None for one in letters)
        if rare_here and text[max(found.start() - 1, 0)] in _LATIN:
            return Sentence(
                "rare characters beside Latin letters ({shown})", shown=_quoted(text, found)
            )
        rare += rare_here
    if rare > 1 and 2 * rare > sum(len(found[0]) for found in kanji_runs):
        return Sentence(
            "rare characters for the most part ({shown})", shown=_quoted(text, kanji_runs[0])
        )
    return None


def _quoted(text: str, found: re.Match[str]) -> str:
    """A quotation of up to 24 characters around the match."""
    start = max(text.rfind("\n", 0, found.start()) + 1, found.start() - 12)
    return f'"{text[start : start + 24].splitlines()[0].strip()}"'
