"""Reads a project file: TOML whose paths are relative to its own folder."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from clipgrip.backbone.names import RESERVED
from clipgrip.data.stores import local_of, url_of
from clipgrip.data.text import check_encoding
from clipgrip.errors import ConfigError
from clipgrip.files import from_home, read_file, system_words
from clipgrip.sentences import Sentence, mark

EMPTY = mark("{path}: {key} is empty. Give the name of a file or folder, or take the line out.")
NO_TEXT = mark(
    "{path} is not UTF-8 text, so no TOML. Give the project.toml that clipgrip init writes, saved as UTF-8."
)
PARSER_MESSAGES = frozenset(
    {
        mark("Cannot overwrite a value"),
        mark("Expected '=' after a key in a key/value pair"),
        mark("Expected newline or end of document after a statement"),
        mark("Illegal character '\\n'"),
        mark("Invalid hex value"),
        mark("Invalid initial character for a key part"),
        mark("Invalid statement"),
        mark("Invalid value"),
        mark("Unclosed array"),
        mark("Unescaped '\\' in a string"),
        mark("Unterminated string"),
    }
)
"""Frequent messages of Python's parser, so that they are translated; others stay in English."""
TOO_DEEP = Sentence("a value is too long or nested too deep")
"""Also for a number of thousands of digits."""
WHERE = re.compile(r"(.*) \(at (?:line (\d+), column (\d+)|end of document)\)", re.DOTALL)
MAX_BYTES = 1 << 20
"""The largest project file that is read."""
MOST_DOTS = 1000
"""The most dots in a key: the parser's time grows with the square of their number."""
FILES = ("images", "classes", "class_embeds", "labels", "seen", "test", "out")


def read_toml(path: Path) -> dict[str, Any]:
    """The keys of a project file, with its paths made absolute. ConfigError: it cannot be read, or is no TOML."""
    try:
        values = _parse_toml(read_file(path, MAX_BYTES).decode("utf-8-sig").replace("\r\n", "\n"))
        wrong = next((key for key, value in values.items() if "\0" in str(value)), None)
    except OSError as error:
        unread = mark("{path} cannot be read: {reason}. Check the name.")
        raise ConfigError(unread, path=path, reason=system_words(error)) from None
    except UnicodeDecodeError:
        raise ConfigError(NO_TEXT, path=path) from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(
            "{path} is not valid TOML: {error}. Mend that line.",
            path=path,
            error=_parser_error(error),
        ) from None
    if wrong is not None:
        raise ConfigError(
            "{path}: {wrong} holds the character NUL, which no name can hold. Take it out.",
            path=path,
            wrong=wrong,
        )
    for key in FILES:
        if isinstance(values.get(key), str):
            if not values[key].strip():
                raise ConfigError(EMPTY, path=path, key=key)
            is_far = url_of(values[key]) is not None
            values[key] = values[key] if is_far else path.parent / from_home(local_of(values[key]))
    for key in ("template", "may_occur"):
        if key in values:
            values[key] = _texts_beside(path.parent, values[key])
    backbone = values.get("backbone")
    if isinstance(backbone, str):
        values["backbone"] = _model_beside(path.parent, backbone)
    eye = values.get("eye")
    if isinstance(eye, str):
        values["eye"] = _model_beside(path.parent, eye)
    elif isinstance(eye, list):
        values["eye"] = [
            _model_beside(path.parent, one) if isinstance(one, str) else one for one in eye
        ]
    return values


def read_lists(values: dict[str, Any]) -> dict[str, Any]:
    """Of settings that may name files of texts what these hold; a value of another kind is refused later.

    ClipgripError: the encoding is unknown, or a file cannot be read or holds nothing.
    """
    encoding, found = values.get("encoding"), dict[str, Any]()
    encoding = None if encoding is None else check_encoding(str(encoding))
    if (names := values.get("may_occur")) is not None:
        from clipgrip.data.occurring import named  # imports numpy, so only where it is needed

        found["may_occur"] = named(names, encoding)
    if encoding is not None and isinstance(values.get("template"), str | list):
        from clipgrip.template_files import expand  # imports torch, so only where it is needed

        found["template"] = expand(values["template"], encoding)
    return found


def _parser_error(error: Exception) -> str:
    """The parser's error as a sentence that can be translated."""
    found = WHERE.fullmatch(str(error))
    if found is None:
        return TOO_DEEP
    what = Sentence(found[1]) if found[1] in PARSER_MESSAGES else found[1]
    if found[2] is None:
        return Sentence("{what} (at end of document)", what=what)
    return Sentence(
        "{what} (at line {line}, column {column})", what=what, line=found[2], column=found[3]
    )


def _model_beside(folder: Path, model: str) -> str:
    """The path of a model that is a folder relative to ``folder``; any other name as it is."""
    return str(folder / model) if is_model_folder(folder / model, model) else model


def is_model_folder(path: Path, model: str) -> bool:
    """Whether a model's name means the folder at ``path``."""
    return bool(model.strip()) and model not in RESERVED and path.is_dir()


def whole_path(model: str) -> str:
    """The absolute path of a model that is a folder; any other name as it is."""
    return str(Path(model).resolve()) if is_model_folder(Path(model), model) else model


def _parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML, after refusing keys with more than `MOST_DOTS` dots."""
    if any(part.count(".") > MOST_DOTS for line in text.split("\n") for part in line.split("=")):
        raise RecursionError
    return tomllib.loads(text)


def _texts_beside(folder: Path, template: Any) -> Any:
    """A template, in which the path of a file (``@name``) is made relative to ``folder``."""
    if isinstance(template, list):
        return [_texts_beside(folder, one) for one in template]
    is_file = isinstance(template, str) and template.startswith("@") and "{}" not in template
    return f"@{folder / template[1:]}" if is_file else template
