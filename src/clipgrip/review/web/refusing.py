"""Why what an address or a page says is not taken: what, where, what is allowed, what to do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, get_args

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from starlette.requests import Request

from clipgrip.allowed import refusal
from clipgrip.sentences import Sentence, combined, mark

UNREADABLE = mark("What the page sent cannot be read. Reload it and try again.")
MISSING = mark("{name} is missing.")
UNKNOWN = mark("{name} is not known here.")
ADDRESS = mark("Correct the address, or go back to the first page.")
PAGE = mark("Reload the page and try again.")


def refused(request: Request, error: RequestValidationError) -> str:
    """The first of what is wrong."""
    first = error.errors()[0]
    place, *loc = first["loc"]
    in_body = place == "body"
    if (in_body and not loc) or first["type"] in ("json_invalid", "string_pattern_mismatch"):
        return UNREADABLE
    name, field = ".".join(map(str, loc)), _field(request, in_body, loc)
    if first["type"] != "missing" and field is not None and _fields(field.annotation):
        return UNREADABLE
    if first["type"] == "missing":
        why = Sentence(MISSING, name=name)
    elif field is None:
        why = Sentence(UNKNOWN, name=name)
    else:
        why = refusal(name, first["input"], field.annotation, field.metadata)
    return combined([why, Sentence(PAGE if in_body else ADDRESS)], " ")


def _field(request: Request, in_body: bool, loc: Sequence[int | str]) -> FieldInfo | None:
    """What was declared of it; None where nothing was."""
    declared = request.scope["route"].dependant
    if not in_body:
        given = [*declared.query_params, *declared.path_params]
        return {one.alias: one.field_info for one in given}.get(str(loc[0]))
    found: FieldInfo | None = declared.body_params[0].field_info
    for part in loc:
        kind = None if found is None else found.annotation
        of_a_list = isinstance(part, int)
        found = (
            FieldInfo(annotation=get_args(kind)[0]) if of_a_list else _fields(kind).get(str(part))
        )
    return found


def _fields(kind: Any) -> Mapping[str, FieldInfo]:
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return kind.model_fields if is_model else {}
