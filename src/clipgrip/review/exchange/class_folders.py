"""Class folders in a ZIP: the images that people decided, a folder for each class."""

from __future__ import annotations

import zipfile
from posixpath import splitext
from typing import IO

from clipgrip.data.portable import FOLDERS, folder_names, folders_table, no_split, safe
from clipgrip.data.rows import Row
from clipgrip.review.exchange.archives import MISSING
from clipgrip.review.exchange.content import ExportContent
from clipgrip.review.exchange.written import Options, Written, bytes_of
from clipgrip.words import Words
from clipgrip_line.pictures.formats import ending_of, is_called_image

DATE = (1980, 1, 1, 0, 0, 0)
"""Of every file in the ZIP, whose format knows none before: the same answers make the same bytes on any clock."""


def write_folders(content: ExportContent, file: IO[bytes], options: Options) -> Written:
    """The images that people decided, in a folder for each class; what is missing stands in a file in the ZIP.

    Which folder is which class stands there too, where one cannot be called like its class.
    """
    folders, written = folder_names(content.classes), Written(len(content.lines))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for line in content.lines:
            if not line.by_people:
                continue
            data, why = bytes_of(line)
            if why:
                written.left.append((line.row.path, why))
                continue
            name = f"{folders[line.label]}/{file_name(line.row, data)}"
            archive.writestr(zipfile.ZipInfo(name, DATE), data)
            written.labels += 1
        if table := folders_table(content.classes):
            archive.writestr(zipfile.ZipInfo(FOLDERS, DATE), table)
            written.renamed = [
                f"{name} → {folders[name]}" for name in content.classes if folders[name] != name
            ]
        if written.left:
            archive.writestr(zipfile.ZipInfo(MISSING, DATE), _missing_text(written, options.say))
    return written


def _missing_text(written: Written, say: Words) -> bytes:
    counted = say(
        "{all} images have a label from people; this ZIP holds {here}, and lacks {missing}. The labels of all "
        "stand in the export labels.csv.",
        all=written.labels + len(written.left),
        here=written.labels,
        missing=len(written.left),
    )
    lines = [counted, "", *(f"{path}: {say.translated(why)}" for path, why in written.left)]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8-sig", "backslashreplace")


def file_name(row: Row, head: bytes) -> str:
    """The image's own name behind its hash, so that no two are the same, with an ending that readers of images know.

    ``head`` is how the file begins.
    """
    stem, ending = splitext(row.path.rpartition("/")[2])
    usual = ending_of(head)
    if usual and not is_called_image(f"x{ending}"):
        stem, ending = f"{stem}{ending}".rstrip("."), usual
    ending = f".{safe(ending[1:])}" if len(ending) > 1 else ""
    return f"{row.sha256[:12]}-{no_split(safe(stem))}{ending}"
