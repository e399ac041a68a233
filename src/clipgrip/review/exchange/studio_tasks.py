"""Tasks for Label Studio that show their pictures: addresses of its local files, or small pictures inside."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from typing import IO, Any
from urllib.parse import quote
from xml.sax.saxutils import quoteattr

from PIL import Image

from clipgrip.data.images import UndecodableImage
from clipgrip.data.reading import open_row
from clipgrip.data.sources import is_member
from clipgrip.review.exchange.content import ExportContent, ExportLine
from clipgrip.review.exchange.written import (
    OTHER,
    PACKED,
    UNREADABLE,
    Options,
    Written,
    as_json,
    bytes_of,
    not_there,
)

CHOICE, SUBJECT = "class", "image"
"""Names of the choice and of what it is about in Label Studio's labeling configuration."""
SIDE, QUALITY = 256, 75
"""Pixels and JPEG quality of a picture inside a task of Label Studio."""


def write_label_studio(content: ExportContent, file: IO[bytes], options: Options) -> Written:
    """Tasks with people's answers and the model's predictions, one for each content."""
    written = Written(len(content.lines))
    with _JsonList(file) as tasks:
        for number, line in enumerate(content.lines, 1):
            shown, why = _shown(line, options.prefix)
            if why:
                written.left.append((line.row.path, why))
                continue
            people = [{"result": [_choice(line.label)]}] if line.by_people else []
            written.labels += len(people)
            data = {SUBJECT: shown, "path": line.row.path, "sha256": line.row.sha256}
            tasks.add(
                {
                    "id": number,
                    "data": data,
                    "annotations": people,
                    "predictions": _guess(line, content),
                }
            )
    return written


def _shown(line: ExportLine, prefix: str | None) -> tuple[str, str]:
    """The address of an image for Label Studio, or why there is none."""
    if why := not_there(line):
        return "", why
    if prefix is not None and (why := PACKED if is_member(line.row.source) else bytes_of(line)[1]):
        return "", why
    if prefix is not None:
        folders = [part for part in prefix.replace("\\", "/").split("/") if part not in ("", ".")]
        path = "/".join([*folders, line.row.path])
        return f"/data/local-files/?d={quote(path.encode('utf-8', 'surrogateescape'))}", ""
    try:
        picture = open_row(line.row, at_least=SIDE)
    except UndecodableImage as error:
        return "", OTHER if error.reason == "changed" else UNREADABLE
    picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(out.getvalue()).decode("ascii"), ""


def _guess(line: ExportLine, content: ExportContent) -> list[dict[str, Any]]:
    score = {"model_version": f"round {content.round}", "score": round(line.confidence or 0.0, 6)}
    return [{**score, "result": [_choice(line.model)]}] if line.model else []


def _choice(name: str) -> dict[str, Any]:
    value = {"choices": [name]}
    return {"from_name": CHOICE, "to_name": SUBJECT, "type": "choices", "value": value}


def labeling_config(names: Sequence[str]) -> str:
    """What Label Studio's project has to be set up with (Settings, Labeling Interface, Code)."""
    choices = "\n".join(f"    <Choice value={quoteattr(name)}/>" for name in names)
    return (
        f'<View>\n  <Image name="{SUBJECT}" value="${SUBJECT}"/>\n'
        f'  <Choices name="{CHOICE}" toName="{SUBJECT}" choice="single">\n{choices}\n  </Choices>\n</View>'
    )


class _JsonList:
    """A list that is written item by item: pictures of 100,000 images do not fit into memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.n = file, 0

    def __enter__(self) -> _JsonList:
        self.file.write(b"[")
        return self

    def add(self, value: Any) -> None:
        """One more item."""
        self.file.write(b",\n" if self.n else b"\n")
        self.file.write(as_json(value))
        self.n += 1

    def __exit__(self, *_: object) -> None:
        self.file.write(b"\n]\n")
