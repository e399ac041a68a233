"""The settings of a run, from TOML and the command line: validated once, then immutable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    field_validator,
    model_serializer,
)

from clipgrip.allowed import checked as checked
from clipgrip.allowed import unknown_setting
from clipgrip.data.text import check_encoding
from clipgrip.errors import ClipgripError, ConfigError
from clipgrip.project_file import read_lists, read_toml, whole_path
from clipgrip.sentences import Sentence, combined, mark

Strategy = Literal["zero-shot", "supervised", "fpl", "ifpl", "grip"]
Preset = Literal["default", "paper"]
Prompt = Literal["textual", "visual", "visual-deep", "multimodal"]
Candidates = Literal["auto", "all"]
Precision = Literal["auto", "float32", "bfloat16"]
Engine = Literal["torch", "onnx", "onnx-int8", "auto"]


def setting(
    default: Any = ...,
    help: str = "",
    *,
    otherwise: str = "",
    example: str = "",
    option: bool = True,
    **bounds: int,
) -> Any:
    """Declare a setting; options, the file of ``clipgrip init`` and the documentation are generated from it.

    Args:
        default: its value unless given; ``...`` makes it required.
        help: one sentence for people.
        otherwise: what happens if it is not given, where the default does not say it.
        example: TOML for the file of ``clipgrip init``, commented out there; without one the default is written.
        option: whether the command line has it too, and not only the project file.
        bounds: ``ge`` and ``le`` of a number.
    """
    more = {"otherwise": otherwise, "example": example, "option": option}
    return Field(default, description=help, json_schema_extra=more, **bounds)  # type: ignore[call-overload]


class Settings(BaseModel):
    """Everything that determines the result beside the data: equal settings on equal data are one run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    backbone: str = setting("nano", "Model that sees the images: nano, a hub name, or a folder.")
    prompt: Prompt = setting("textual", "What is tuned.")
    strategy: Strategy = setting("grip", "How labels are found and learned from.")
    preset: Preset = setting("default", "paper: the constants of the NeurIPS 2023 paper.")
    rounds: int | None = setting(
        None,
        "Rounds of ifpl and grip; with labels one, where they show no gain from more.",
        otherwise="10",
        example="10",
        ge=1,
        le=1000,
    )
    k: int | None = setting(
        None,
        "Take only the surest images of each class: k, in grip growing to k.",
        otherwise="all, softly; paper: 16",
        example="16",
        ge=1,
    )
    seed: int = setting(0, "Seed of all that is random.", ge=0, le=2**31 - 1)
    template: str | tuple[str, ...] = setting(
        "a photo of a {}.",
        "Text around a class name. Several, or @FILE with one a line: zero-shot takes their mean, tuning starts from "
        "the first.",
    )
    candidates: Candidates = setting(
        "auto",
        "all: unlabeled images may be of any class, even where only some classes have labels.",
        example='"all"',
    )
    may_occur: str | tuple[str, ...] | None = setting(
        None,
        "Classes of the list that these images may be of: A,B, or @FILE with one a line. The others stay in the model, "
        "for other images. May be given several times.",
        otherwise="all",
        example='["screw", "nut"]',
    )
    precision: Precision = setting(
        "auto", mark("Numbers that the model computes with."), example='"float32"', option=False
    )
    engine: Engine = setting(
        "auto",
        "What encodes images: auto is the faster of torch and onnx here, and the engine of a run that lies in the "
        "folder already; onnx needs pip install 'clipgrip[onnx]'. See clipgrip doctor.",
        example='"onnx"',
    )
    eye: str | tuple[str, ...] = setting(
        (),
        "What sees the images beside the model: texture, a vision model by name or folder, or auto, all that is here. "
        "May be given several times.",
        otherwise="none",
        example='["auto"]',
    )
    refinement: dict[str, Any] = Field(default_factory=dict)
    """The table [refinement]: values that replace those of the method's ``pseudolabel.Refinement``."""

    @field_validator("template", mode="before")
    @classmethod
    def _has_placeholder(cls, template: Any) -> str | tuple[str, ...]:
        if isinstance(template, str) and template.count("{}") == 1:
            return template
        parts = [template] if isinstance(template, str) else template
        if not isinstance(parts, list | tuple) or not all(isinstance(one, str) for one in parts):
            raise ConfigError(
                'template = {template} is not allowed. Give a text such as "a photo of a {{}}.", several '
                'of them, or "@FILE", a file with one a line.',
                template=f"{template!r}",
            )
        from clipgrip.template_files import expand  # imports torch, so only where it is needed

        return expand(parts)

    @model_serializer(mode="wrap")
    def _as_older_versions(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Leave out settings that older versions did not have while they have the older behaviour.

        So the ids of older runs stay the same (`runs.identity`).
        """
        values: dict[str, Any] = serialize(self)
        defaults_before: dict[str, Any]
        defaults_before = {"engine": "torch", "eye": (), "refinement": {}, "may_occur": None}
        return {
            k: v for k, v in values.items() if k not in defaults_before or v != defaults_before[k]
        }

    @field_validator("may_occur")
    @classmethod
    def _names_some(cls, may_occur: str | tuple[str, ...] | None) -> tuple[str, ...] | None:
        """Names, or what is cut at its commas once the classes are known."""
        if may_occur is None:
            return None
        names = (may_occur,) if isinstance(may_occur, str) else may_occur
        if not names or not all(name.strip() for name in names):
            raise ConfigError(
                mark(
                    "may_occur names no class. Name at least one, or leave it away: then all may occur."
                )
            )
        return names

    @field_validator("eye")
    @classmethod
    def _each_once(cls, eye: str | tuple[str, ...]) -> tuple[str, ...]:
        """The names without repetitions; folders with absolute paths."""
        names = (eye,) if isinstance(eye, str) else eye
        if not all(name.strip() for name in names):
            raise ConfigError(
                mark('eye = "" names nothing. Give texture, auto, a model or a folder.')
            )
        return tuple(dict.fromkeys(whole_path(name) for name in names))

    @field_validator("refinement")
    @classmethod
    def _known_numbers(cls, refinement: dict[str, Any]) -> dict[str, Any]:
        if refinement:  # imports torch, so only where it is needed
            from clipgrip.pseudolabel.refine.settings import DEFAULT

            DEFAULT.with_values(refinement)
        return refinement

    @field_validator("rounds", "k", "seed", mode="before")
    @classmethod
    def _is_no_truth_value(cls, value: Any) -> Any:
        if type(value) is bool:  # which Python accepts as 0 or 1
            raise ValueError
        return value

    @field_validator("backbone")
    @classmethod
    def _full_path(cls, backbone: str) -> str:
        """The absolute path of a folder, so that the run can be reopened from anywhere."""
        if not backbone.strip():
            raise ValueError
        return whole_path(backbone)


class Project(Settings):
    """The settings and the files that they apply to."""

    images: Path = setting(
        help="Folder of images, read to the bottom; a CSV or Parquet file that lists or holds them; tar files; a URL "
        "such as s3://bucket/folder; or a file of their embeddings (.npz, .npy, .parquet, .arrow)."
    )
    classes: Path | None = setting(
        None,
        "Class names: one a line, or CSV name,prompt: what people read, and what the model reads. A file of "
        "embeddings may hold them itself.",
        otherwise="those in the file of embeddings",
    )
    class_embeds: Path | None = setting(
        None,
        "Only with embeddings: the classes' own, of texts or of one image each (.npz, .npy, .parquet, .arrow).",
        otherwise="those in the file of embeddings",
        example='"texts.npz"',
    )
    labels: Path | None = setting(
        None, "Known labels: CSV path,label, or class folders.", example='"labels.csv"'
    )
    seen: Path | None = setting(
        None, "Classes whose images are all labeled, one a line.", example='"seen.txt"'
    )
    test: Path | None = setting(
        None,
        "Images to measure on, never to learn from: CSV path,label, or class folders.",
        example='"test.csv"',
    )
    out: Path | None = setting(
        None, "Folder for the results.", otherwise="clipgrip-runs/NAME", example='"clipgrip-run"'
    )
    encoding: str | None = setting(
        None,
        "Encoding of the text files, such as cp932, gbk or cp1252.",
        otherwise="UTF-8, else cp932",
        example='"cp932"',
    )
    ignore_folders: bool = setting(
        False, "Do not take images in folders named like classes as labeled by them."
    )

    @field_validator("encoding")
    @classmethod
    def _known_encoding(cls, encoding: str | None) -> str | None:
        return None if encoding is None else check_encoding(encoding)

    @property
    def settings(self) -> Settings:
        """The settings alone."""
        return Settings(**{name: getattr(self, name) for name in Settings.model_fields})


def project(options: dict[str, Any], toml: Path | None = None) -> Project:
    """The project from ``options``, else the TOML file, else the defaults.

    Paths in the TOML file are relative to its folder. ConfigError where a key is unknown, a value is not allowed, or
    images or classes are not given.
    """
    given = {key: value for key, value in options.items() if value is not None}
    values = (read_toml(toml) if toml else {}) | given
    here = Sentence("command line")

    def where(key: str) -> str:
        return str(toml) if toml and key not in given else here

    if not values.keys() <= Project.model_fields.keys():
        raise _unknown_settings(values, where)
    for key, option in (("images", "IMAGES"), ("classes", "--classes FILE")):
        if key not in values and not (key == "classes" and _may_name_classes(values["images"])):
            raise ConfigError(
                "no {key} given. Give {option} on the command line, or write {key} = ... into "
                "project.toml (clipgrip init makes one).",
                key=key,
                option=option,
            )
    values |= read_lists(values)
    return checked(Project, values, where)


def _unknown_settings(values: dict[str, Any], where: Callable[[str], str]) -> ConfigError:
    """The error for unknown settings, together with other wrong values; missing ones are reported later."""
    known = {key: value for key, value in values.items() if key in Project.model_fields}
    unknown = sorted(values.keys() - known.keys())[:20]  # there may be thousands
    found = [unknown_setting(where(key), key, Project) for key in unknown]
    try:
        checked(Project, {"images": "images", **known}, where)
    except ClipgripError as error:
        found.append(error.sentence)
    return ConfigError(combined(sorted(found), "\n"))


def _may_name_classes(images: Any) -> bool:
    """Whether the classes may come from the images: embeddings may name them. No path at all is refused later."""
    from clipgrip.data.embeddings import is_embeddings  # imports numpy, so only where it is needed

    return not isinstance(images, str | Path) or is_embeddings(images)
