"""clipgrip init."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from clipgrip.cli.arguments import Encoding
from clipgrip.cli.closed import choices
from clipgrip.cli.options import more
from clipgrip.cli.ui import Result, Ui
from clipgrip.config import Project, Settings
from clipgrip.sentences import quoted
from clipgrip.words import ENGLISH, Sentence, Words, mark

UNDO = mark("ignore_folders = true in project.toml")
EXAMPLE = ((mark("OK"), "flawless part"), (mark("scratch"), "scratched part"))
"""Classes of a part, as a person calls them and as the model reads them."""
HEAD = (
    mark("A clipgrip project. Start it with: clipgrip run --config project.toml"),
    mark("Paths are relative to this file. What stands behind a # counts only without it."),
)
BETTER = "openai/clip-vit-base-patch32"
FOR_PHOTOGRAPHS = mark("for photographs; see: clipgrip models")
REFINEMENT = mark("numbers of the refinement (clipgrip.Refinement); they make another run")
WIDTH = 30


def init(
    ui: Ui,
    folder: Annotated[
        Path, typer.Argument(help="Folder of the project; images in it are found.")
    ] = Path(),
    encoding: Encoding = None,
) -> Result:
    """Write project.toml and classes.csv for what a folder holds; files that are there stay as they are.

    Folders of images that are named like classes are labels, and the project says how many. On a terminal you are
    asked for English words for class names that most models cannot read.
    """
    from clipgrip.advice.folders import folder_sentences
    from clipgrip.data.layout import layout
    from clipgrip.errors import DataError
    from clipgrip.files import sweep
    from clipgrip.written import check_writable

    if folder.exists() and not folder.is_dir():
        raise DataError("{folder} is a file. Give a folder.", folder=folder)
    check_writable(folder, "FOLDER")
    folder.mkdir(parents=True, exist_ok=True)
    sweep(folder)
    found = layout(folder)
    names = list(found.classes)
    words = {} if ui.as_json or (folder / "classes.csv").exists() else _asked(names, ui.say)
    written = {"classes.csv": _write_new(folder / "classes.csv", classes_csv(names, words, ui.say))}
    labels = _folder_labels(folder, found.images, encoding)
    given = {"images": found.images, "classes": "classes.csv", "out": "clipgrip-run"}
    optional = {"test": found.test, "encoding": encoding}
    given |= {name: value for name, value in optional.items() if value}
    sentences = folder_sentences(labels, ui.say, ui.say(UNDO))
    text = _project(given, sentences, ui.say)
    written["project.toml"] = _write_new(folder / "project.toml", text.encode())
    lines: list[str] = [
        Sentence("wrote    {path}" if new else "kept     {path}", path=folder / name)
        for name, new in written.items()
    ]
    facts = {"folder": folder, "images": found.images, "classes": names, "written": written}
    following = _say_next(folder, names, words, sentences, is_new=written["classes.csv"])
    lines += [*_photographs(folder / found.images), *following]
    return Result(lines, {**facts, "labels_by_folder": labels})


def _project(given: Mapping[str, str], sentences: list[str], say: Words) -> str:
    """The text of project.toml; what the folders of the images say stands above the setting that ignores it."""
    lines = [" ".join(sentence.split()) for sentence in sentences]
    printable = "\n# ".join("".join(c if c.isprintable() else "?" for c in one) for one in lines)
    return project_text(given, {"ignore_folders": printable} if printable else {}, say)


def _folder_labels(folder: Path, images: str, encoding: str | None) -> dict[str, Any] | None:
    """What ``clipgrip run`` will take the folders of the images for."""
    from clipgrip.advice.folders import folder_facts
    from clipgrip.data.classes import ClassNames
    from clipgrip.data.discover import discover
    from clipgrip.data.foldernames import folder_labels
    from clipgrip.data.images import may_be_image
    from clipgrip.data.sources import FileSource
    from clipgrip.errors import ClipgripError

    try:
        classes = ClassNames.read(folder / "classes.csv", encoding)
        entries = [
            one
            for one in discover(folder / images).entries
            if isinstance(one.source, FileSource) and may_be_image(one.source.path)
        ]
    except ClipgripError:  # of a person's own classes.csv, or no images yet: the run will say it
        return None
    named = folder_labels(entries, classes, test_keys=(), splits=())
    return folder_facts(len(named.labels), len(entries), named.issues)


def _asked(names: list[str], say: Words) -> dict[str, str]:
    """English words that a person gives for names which no glossary knows; on a terminal only."""
    missing = _unread(names)
    if not missing or not (sys.stdin.isatty() and sys.stdout.isatty()):
        return {}
    typer.echo(
        say(
            "Most models read only English. What can be seen, in a few English words (Enter: later)?"
        )
    )
    given = {name: typer.prompt(f"  {name}", default="", show_default=False) for name in missing}
    return {name: " ".join(text.split()) for name, text in given.items() if text.strip()}


def _unread(names: list[str]) -> list[str]:
    """Names in another script that the glossary has no words for."""
    from clipgrip.data.glossary import is_foreign, proposed

    return [name for name in names if is_foreign(name) and proposed(name) is None]


def classes_csv(
    names: list[str], words: Mapping[str, str] | None = None, say: Words = ENGLISH
) -> bytes:
    """A table of the classes with what the model reads: ``words``, or the glossary's; an example without names."""
    from clipgrip.data.classes import prompt_text
    from clipgrip.data.glossary import proposed
    from clipgrip.data.tables import csv_bytes

    taken: set[str] = set()
    rows = []
    for name in names:
        text = (words or {}).get(name) or proposed(name) or prompt_text(name)
        text = prompt_text(name) if text.casefold() in taken else text  # two classes need two texts
        taken.add(text.casefold())
        rows.append((name, text))
    rows = rows or [(say(name), text) for name, text in EXAMPLE]
    return csv_bytes(("name", "prompt"), rows)


