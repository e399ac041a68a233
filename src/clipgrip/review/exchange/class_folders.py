"""Class folders in a ZIP: the images that people decided, a folder for each class."""

from __future__ import annotations

import zipfile
from typing import IO

from clipgrip.data.images import UndecodableImage
from clipgrip.data.portable import FOLDERS, folder_names, folders_table
from clipgrip.data.reading import read_row
from clipgrip.review.exchange.archives import MISSING
from clipgrip.review.exchange.naming import file_name
from clipgrip.review.exchange.snapshot import Line, Snapshot
from clipgrip.review.exchange.written import GONE, OTHER, UNREADABLE, Options, Written


def write_folders(shot: Snapshot, file: IO[bytes], _: Options) -> Written:
    """The images that people decided, in a folder for each class; what is missing stands in a file in the ZIP.

    Which folder is which class stands there too, where one cannot be called like its class.
    """
    folders, told = folder_names(shot.classes), Written(len(shot.lines))
    with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
        for line in shot.lines:
            if not line.by_people:
                continue
            data, why = _bytes_of(line)
            if why:
                told.left.append((line.row.path, why))
                continue
            archive.writestr(f"{folders[line.label]}/{file_name(line.row, data)}", data)
            told.labels += 1
        if table := folders_table(shot.classes):
            archive.writestr(FOLDERS, table)
            told.renamed = [
                f"{name} → {folders[name]}" for name in shot.classes if folders[name] != name
            ]
        if told.left:
            archive.writestr(MISSING, _missing_text(told))
    return told


def _bytes_of(line: Line) -> tuple[bytes, str]:
    """The content, or why there is none."""
    if line.gone:
        return b"", GONE
    try:
        return read_row(line.row), ""
    except UndecodableImage as error:
        return b"", OTHER if error.reason == "changed" else UNREADABLE


def _missing_text(told: Written) -> bytes:
    lines = [
        f"{told.labels + len(told.left)} images have a label from people; {told.labels} are in this ZIP, "
        f"{len(told.left)} are not. Their labels stand in the export labels.csv.",
        "",
        *(f"{path}: {why}" for path, why in told.left),
    ]
    return ("\r\n".join(lines) + "\r\n").encode("utf-8-sig", "backslashreplace")
