"""Settings of a run: TOML or command line in, checked once, frozen, JSON out."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from clipgrip.errors import ConfigError, nearest

Strategy = Literal["zero-shot", "supervised", "fpl", "ifpl", "grip"]
Preset = Literal["default", "paper"]
FILES = ("images", "classes", "labels", "seen", "test", "out")


class Settings(BaseModel):
    """What decides the result, besides the data. Equal settings on equal data are one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = "nano"
    prompt: Literal["textual"] = "textual"
    strategy: Strategy = "grip"
    preset: Preset = "default"
    rounds: int | None = Field(None, ge=1, le=1000)
    k: int | None = Field(None, ge=1)
    seed: int = Field(0, ge=0, le=2**31 - 1)
    template: str = "a photo of a {}."
    candidates: Literal["auto", "all"] = "auto"
    """``all``: unlabeled images may be of any class, even when some classes have no labels."""
    precision: Literal["auto", "float32", "bfloat16"] = "auto"


class Project(Settings):
    """Settings with the files they apply to."""

    images: Path
    classes: Path
    labels: Path | None = None
    seen: Path | None = None
    test: Path | None = None
    out: Path | None = None

    @property
    def settings(self) -> Settings:
        """Without the files."""
        return Settings(**self.model_dump(include=set(Settings.model_fields)))


def project(options: dict[str, Any], toml: Path | None = None) -> Project:
    """Options over the TOML file over the defaults.

    Paths in the TOML file are relative to its folder. ConfigError where a key is unknown, a value is not allowed, or
    images or classes are not given.
    """
    values = read_toml(toml) if toml else {}
    values |= {key: value for key, value in options.items() if value is not None}
    for key in ("images", "classes"):
        if key not in values:
            raise ConfigError(
                f"no {key} given. Name them on the command line, or write {key} = ... into project.toml "
                "(clipgrip init makes one)."
            )
    return checked(Project, values, str(toml) if toml else "command line")


def checked(model: type[Any], values: dict[str, Any], where: str) -> Any:
    """The model of the values, or a ConfigError in plain words."""
    try:
        return model(**values)
    except ValidationError as error:
        raise ConfigError("\n".join(_sentence(model, e, where) for e in error.errors())) from None


def read_toml(path: Path) -> dict[str, Any]:
    """The keys of a project file, its paths made absolute."""
    try:
        values = tomllib.loads(path.read_text("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}. Check the name.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}. Mend that line.") from None
    for key in FILES:
        if isinstance(values.get(key), str):
            values[key] = path.parent / values[key]
    return values


def _sentence(model: type[BaseModel], error: Any, where: str) -> str:
    key = ".".join(map(str, error["loc"]))
    if error["type"] == "extra_forbidden":
        known = ", ".join(model.model_fields)
        return (
            f'{where}: unknown setting "{key}". Known: {known}.{nearest(key, model.model_fields)}'
        )
    allowed = get_args(model.model_fields[key].annotation) if key in model.model_fields else ()
    hint = nearest(str(error["input"]), [a for a in allowed if isinstance(a, str)])
    return f"{where}: {key} = {error['input']!r} is not allowed: {error['msg']}.{hint}"
