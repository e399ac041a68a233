"""What pages send: checked to the last key before anything is done."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

MOST_ANSWERS = 2000
"""Answers of one request."""


class Body(BaseModel):
    """What a page sends: unknown keys are refused."""

    model_config = ConfigDict(extra="forbid")


class AnswerBody(Body):
    """One answer as the browser sends it."""

    token: str = Field(min_length=8, max_length=64, pattern=r"^[\w-]+$")
    image: str = Field(min_length=64, max_length=64, pattern=r"^[0-9a-f]+$")
    verdict: Literal["class", "unsure", "ask"] = "class"
    klass: int | None = None
    purpose: Literal["review", "audit", "settle", "apart"] = "review"
    """*apart*: for a draw that is no even sample of all images, so the next round learns from it."""
    seconds: float | None = Field(None, ge=0, le=86400)


class AnswersBody(Body):
    """Answers that are kept together or not at all."""

    answers: list[AnswerBody] = Field(min_length=1, max_length=MOST_ANSWERS)


class UndoBody(Body):
    """Tokens of answers to take back."""

    tokens: list[str] = Field(min_length=1, max_length=MOST_ANSWERS)


class ClassEditBody(Body):
    """A change of the classes."""

    action: Literal["add", "edit", "merge", "split", "remove"]
    id: int = 0
    into: int = 0
    name: str = Field("", max_length=200)
    prompt: str = Field("", max_length=500)
    names: list[str] = Field([], max_length=50)


class WordsBody(Body):
    """Words to try out."""

    id: int
    name: str = Field("", max_length=200)
    prompt: str = Field("", max_length=500)


class ChoiceBody(Body):
    """The reader's name and language."""

    person: str | None = Field(None, max_length=80)
    language: Literal["en", "ja"] | None = None


class TermsBody(Body):
    """What is to be promised, in per cent."""

    max_error: float = Field(2.0, gt=0, lt=50)
    confidence: float = Field(95.0, ge=50, lt=100)
    ok: list[int] = Field([], max_length=1000)


class DrawBody(TermsBody):
    """How the random audit draws from now on."""

    kind: Literal["alike", "class", "ok", "measure"]
    planned: int = Field(100, ge=20, le=100_000)
    plan: int | None = Field(None, ge=20)
    """Answers at which a promise by a draw from all images alike is read; None: every answer as it comes."""


class EarlierBody(Body):
    """A round to go back to."""

    number: int = Field(ge=1)


class AlarmBody(Body):
    """What a person found about the alarm that rings."""

    number: int = Field(ge=1)
    verdict: Literal["fixed", "normal", "nothing"]
    note: str = Field("", max_length=500)
