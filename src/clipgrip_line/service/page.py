"""The pages in the reader's language: sentences stand here, layout in ``pages``; nothing is fetched elsewhere."""

from __future__ import annotations

import html
import json
import re
from functools import cache
from importlib.resources import files

from clipgrip_line.sentences import mark
from clipgrip_line.service.service import Service
from clipgrip_line.words import Words

TEXTS = {
    "title": mark("Line"),
    "ok": mark("OK"),
    "ng": mark("NG"),
    "person": mark("to a person"),
    "class": mark("class"),
    "none_yet": mark("No image so far. The service is ready."),
    "confidence": mark("{share} sure"),
    "lot": mark("Lot"),
    "serial": mark("Serial"),
    "version": mark("Version"),
    "shift": mark("Shift since"),
    "earlier": mark("Earlier shifts"),
    "total": mark("Total"),
    "waits": mark("wait for a person"),
    "answer_now": mark("Answer now"),
    "last": mark("Last image"),
    "recent": mark("Latest"),
    "watch": mark("Watch"),
    "alarm_answer": mark("What was found?"),
    "compare": mark("Pictures from before and after"),
    "before": mark("Before"),
    "after": mark("Since then"),
    "close": mark("Close"),
    "fixed": mark("Cause removed"),
    "normal": mark("Normal from now on"),
    "nothing": mark("No cause found"),
    "note": mark("Note"),
    "withdrawn": mark("A promise was withdrawn: these images go to people."),
    "promise_stands": mark("The promise stands."),
    "no_promise": mark("Nothing is promised of this version."),
    "your_name": mark("Your name"),
    "which": mark("What is it?"),
    "unsure": mark("Cannot tell"),
    "undo": mark("Take back"),
    "back": mark("Back to the line"),
    "why_promise": mark("Nothing promised covers this image: you decide."),
    "why_audit": mark("Drawn at random to check the model: it does not say what it thinks."),
    "model_says": mark("The model says: {name} ({share})"),
    "lost": mark("No connection to the service. It is tried again."),
    "not_kept": mark("Not kept. Try again."),
    "left": mark("{n} left"),
    "language": mark("Language"),
    "docs": mark("Interface"),
    "docs_title": mark("REST interface"),
    "docs_intro": mark(
        "What this service answers, also as openapi.json for programs. Nothing on this page comes from elsewhere."
    ),
    "parameters": mark("Parameters"),
    "body": mark("Body"),
    "responses": mark("Responses"),
    "gone": mark("The picture is not kept any more."),
}
"""By the key that pages and scripts use."""
_KEY = re.compile(r"\{\{(=?\w+)\}\}")


@cache
def _layout(name: str) -> str:
    return files("clipgrip_line.service").joinpath("pages", name).read_text("utf-8")


def page(name: str, service: Service, say: Words) -> str:
    """A page with its sentences."""
    texts = {key: say(text) for key, text in TEXTS.items()}
    values = {
        "=language": say.language,
        "=name": service.settings.name or texts["title"],
        "=texts": json.dumps(texts, ensure_ascii=False).replace("<", "\\u003c"),
    }

    def put(found: re.Match[str]) -> str:
        key = found[1]
        if key == "=texts":
            return values[key]
        return html.escape(values[key] if key in values else texts[key])

    return _KEY.sub(put, _layout(name))
