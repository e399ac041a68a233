"""What people and the model decided, in the formats of other tools: whole before the first byte is answered."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import IO

from clipgrip.errors import DataError, RunError, among
from clipgrip.files import system_words
from clipgrip.review.exchange import writers
from clipgrip.review.exchange.class_folders import write_folders
from clipgrip.review.exchange.content import answer_history, export_content
from clipgrip.review.exchange.studio_tasks import write_label_studio
from clipgrip.review.exchange.written import Options, Writer, Written
from clipgrip.review.snapshot import ReviewSnapshot
from clipgrip.review.store import ReviewStore
from clipgrip.words import mark

CSV = "text/csv; charset=utf-8"
CHUNK = 1 << 20


@dataclass(frozen=True)
class Export:
    """A file that is written whole, and what it holds."""

    name: str
    media: str
    size: int
    written: Written
    file: IO[bytes] = field(repr=False)

    def __iter__(self) -> Iterator[bytes]:
        """The content; the file is closed, and with that gone, after its end."""
        with self.file:
            self.file.seek(0)
            while chunk := self.file.read(CHUNK):
                yield chunk


def exported(
    snapshot: ReviewSnapshot, store: ReviewStore, form: str, options: Options | None = None
) -> Export:
    """An export of the review at this moment; ``history`` reads every event from the store.

    Raises:
        DataError: there is no such format.
        RunError: there is no room for it.
    """
    if form not in EXPORTS:
        raise DataError(
            'no export "{form}". Known: {known}.{nearest}', form=form, **among(form, EXPORTS)
        )
    name, media, write = _WRITERS[form]
    history = list(answer_history(snapshot, store)) if form == "history" else []
    content = export_content(snapshot, store, history)
    try:
        file = tempfile.TemporaryFile()  # noqa: SIM115  closed when it was sent
        try:
            written = write(content, file, options or Options())
            size = file.seek(0, 2)
        except BaseException:
            file.close()
            raise
    except OSError as error:
        raise RunError(
            "the export {name} cannot be written to {folder} ({reason}). Make room there, or "
            "set TMPDIR to a folder with room, and start the review again.",
            name=name,
            folder=tempfile.gettempdir(),
            reason=system_words(error),
        ) from error
    return Export(name, media, size, written, file)


_WRITERS: dict[str, tuple[str, str, Writer]] = {
    "csv": ("review.csv", CSV, writers.write_csv),
    "labels": ("labels.csv", CSV, writers.write_labels),
    "folders": ("class-folders.zip", "application/zip", write_folders),
    "label-studio": ("label-studio.json", "application/json", write_label_studio),
    "coco": ("coco.json", "application/json", writers.write_coco),
    "fiftyone": ("labels.json", "application/json", writers.write_fiftyone),
    "history": ("history.csv", CSV, writers.write_history),
}
EXPORTS = {
    "csv": mark("CSV: every image with its label, who decided, and the model's answer"),
    "labels": mark("CSV path,label: people's answers only, for clipgrip run --labels"),
    "folders": mark("Class folders (ZIP): the images that people decided, a folder per class"),
    "label-studio": mark("Label Studio JSON: people's answers and the model's predictions"),
    "coco": mark("COCO JSON: people's answers as annotations of whole images"),
    "fiftyone": mark("FiftyOne image classification: labels.json beside a folder data"),
    "history": mark("CSV: every key press with who, when and seconds, those taken back too"),
}
