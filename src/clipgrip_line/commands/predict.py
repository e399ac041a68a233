"""Answer images, or folders of images, once; exit code 1 where a file is no image that can be read."""

from __future__ import annotations

import argparse
import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clipgrip_line.parsing import document, words_of
from clipgrip_line.sentences import mark

if TYPE_CHECKING:
    from clipgrip_line.model import Model

BATCH = 16
COLUMNS = ("path", "verdict", "class", "confidence", "decided_by", "version", "image_id")
LINE = mark("{path}: {verdict}, {name} ({confidence})")
VERDICTS = {
    "ok": mark("OK"),
    "ng": mark("NG"),
    "person": mark("to a person"),
    "class": mark("class"),
}
"""What is said of a verdict."""


def add(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("bundle", type=Path, help="the file that clipgrip bundle wrote")
    parser.add_argument("images", type=Path, nargs="+", help="image files, or folders of them")
    parser.add_argument("--out", type=Path, help="write the answers into this CSV file")
    parser.add_argument(
        "--to-people",
        action="store_true",
        help="leave every image to people, whatever the promise",
    )


def run(args: argparse.Namespace) -> int:
    """Answer them; code 1 where some file is no image that can be read."""
    from clipgrip_line.files import write_bytes_atomic
    from clipgrip_line.model import Model
    from clipgrip_line.places import check_new_table

    say = words_of(args)
    if args.out is not None:
        check_new_table(args.out)
    paths = list(image_files(args.images))
    model = Model.open(args.bundle)
    answers, refused = answered(model, paths, to_people=args.to_people)
    if args.out is not None:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        write_bytes_atomic(args.out, table(answers).encode("utf-8-sig"))  # so that Excel reads it
    if args.json:
        print(document({"answers": answers, "refused": refused}))
        return int(bool(refused))
    for one in answers if args.out is None else ():
        share = say.percent(one["confidence"])
        verdict = say(VERDICTS[one["verdict"]])
        print(say(LINE, path=one["path"], verdict=verdict, name=one["class"], confidence=share))
    for bad in refused:
        print(f"{bad['path']}: {say.translated(bad['reason'])}")
    if args.out is not None:
        print(say("{n} images answered: {out}", n=len(answers), out=args.out))
    return int(bool(refused))


def image_files(places: Sequence[Path]) -> Iterator[Path]:
    """The files themselves, and those in folders that begin as an image or are called like one, by name.

    LineError: a place is not there, or a folder holds no image.
    """
    from clipgrip_line.errors import LineError
    from clipgrip_line.pictures.formats import is_called_image
    from clipgrip_line.pictures.images import may_be_image

    for place in places:
        if not place.is_dir():
            if not place.exists():
                raise LineError(
                    "{path} is not there. Give images, or a folder of them.", path=place
                )
            yield place
            continue
        found = [
            path
            for path in sorted(place.rglob("*"))
            if may_be_image(str(path)) or (is_called_image(path.name) and path.is_file())
        ]
        if not found:
            raise LineError(
                "{path} holds no image that can be read. Give another folder, or images.",
                path=place,
            )
        yield from found


def answered(
    model: Model, paths: Sequence[Path], *, to_people: bool = False
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Answers, and files that are no images with the reason."""
    from clipgrip_line.errors import ClipgripError
    from clipgrip_line.files import read_file, system_words

    answers: list[dict[str, Any]] = []
    refused: list[dict[str, Any]] = []
    for start in range(0, len(paths), BATCH):
        batch = []
        for path in paths[start : start + BATCH]:
            try:
                batch.append((path, model.pixels(read_file(path, MOST_BYTES))))
            except ClipgripError as error:
                refused.append({"path": str(path), "reason": error.sentence})
            except (
                OSError
            ) as error:  # may not be read, a pipe, or gone meanwhile: the others are answered
                refused.append({"path": str(path), "reason": system_words(error)})
        found = model.answer([pixels for _, pixels in batch], to_people=to_people)
        answers += [
            {"path": str(path), **one.as_json()}
            for (path, _), one in zip(batch, found, strict=True)
        ]
    return answers, refused


MOST_BYTES = 1 << 30
"""The largest file that is read."""


def table(answers: Sequence[dict[str, Any]]) -> str:
    """As CSV."""
    from clipgrip_line.folder.lines import guarded

    made = io.StringIO()
    writer = csv.DictWriter(made, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: guarded(one[key]) for key in COLUMNS} for one in answers)
    return made.getvalue()