def _write_new(path: Path, data: bytes) -> bool:
    """Whether it was written; a file that is there stays."""
    from clipgrip.files import write_bytes_once

    try:
        write_bytes_once(path, data)
    except FileExistsError:
        return False
    return True


def _photographs(images: Path) -> list[str]:
    """Where they belong, if nothing is there yet, be it shards or links; the folder is made."""
    images.mkdir(parents=True, exist_ok=True)
    if any(not path.name.startswith(".") for path in images.iterdir()):
        return []
    return [
        Sentence(
            "Put the photographs into {images}, or write their place into project.toml.",
            images=images,
        )
    ]


def _say_next(
    folder: Path, names: list[str], words: Mapping[str, str], sentences: list[str], *, is_new: bool
) -> list[str]:
    from clipgrip.data.glossary import is_foreign

    lines: list[str] = []
    foreign = [name for name in names if is_foreign(name)]
    missing = [name for name in _unread(names) if name not in words]
    if foreign:
        lines.append(
            Sentence(
                "Most models read only English: the glossary proposed words for {known} of {n_foreign} "
                "names in another script; they stand in the column prompt of classes.csv.",
                known=len(foreign) - len(_unread(names)),
                n_foreign=len(foreign),
            )
        )
    if missing:
        lines.append(Sentence("Write English words for: {missing}", missing=", ".join(missing)))
    if names:
        lines.append(
            Sentence(
                "Classes were taken from {n_names} folder names; check them, and their English prompt "
                "texts.",
                n_names=len(names),
            )
        )
    elif is_new:
        lines.append(
            Sentence(
                "Write your classes into classes.csv: the name people use, and a few English words for "
                "the model."
            )
        )
    return [
        *lines,
        *sentences,
        Sentence("Then:    clipgrip run --config {folder}", folder=quoted(folder / "project.toml")),
    ]


def project_text(
    given: Mapping[str, Any], notes: Mapping[str, str] | None = None, say: Words = ENGLISH
) -> str:
    """Every setting with its value here, else its default, else an example behind a ``#``; notes above a setting."""
    files = [name for name in Project.model_fields if name not in Settings.model_fields]
    others = [name for name in Settings.model_fields if name != "refinement"]
    head = "".join(f"# {say(line)}\n" for line in HEAD)
    blocks = ("".join(_lines(names, given, notes or {}, say)) for names in (files, others))
    tail = f"{'# [refinement]':<{WIDTH}} # {say(REFINEMENT)}\n# neighbours = 3\n"
    return "\n".join([head, *blocks, tail])


def _lines(
    names: Iterable[str], given: Mapping[str, Any], notes: Mapping[str, str], say: Words
) -> Iterator[str]:
    for name in names:
        field, example = Project.model_fields[name], more(name)["example"]
        if name in notes:
            yield f"# {notes[name]}\n"
        text = f"{name} = {json.dumps(given.get(name, field.default), ensure_ascii=False)}"
        if name not in given and example:
            text = f"# {name} = {example}"
        allowed = choices(field.annotation)
        known = say(" One of {names}.", names=", ".join(allowed)) if allowed else ""
        yield f"{text:<{WIDTH}} # {say(field.description or '')}{known}\n"
        if name == "backbone":
            yield f'# backbone = "{BETTER}"  # {say(FOR_PHOTOGRAPHS)}\n'
