"""Whether text that decodes as Windows Japanese (cp932) is Japanese, or bytes of another language.

Nearly all bytes decode as cp932: Chinese becomes half-width katakana, Polish rare characters within words. What a
person would see at a glance is looked for here; where it is doubtful the file is refused, since a class name that is
quietly wrong costs a whole run.
"""

from __future__ import annotations

import re

from clipgrip.sentences import Sentence

_KANA, _KANJI, _WIDE = "ぁ-ヿ", "一-龠々", "Ａ-Ｚａ-ｚ"
_SURE = re.compile(f"[{_KANA}]{{2}}|[{_KANJI}][{_KANA}]|[{_KANA}][{_KANJI}]")
"""No other encoding gives kana in a row by chance."""
_PRIVATE = re.compile(r"[\ue000-\uf8ff]")
_HALF_WIDTH = re.compile("[\uff61-\uff9f]+")
_VOICED, _LIPS, _BEFORE_SMALL = "ｳｶｷｸｹｺｻｼｽｾｿﾀﾁﾂﾃﾄﾊﾋﾌﾍﾎ", "ﾊﾋﾌﾍﾎ", "ｷｼﾁﾆﾋﾐﾘﾌｳﾃﾄﾂｸﾞﾟ"
_WORD = re.compile(
    f"(?:[ｱ-ﾜｦ](?:(?<=[{_VOICED}])ﾞ|(?<=[{_LIPS}])ﾟ)?(?:(?<=[{_BEFORE_SMALL}])[ｬｭｮｧｨｩｪｫ])?[ｯﾝｰ]*･?)+"
)
"""A sound with its mark, small letters only where they are spoken."""
_GLUED = re.compile(
    f"(?<![{_KANA}{_KANJI}{_WIDE}])[{_KANA}{_KANJI}{_WIDE}][a-z]|[A-Za-z][^\\x00-\\x7f][a-z]"
)
_BESIDE_LATIN = re.compile(f"(?<=[A-Za-z])([{_KANJI}])(?![{_KANA}{_KANJI}])")
_RARE = re.compile(rb"[\x99-\x9f\xe0-\xfc]")
"""The first byte of the second level of kanji, on which the accented letters of other code pages fall."""


def why_not_japanese(text: str) -> Sentence | None:
    """What no Japanese text holds, in words; None where ``text``, decoded as cp932, may be Japanese."""
    if found := _PRIVATE.search(text):
        return Sentence("private-use characters ({shown})", shown=_line(text, found))
    runs = list(_HALF_WIDTH.finditer(text))
    for found in runs:
        if len(found[0]) < 2 or not _WORD.fullmatch(found[0]):
            return Sentence(
                "half-width katakana that make no word ({shown})", shown=_line(text, found)
            )
    if _SURE.search(text):
        return None
    if runs and "ﾞ" not in text:
        return Sentence(
            "half-width katakana and no other Japanese ({shown})", shown=_line(text, runs[0])
        )
    if found := _GLUED.search(text):
        return Sentence(
            "Japanese characters within Latin words ({shown})", shown=_line(text, found)
        )
    for found in _BESIDE_LATIN.finditer(text):
        if _RARE.match(found[1].encode("cp932", "replace")):
            return Sentence(
                "rare characters beside Latin letters ({shown})", shown=_line(text, found)
            )
    return None


def _line(text: str, found: re.Match[str]) -> str:
    """The line that holds the match, shortened."""
    start = max(text.rfind("\n", 0, found.start()) + 1, found.start() - 12)
    return f'"{text[start : start + 24].splitlines()[0].strip()}"'
