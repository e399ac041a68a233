"""Recognizes files of other labeling tools that are given as labels, and says what to give instead."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from clipgrip.files import AnyPath, open_file
from clipgrip.sentences import Sentence, mark

HEAD = 1 << 16
"""Bytes of a file that are searched for the marks of a tool."""
ENDINGS = (".json", ".jsonl", ".xml", ".txt")
"""Endings of the files that tools write beside the images, one for each image."""
BY_PAGE = Sentence("Bring it in on the page Files of clipgrip review, or give")
BY_EXPORT = Sentence("Export from there, or make of it,")
ONE_CLASS = Sentence(
    "Its boxes are parts of images; clipgrip takes one class for a whole image. Give"
)
UNPACKED = Sentence("Unpack it, or give")
SAVED = Sentence("Save it as CSV, or give")
LOOKS = mark(
    "{place} looks like {tool}, which is not read as {kind}. {advice} a CSV or Parquet file with the "
    "columns path,label, or a folder with one folder of images for each class."
)
TOOLS: Sequence[tuple[str, Sentence, Sentence]] = (
    (r"_via_img_metadata|\"file_attributes\"", Sentence("VGG Image Annotator's JSON"), BY_EXPORT),
    (r"(?s)\"shapes\".*\"imagePath\"|\"imagePath\".*\"shapes\"", Sentence("LabelMe's JSON"), ONE_CLASS),
    (r"(?s)\"categories\".*\"items\"|\"items\".*\"categories\"", Sentence("Datumaro's JSON"), BY_EXPORT),
    (r"\"categories\"|\"category_id\"", Sentence("COCO JSON"), BY_PAGE),
    (r"\"completions\"|\"from_name\"|\"annotations\"", Sentence("Label Studio's JSON"), BY_PAGE),
    (r"(?s)\"tags\".*\"objects\"|\"objects\".*\"tags\"", Sentence("Supervisely's JSON"), BY_EXPORT),
    (r"(?s)\"classes\".*\"labels\"", Sentence("FiftyOne's labels.json"), BY_PAGE),
    (r"(?s)\"samples\".*\"filepath\"", Sentence("FiftyOne's samples.json"), BY_PAGE),
    (r"\"source-ref\"", Sentence("SageMaker's manifest"), BY_EXPORT),
    (r"(?s)\A\s*\{[^\n]*\}\s*\n\s*\{", Sentence("JSON lines"), BY_EXPORT),
    (r"\A\s*[\[{]", Sentence("JSON"), BY_EXPORT),
    (r"<annotations>", Sentence("CVAT's XML"), BY_EXPORT),
    (r"<annotation\b", Sentence("Pascal VOC's XML"), ONE_CLASS),
    (r"\A\s*<", Sentence("XML"), BY_EXPORT),
    (r"\A\s*\d+(?: +[\d.eE-]+){4,}\s*$", Sentence("YOLO's text"), ONE_CLASS),
)  # fmt: skip
"""Pattern of the content, name of the tool, advice; the first pattern that matches counts."""


def tool_of(path: AnyPath) -> tuple[Sentence, Sentence] | None:
    """The tool that made a file, and the advice for it, by the first bytes; None where it is unknown."""
    try:
        with open_file(path) as file:
            head = file.read(HEAD)
    except OSError:
        return None
    if head.startswith(b"PK\x03\x04"):
        is_sheet = b"[Content_Types].xml" in head or os.fspath(path).lower().endswith(".xlsx")
        return (Sentence("an Excel file"), SAVED) if is_sheet else (Sentence("a ZIP"), UNPACKED)
    text = head.decode("utf-8-sig", "replace")
    for pattern, name, advice in TOOLS:
        if re.search(pattern, text, re.MULTILINE):
            return name, advice
    return None


def foreign(place: AnyPath, kind: str) -> Sentence | None:
    """The sentence that refuses another tool's file, or a folder of such files; None where no tool is recognized."""
    path = os.fspath(place)
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if name.lower().endswith(ENDINGS))
        path = os.path.join(path, names[0]) if names else ""
    found = tool_of(path) if path else None
    if found is None:
        return None
    tool, advice = found
    return Sentence(LOOKS, place=os.fspath(place), tool=tool, kind=kind, advice=advice)
