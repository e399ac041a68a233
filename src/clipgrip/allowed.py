"""Error messages for refused settings: which values are allowed, in words."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import NoneType
from typing import Any, get_args, get_origin

from clipgrip.errors import ConfigError, DataError, among, nearest
from clipgrip.sentences import Sentence, combined, mark


def shown(value: Any, most: int = 80) -> str:
    """A value as people write it in a setting, cut after ``most`` characters."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):  # such as a date of TOML
        text = str(value)
    return text if len(text) <= most else f"{text[:most]}..."


def check_classes(option: str, names: Iterable[str], classes: Sequence[str]) -> None:
    """ConfigError where an option names something that is no class."""
    for name in names:
        if name not in classes:
            refused = mark('{option} "{name}" is no class. Give one of these: {known}.{nearest}')
            raise ConfigError(refused, option=option, name=name, **among(name, classes))


def number_kind(kind: Any, least: float | None = None, most: float | None = None) -> Sentence:
    """The allowed values of a number: ``a whole number from 1 to 1000``."""
    name = Sentence("a whole number") if kind is int else Sentence("a number")
    if least is not None and most is not None:
        return Sentence("{name} from {least} to {most}", name=name, least=least, most=most)
    if least is not None:
        return Sentence("{name} of at least {least}", name=name, least=least)
    return name if most is None else Sentence("{name} of at most {most}", name=name, most=most)


def _number_wanted(kind: Any, metadata: Sequence[Any]) -> Sentence:
    """As `number_kind`, but also for ranges that exclude their ends."""
    least, most = bounds(metadata)
    above, below = (_bound(metadata, name) for name in ("gt", "lt"))
    if below is None:
        return number_kind(kind, least, most)
    name = number_kind(kind)
    if least is not None:
        return Sentence("{name} from {least} to below {most}", name=name, least=least, most=below)
    return Sentence("{name} above {least} and below {most}", name=name, least=above, most=below)


def _bound(metadata: Sequence[Any], name: str) -> Any:
    return next((getattr(one, name) for one in metadata if hasattr(one, name)), None)


def bounds(metadata: Sequence[Any]) -> tuple[Any, Any]:
    """The least and the greatest value in a setting's declaration; None where it has no such bound."""
    return _bound(metadata, "ge"), _bound(metadata, "le")


def _with_length_bounds(metadata: Sequence[Any], usual: Sentence, text: str) -> Sentence:
    """``text`` with both bounds of a length if the declaration has them, else ``usual``."""
    least, most = (_bound(metadata, name) for name in ("min_length", "max_length"))
    return usual if least is None else Sentence(text, least=least, most=most)


def refusal(name: str, value: Any, annotation: Any, metadata: Sequence[Any]) -> Sentence:
    """The sentence ``rounds = 0 is not allowed. Give a whole number from 1 to 1000.``, maybe with the nearest word."""
    kinds = [one for one in get_args(annotation) if one is not NoneType]
    kind = kinds[0] if kinds and get_origin(annotation) not in (dict, list) else annotation
    hint = ""
    if words := [one for one in (*kinds, *get_args(kind)) if isinstance(one, str)]:
        allowed = Sentence("one of {words}", words=", ".join(words))
        hint = nearest(str(value), words)
    elif kind in (int, float):
        allowed = _number_wanted(kind, metadata)
    elif kind is bool:
        allowed = Sentence("true or false")
    elif get_origin(kind) is dict:
        text = mark("a table: [{name}] on a line of its own, and below it names and numbers")
        allowed = Sentence(text, name=name)
    elif kind is Path:
        allowed = Sentence("the name of a file or folder in quotes")
    elif kind is list or get_origin(kind) is list:
        allowed = _with_length_bounds(
            metadata, Sentence("a list"), mark("a list of {least} to {most} entries")
        )
    elif any(get_origin(one) is tuple for one in kinds):
        allowed = Sentence("a text in quotes, or a list of such")
    elif (longest := _bound(metadata, "max_length")) is not None:
        allowed = Sentence("a text of at most {most} characters", most=longest)
        allowed = _with_length_bounds(
            metadata, allowed, mark("a text of {least} to {most} characters")
        )
    else:
        allowed = Sentence("a text in quotes")
    text = mark("{name} = {value} is not allowed. Give {wanted}.{hint}")
    return Sentence(text, name=name, value=shown(value), wanted=allowed, hint=hint)


def checked(model: type[Any], values: dict[str, Any], where: Callable[[str], str]) -> Any:
    """The pydantic model of the values. ConfigError: in plain words; ``where`` says where a key was given."""
    # imported late: the command line uses this module without pydantic
    from pydantic import ValidationError

    try:
        return model(**values)
    except ValidationError as error:
        for one in error.errors():  # pydantic wraps a DataError, as it is a ValueError
            if isinstance(cause := one.get("ctx", {}).get("error"), DataError):
                raise cause from None
        found = [
            _sentence(model, values, e, where) for e in error.errors()[:20]
        ]  # there may be thousands
        raise ConfigError(combined(list(dict.fromkeys(found)), "\n")) from None
    except ConfigError as error:  # from our own validators, which do not know the place
        raise _with_place(model, values, where, error) from None


def _with_place(
    model: type[Any], values: dict[str, Any], where: Callable[[str], str], error: ConfigError
) -> ConfigError:
    """The error with the place of its value, found by validating one value after another."""
    from pydantic import ValidationError

    needed = {name: values[name] for name in ("images",) if name in values}
    for key, value in values.items():
        try:
            model(**{**needed, key: value})
        except ValidationError:
            continue
        except ConfigError as refused:
            if refused.sentence == error.sentence:
                return ConfigError("{where}: {why}", where=where(key), why=error.sentence)
    return error


def unknown_setting(where: str, key: str, model: type[Any]) -> str:
    """The sentence for an unknown setting, with the nearest known one."""
    return Sentence(
        '{where}: unknown setting "{key}". Known: {known}.{nearest}',
        where=where,
        key=key,
        **among(key, model.model_fields),
    )


def _sentence(
    model: type[Any], values: dict[str, Any], error: Any, where_is: Callable[[str], str]
) -> str:
    key = str(error["loc"][0])  # further parts are names of Python's types
    where = where_is(key)
    if error["type"] == "extra_forbidden":
        return unknown_setting(where, key, model)
    field = model.model_fields[key]
    why = refusal(key, values.get(key, error["input"]), field.annotation, field.metadata)
    return Sentence("{where}: {why}", where=where, why=why)
