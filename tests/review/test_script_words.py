"""What the page's scripts say of one thing and of several, in the words of the server."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from clipgrip.review.web import texts
from clipgrip.sentences import Sentence
from clipgrip.words import Words

STATIC = Path(texts.__file__).parent / "static"
VALUES = ("n", "all", "labels", "images", "klass", "into", "names", "meaning", "why", "time")


def _said(sentences: list[str], values: dict[str, object]) -> list[str]:
    """By the script itself."""
    script = (
        f"import {{ filled }} from {json.dumps((STATIC / 'words.js').as_uri())};"
        f"const values = {json.dumps(values)};"
        f"console.log(JSON.stringify({json.dumps(sentences)}.map((text) => filled(text, values))));"
    )
    words = ["node", "--input-type=module", "-e", script]
    told = subprocess.run(words, capture_output=True, check=True, text=True, encoding="utf-8")
    return list(json.loads(told.stdout))


@pytest.mark.skipif(shutil.which("node") is None, reason="needs Node.js")
@pytest.mark.parametrize("n", [0, 1, 2, "1,000"])
def test_scripts_count_as_the_server_does(n: int | str) -> None:
    given = texts.for_script(Words("en"))
    values = {name: n if name in VALUES[:4] else f"<{name}>" for name in VALUES}
    told = [text for text in given if set(re.findall(r"{(\w+)}", text)) <= set(VALUES)]
    assert _said([given[text] for text in told], values) == [
        str(Sentence(text, **values)) for text in told
    ]


def test_one_answer_is_no_answers_on_the_pages() -> None:
    given = texts.for_script(Words("en"))
    assert given["{n} answers brought in."] == "{n} {n|answer|answers} brought in."
    entries = "{n} entries were left out; the table says why."
    assert given[entries].startswith("{n} {n|entry was|entries were} left out")
    assert not any("|" in text for text in texts.for_script(Words("ja")).values())


def test_nothing_that_scripts_count_has_a_verb_or_noun_that_stays_plural() -> None:
    for text in texts.SCRIPT:
        for noun in re.findall(r"{\w+} (?:\w+ )?(\w+s)\b", text):
            assert noun in ("was", "has") or f"|{noun}" in texts.both_forms(text), text
