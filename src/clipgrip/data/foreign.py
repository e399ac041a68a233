"""Files of other labeling tools in the place of labels: which tool made them, and what to give instead."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from clipgrip.files import AnyPath, open_file
from clipgrip.sentences import Sentence, mark

HEAD = 1 << 16
"""Bytes that are looked at."""
ENDINGS = (".json", ".jsonl", ".xml", ".txt")
"""Of files that tools write beside images, one for each."""
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
"""What a file holds, the tool's name, and how to go on; the first that fits."""


def tool_of(path: AnyPath) -> tuple[Sentence, Sentence] | None:
    """The tool that made a file and how to go on, by its first bytes; None where it is not known."""
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
    """What to say of another tool's file or folder of files; None where it is none that is known."""
    path = os.fspath(place)
    if os.path.isdir(path):
        names = sorted(name for name in os.listdir(path) if name.lower().endswith(ENDINGS))
        path = os.path.join(path, names[0]) if names else ""
    found = tool_of(path) if path else None
    if found is None:
        return None
    tool, advice = found
    return Sentence(LOOKS, place=os.fspath(place), tool=tool, kind=kind, advice=advice)
