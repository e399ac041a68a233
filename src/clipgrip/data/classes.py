"""Class names: a display name that people read, and a prompt text that the model reads."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from clipgrip.data.classlines import TABS, check_names
from clipgrip.data.nameindex import NameIndex
from clipgrip.data.tables import DELIMITERS, dialect, parse_csv
from clipgrip.data.text import read_text, without_controls
from clipgrip.errors import DataError, nearest
from clipgrip.files import AnyPath
from clipgrip.sentences import Sentence, mark, shortlist

UNLABELED_MARKS = ("", "-1")
"""Label cells that mean "nobody has labeled this image"."""

_NAME_COLUMNS = ("name", "class", "display", "label")
_PROMPT_COLUMNS = ("prompt", "prompts", "text")
_MAY_BE_HEADINGS = frozenset((*_NAME_COLUMNS, *_PROMPT_COLUMNS)) | {
    *(
        "names",
        "classes",
        "labels",
        "category",
        "categories",
        "class name",
        "class_name",
        "classname",
    ),
    *("クラス", "クラス名", "ラベル", "名前", "名称", "分類", "カテゴリ", "カテゴリー"),
}
"""First lines that may be a heading as well as a class: only the writer knows."""

MOST_CLASSES = 50_000
"""The full ImageNet has 21,841. Each image gets a probability for every class, so more would exhaust the memory."""
MANY = mark(
    "{source}: {n} classes; at most {most} are read, as each image has a probability of each. Give the classes, not "
    "the images; one name a line."
)
NO_LISTS = (
    *(".yaml", ".yml", ".json", ".jsonl", ".xml", ".html", ".rtf"),
    *(".xlsx", ".xls", ".ods", ".docx", ".pdf", ".zip", ".toml"),
)
"""Endings of files that are no plain lists of names."""
NO_LIST = mark(
    "{source} is no list of classes. Give a text file with one name a line, or a CSV with the columns name,prompt."
)
_LINE_BREAKS = re.compile(r"[\t-\r\x85\u2028\u2029]")
IN_LINE_BREAKS = mark(
    '{source} {unit} {place}: the name "{name}" holds a line break or a tab. Write it in one line, with spaces.'
)


def canonical(name: str) -> str:
    """The form in which names are compared: NFC, no control characters, no space around."""
    return without_controls(unicodedata.normalize("NFC", name)).strip()


def prompt_text(name: str) -> str:
    """The default text for the model: the name with ``_`` and ``-`` as spaces."""
    return re.sub(r"[\s_\-]+", " ", canonical(name)).strip() or canonical(name)


@dataclass(frozen=True)
class ClassNames:
    """Display names in any language, and the text that stands in the model's prompt.

    Raises:
        DataError: fewer than two classes, a class or a prompt text twice, or a reserved name.
    """

    display: tuple[str, ...]
    prompts: tuple[str, ...]

    def __post_init__(self) -> None:
        if len(self.display) != len(self.prompts):
            raise DataError(
                "{n_display} class names but {n_prompts} prompt texts",
                n_display=len(self.display),
                n_prompts=len(self.prompts),
            )
        _check(self.display, self.prompts, "class names", None)

    def __len__(self) -> int:
        return len(self.display)

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and canonical(name) in self._index.positions

    @classmethod
    def from_names(cls, names: Iterable[str]) -> ClassNames:
        """Classes in the order given; prompt texts follow from the names.

        Raises:
            DataError: as the class.
        """
        display = tuple(canonical(name) for name in names)
        return cls(display, tuple(prompt_text(name) for name in display))

    @classmethod
    def read(cls, path: AnyPath, encoding: str | None = None) -> ClassNames:
        """Read a file with one name a line, or a CSV whose first line is ``name,prompt``.

        Raises:
            DataError: as the class, naming the line; or the file cannot be read.
        """
        source = os.path.basename(os.fspath(path))
        if source.lower().endswith(NO_LISTS):
            raise DataError(NO_LIST, source=source)
        text = read_text(path, encoding)
        lines = (_table_lines if _has_heading(text) else _plain_lines)(text, source)
        display = tuple(canonical(name) for _, name, _ in lines)
        prompts = tuple(
            canonical(text) or prompt_text(name)
            for name, (_, _, text) in zip(display, lines, strict=True)
        )
        _check(display, prompts, source, [number for number, _, _ in lines])
        return cls(display, prompts)

    def index(self, name: str) -> int:
        """Position of a class by its display name.

        Raises:
            DataError: no such class; the message lists the known ones and the nearest.
        """
        position = self._index.positions.get(canonical(name))
        if position is None:
            raise DataError(
                'unknown class "{name}". Known: {listing}.{nearest}',
                name=name,
                listing=self.listing(),
                nearest=nearest(canonical(name), self.display),
            )
        return position

    def find(self, label: str) -> int | None:
        """Position of the class that a label names, as `NameIndex.find`."""
        return self._index.find(canonical(label))

    @classmethod
    def of(
        cls, classes: ClassNames | AnyPath | Sequence[str], encoding: str | None = None
    ) -> ClassNames:
        """`ClassNames` from themselves, from a file, or from a list of names.

        Raises:
            DataError: as the class and `read`.
        """
        if isinstance(classes, ClassNames):
            return classes
        if isinstance(classes, str | os.PathLike):
            return cls.read(classes, encoding)
        return cls.from_names(classes)

    def listing(self, most: int = 12) -> str:
        """The display names in one line, in quotes where they hold a comma; beyond ``most`` they are left out."""
        names = [f"“{name}”" if set(name) & set(",、，") else name for name in self.display]
        return shortlist(names, most)

    @cached_property
    def _index(self) -> NameIndex:
        return NameIndex(map(canonical, self.display))


_Line = tuple[int, str, str]
"""Number of the line, name, prompt text; an empty prompt text follows from the name."""


def _table_lines(text: str, source: str) -> list[_Line]:
    """The rows of a CSV whose heading names both columns."""
    table = parse_csv(text, source)
    name, prompt = table.need(_NAME_COLUMNS), table.need(_PROMPT_COLUMNS)
    return [
        (number, row[name], row[prompt])
        for number, row in zip(table.numbers, table.rows, strict=True)
        if canonical(row[name])
    ]


def _first_cells(text: str) -> list[str]:
    body, delimiter, _ = dialect(text)
    first = next((line for line in body.splitlines() if canonical(line)), "").casefold()
    return [canonical(cell).strip('"') for cell in first.split(delimiter)]


def _has_heading(text: str) -> bool:
    """Whether the first line names both columns; one such word alone may be a class."""
    cells = set(_first_cells(text))
    return bool(cells & set(_NAME_COLUMNS)) and bool(cells & set(_PROMPT_COLUMNS))


def _plain_lines(text: str, source: str) -> list[_Line]:
    lines = [(n, line, "") for n, line in enumerate(text.splitlines(), 1) if canonical(line)]
    if not source.casefold().endswith((".csv", ".tsv")):
        check_names([(number, line) for number, line, _ in lines], source)
        return lines
    for number, line, _ in lines:
        if re.search(f"[{DELIMITERS}]", line):
            raise DataError(TABS, source=source, number=number)
    if lines and _first_cells(text)[0] in _MAY_BE_HEADINGS:
        number, line, _ = lines[0]
        raise DataError(
            '{source} line {number}: "{line}" may be a heading or a class. Let the first line be '
            "name,prompt (the prompts may stay empty), or give the list of classes as a .txt, which "
            "has no heading.",
            source=source,
            number=number,
            line=canonical(line),
        )
    bare = [(number, _unquoted(canonical(line)), "") for number, line, _ in lines]
    check_names([(number, name) for number, name, _ in bare], source)
    return bare


def _unquoted(cell: str) -> str:
    return cell[1:-1] if len(cell) > 2 and cell[0] == cell[-1] == '"' else cell


def heading_remark(path: AnyPath, encoding: str | None = None) -> str | None:
    """A remark on a first line that is read as a class but may be a heading; None where it can only be a class.

    Raises:
        DataError: the file cannot be read.
    """
    text = read_text(path, encoding)
    cells = _first_cells(text)
    if _has_heading(text) or len(cells) > 1 or cells[0] not in _MAY_BE_HEADINGS:
        return None
    return Sentence(
        'the first line, "{first}", is taken for a class; a heading has two columns: name,prompt',
        first=cells[0],
    )


def _check(
    display: Sequence[str], prompts: Sequence[str], source: str, lines: Sequence[int] | None
) -> None:
    if len(display) > MOST_CLASSES:
        raise DataError(MANY, source=source, n=f"{len(display):,}", most=f"{MOST_CLASSES:,}")
    if len(display) < 2:
        given = Sentence("1 class") if display else Sentence("no class")
        raise DataError(
            "{source}: {given} given; at least 2 are needed. Add one, such as one for all that is none of them.",
            source=source,
            given=given,
        )
    places = lines or range(1, len(display) + 1)
    unit = Sentence("line") if lines else Sentence("position")
    _check_once(display, places, source, unit)
    for name, place in zip(display, places, strict=True):
        if _LINE_BREAKS.search(name):
            shown = _LINE_BREAKS.sub(" ", name)
            raise DataError(IN_LINE_BREAKS, source=source, unit=unit, place=place, name=shown)
        if canonical(name) in UNLABELED_MARKS:
            raise DataError(
                '{source} {unit} {place}: "{name}" means unlabeled. Rename the class.',
                source=source,
                unit=unit,
                place=place,
                name=name,
            )
    texts: dict[str, str] = {}
    for name, prompt in zip(display, prompts, strict=True):
        twin = texts.setdefault(prompt.casefold(), name)
        if twin is not name:
            raise DataError(
                '{source}: classes "{twin}" and "{name}" have the same prompt text "{prompt}", so the '
                "model cannot tell them apart. Give each its own text in a column prompt.",
                source=source,
                twin=twin,
                name=name,
                prompt=prompt,
            )


def _check_once(names: Sequence[str], places: Sequence[int], source: str, unit: str) -> None:
    first: dict[str, int] = {}
    for name, place in zip(names, places, strict=True):
        earlier = first.setdefault(canonical(name), place)
        if earlier != place:
            raise DataError(
                '{source} {unit} {place}: class "{name}" stands twice (first on {unit} {earlier}). '
                "Remove one of them.",
                source=source,
                unit=unit,
                place=place,
                name=name,
                earlier=earlier,
            )
