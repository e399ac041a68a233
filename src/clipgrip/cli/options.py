"""A command's options: from the declaration of its settings, from its own signature, and those that all share."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Annotated, Any, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from clipgrip.allowed import bounds
from clipgrip.cli.closed import choices, closed, parameter
from clipgrip.cli.log import note_values
from clipgrip.cli.numbers import number_type, reader
from clipgrip.cli.shared import Shared, parameters
from clipgrip.cli.ui import Result, Ui
from clipgrip.config import Project, Settings


@dataclass(frozen=True)
class Setting:
    """Marks a parameter that is the setting of the same name in `config.Project`."""


@dataclass(frozen=True)
class EverySetting:
    """Marks the parameter that takes what was given of all settings in `config.Project`."""


Given = Annotated[dict[str, Any], EverySetting()]


def command_of(function: Callable[..., Result | None]) -> Callable[..., None]:
    """The function as typer takes it; what it returns is printed, as lines or as JSON."""
    own = inspect.signature(function, eval_str=True).parameters
    every = [name for name, one in own.items() if isinstance(_mark(one), EverySetting)]
    asks = [name for name, one in own.items() if one.annotation is Ui]
    shared = [one.name for one in fields(Shared)]

    def command(context: typer.Context, **values: Any) -> None:
        here = Shared(**{name: values.pop(name) for name in shared})
        ui = here.over(context.find_root().obj).ui()
        for name in every:
            values[name] = {key: values.pop(key) for key in list(values) if key not in own}
        note_values(values)
        result = function(**values, **dict.fromkeys(asks, ui))
        if result is not None:
            ui.tell(result)
            raise typer.Exit(result.code)

    made = [*_made(own.values()), *parameters()]
    context = inspect.Parameter(
        "context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context
    )
    command.__signature__ = inspect.Signature([context, *made])  # type: ignore[attr-defined]
    command.__annotations__ = {}
    command.__doc__ = function.__doc__
    return command


def settings() -> list[str]:
    """The names of the settings that are options, those of files first."""
    files = [name for name in Project.model_fields if name not in Settings.model_fields]
    return [name for name in (*files, *Settings.model_fields) if more(name).get("option")]


def more(name: str) -> dict[str, Any]:
    """What `config.setting` was told of a setting beside its default and help."""
    found = Project.model_fields[name].json_schema_extra
    return found if isinstance(found, dict) else {}


def _mark(one: inspect.Parameter) -> Any:
    is_marked = get_origin(one.annotation) is Annotated
    return get_args(one.annotation)[1] if is_marked else None


def _made(own: Any) -> Iterator[inspect.Parameter]:
    for one in own:
        mark = _mark(one)
        if isinstance(mark, EverySetting):
            for name in settings():
                yield _setting(name, None, is_argument=name == "images")
        elif isinstance(mark, Setting):
            yield _setting(one.name, one.default)
        elif one.annotation is not Ui:
            yield parameter(one.name, one.annotation, one.default)


def _setting(name: str, default: Any, *, is_argument: bool = False) -> inspect.Parameter:
    """What typer is told of a setting; `config.Project` checks the value, as it does that of a file."""
    field = Project.model_fields[name]
    kind, is_list = _kind(field.annotation)
    default = field.default if default is inspect.Parameter.empty else default
    names = [f"--{name.replace('_', '-')}"] if kind is bool else []
    help = f"{field.description}{_otherwise(name, field)}"
    made: Any = typer.Option(
        *names, help=help, show_default=False, metavar="<text>" if is_list else None
    )
    if is_argument:
        made = typer.Argument(help=help, show_default=False)
    if allowed := choices(kind):
        made, kind = closed(made, allowed), str
    elif numeric := number_type(kind):
        made.parser = reader(f"--{name}", numeric, *bounds(field.metadata))
        made.metavar = f"<{numeric.__name__}>"
    return inspect.Parameter(
        name,
        inspect.Parameter.KEYWORD_ONLY,
        default=default,
        annotation=Annotated[(list[str] if is_list else kind) | None, made],
    )


def _kind(annotation: Any) -> tuple[Any, bool]:
    """The type of one value, and whether there may be several."""
    if choices(annotation):
        return annotation, False
    kinds = [one for one in get_args(annotation) if one is not type(None)] or [annotation]
    return kinds[0], any(get_origin(one) is tuple for one in kinds)


def _otherwise(name: str, field: FieldInfo) -> str:
    """What counts where a setting is not given."""
    counts = more(name).get("otherwise")
    if not counts:
        counts = json.dumps(field.default) if " " in str(field.default) else field.default
    if field.is_required() or counts is None or counts is False:
        return ""
    return f"  [default: {counts}]"
