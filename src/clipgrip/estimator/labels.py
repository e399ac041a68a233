"""What y says: names or numbers in, positions of classes out; nothing is guessed."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.data.classes import UNLABELED_MARKS, ClassNames, canonical
from clipgrip.errors import DataError, nearest
from clipgrip.estimator.encoded import values_behind, warn_of_other_order
from clipgrip.types import Labels, Probs

Value = str | int | None
"""A class name, a number, or nothing."""
ALLOWED = (
    "Give class names, or positions in class_names; -1, None, NaN or an empty text is unlabeled."
)


@dataclass(frozen=True)
class Vocabulary:
    """The classes as they are shown, and as y and the answers call them.

    ``names`` (C,) are in display order. ``classes`` is sorted as scikit-learn wants it: column i of predict_proba is
    ``classes[i]``, which is the class at position ``columns[i]`` of ``names``.
    """

    names: NDArray[Any]
    classes: NDArray[Any]
    columns: NDArray[np.int64]
    from_y: bool = False
    """Nobody gave class names, so a later label may be of a class that was not there to be learned."""

    @classmethod
    def of_names(cls, names: Sequence[str]) -> Vocabulary:
        """Answers are names."""
        classes, columns = np.unique(np.array(names), return_index=True)
        return cls(np.array(names), classes, columns.astype(np.int64))

    @classmethod
    def of_positions(cls, names: Sequence[str]) -> Vocabulary:
        """Answers are positions in ``names``."""
        positions = np.arange(len(names))
        return cls(np.array(names), positions, positions)

    @classmethod
    def of_values(cls, values: NDArray[Any]) -> Vocabulary:
        """Answers are the sorted values that y holds."""
        return cls(values, values, np.arange(len(values)), True)

    @property
    def by_name(self) -> bool:
        """Whether answers are names."""
        return self.classes.dtype.kind == "U"

    def ordered(self, probs: NDArray[Any]) -> NDArray[Any]:
        """(N, C) in the order of ``classes`` from display order; rows sum to one where some names are left out."""
        chosen = probs[:, self.columns]
        if len(self.columns) == len(self.names):
            return chosen
        return chosen / np.maximum(chosen.sum(axis=1, keepdims=True), np.finfo(chosen.dtype).tiny)

    def compare(self, labels: Labels, probs: Probs) -> None:
        """Warn of labels (N,) that were counted in another order, by the untuned model's answers (N, C)."""
        counted = not self.by_name and not self.from_y
        if counted and np.array_equal(self.columns, np.arange(len(self.names))):
            warn_of_other_order(self.names.tolist(), labels.numpy(), probs.argmax(dim=1).numpy())

    def positions(self, y: Any) -> NDArray[np.int64]:
        """Position in ``names`` of each label; -1 is unlabeled, and C a class that y alone would have brought.

        DataError: a label is no class.
        """
        values = read(y)
        return np.array([self._position(n, value) for n, value in enumerate(values)], np.int64)

    def _position(self, number: int, value: Value) -> int:
        if value is None:
            return -1
        if isinstance(value, int) and self.by_name and not self.from_y:
            return _in_range(number, value, len(self.names))
        known = self.names if isinstance(value, str) else self.classes
        alike = isinstance(known[0].item(), type(value))
        found = np.flatnonzero(known == value).tolist() if alike else []
        if len(found):
            return int(found[0] if isinstance(value, str) else self.columns[found[0]])
        if self.from_y and isinstance(value, str) == self.by_name:
            return len(self.names)
        raise _unknown(number, value, self.names.tolist())


@dataclass(frozen=True)
class Target:
    """Labels (N,) as positions in the vocabulary's names, -1 for unlabeled."""

    labels: NDArray[np.int64]
    vocabulary: Vocabulary


def unlabeled(n_images: int, vocabulary: Vocabulary) -> Target:
    """Nobody has said anything."""
    return Target(np.full(n_images, -1, np.int64), vocabulary)


def read_target(y: Any, names: ClassNames | None, n_images: int) -> Target:
    """Read the y of a fit. Without ``names`` the classes are the values of y.

    DataError: y is not one label for each image, a label is no class, or names and numbers are mixed.
    """
    values = read(y)
    if len(values) != n_images:
        raise DataError(f"{len(values)} labels in y for {n_images} images in X. Give one for each.")
    kinds = {type(value) for value in values if value is not None}
    if kinds == {str, int}:
        raise DataError(f"y mixes {_example(values, str)} and {_example(values, int)}. {ALLOWED}")
    if names is None:
        return _from_y(values)
    if kinds == {int}:
        return _numbers(values, names)
    vocabulary = Vocabulary.of_names(names.display)
    return Target(
        np.array([vocabulary._position(*one) for one in enumerate(values)], np.int64), vocabulary
    )


def read(y: Any) -> list[Value]:
    """The labels of a list, an array, a tensor, or a pandas Series or Categorical, one by one.

    DataError: y is one value or a table, or a label is neither a name, a whole number nor missing.
    """
    if callable(getattr(y, "detach", None)) and hasattr(y, "cpu"):
        y = y.detach().cpu().numpy()
    if isinstance(y, str | bytes | dict | set) or not (
        hasattr(y, "__len__") or hasattr(y, "__array__")
    ):
        raise DataError(f"y is {_shown(y)}, not one label for each image. {ALLOWED}")
    items = [_plain(value) for value in y] if isinstance(y, Sequence) else y
    values = _column(np.asarray(items, dtype=object)).tolist()
    return [_value(number, _plain(value)) for number, value in enumerate(values)]


def _plain(value: Any) -> Any:
    """A scalar of numpy or torch as Python's."""
    scalar = callable(getattr(value, "item", None)) and getattr(value, "ndim", None) == 0
    return value.item() if scalar else value


def _column(array: NDArray[Any]) -> NDArray[Any]:
    if array.ndim == 1:
        return array
    if array.ndim == 2 and array.shape[1] == 1:
        advice = "It is a column of a table: give y.ravel(), or of a DataFrame the column itself, df[name]."
    else:
        advice = "Where it is one-hot, give y.argmax(axis=1), if its columns are in the order of class_names."
    raise DataError(
        f"y should be a 1d array, got an array of shape {array.shape} instead. {advice}"
    )


def _value(number: int, value: Any) -> Value:
    if _missing(value):
        return None
    if isinstance(value, str):
        name = canonical(value)
        return None if name in UNLABELED_MARKS else name
    whole = isinstance(value, Integral) or (isinstance(value, Real) and float(value).is_integer())
    if not whole or isinstance(value, bool):
        # scikit-learn's first words, which its own checks look for
        raise DataError(f"Unknown label type: label {number} is {_shown(value)}. {ALLOWED}")
    return None if int(value) == -1 else int(value)


def _missing(value: Any) -> bool:
    """None, NaN, and pandas's NA and NaT, which only pandas can tell; what is not imported has made no value."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return True
    pandas = sys.modules.get("pandas")
    return pandas is not None and (value is pandas.NA or value is pandas.NaT)


def _from_y(values: list[Value]) -> Target:
    known = [value for value in values if value is not None]
    if len(set(known)) < 2:
        what = f"only one class, {_shown(known[0])}" if known else "no label"
        raise DataError(
            f"y holds {what}, and class_names is not given. Give labels of two classes at least, or class_names."
        )
    classes = np.unique(np.array(known))
    place = {value: number for number, value in enumerate(classes.tolist())}
    labels = [-1 if value is None else place[value] for value in values]
    return Target(np.array(labels, np.int64), Vocabulary.of_values(classes))


def weights_of(given: Any, known: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(n,) ``sample_weight`` (N,) of the images that are ``known`` (N,), or ones.

    DataError: not one number from 0 on for each image, or all are 0.
    """
    if given is None:
        return np.ones(int(known.sum()))
    try:
        weights = np.asarray(given, dtype=np.float64)
    except (TypeError, ValueError):
        weights = np.empty(0)
    fits = weights.shape == known.shape and bool((np.isfinite(weights) & (weights >= 0)).all())
    if not fits or not weights[known].any():
        raise DataError(
            f"sample_weight is {_shown(given)}. Give a number from 0 on for each of the {len(known)} images, and more "
            "than 0 for one that has a label."
        )
    return weights[known]


def class_names_of(given: Any, encoding: str | None = None) -> ClassNames | None:
    """The parameter ``class_names``: None as it is, a list, array, Series or file of names, or a `ClassNames`.

    DataError: a name is no text; or as `ClassNames`.
    """
    if given is None or isinstance(given, ClassNames | str | os.PathLike):
        return None if given is None else ClassNames.of(given, encoding)
    if isinstance(given, dict | set | frozenset):
        raise DataError(
            f"class_names is a {type(given).__name__}, and the order of classes matters. Give a list of the names."
        )
    names = [_plain(name) for name in given]
    wrong = [name for name in names if not isinstance(name, str)]
    if wrong:
        raise DataError(f"class_names holds {_shown(wrong[0])}, which is no text. Give texts.")
    return ClassNames.of(names)


def _numbers(values: list[Value], names: ClassNames) -> Target:
    for value in {value for value in values if value is not None}:
        if str(value) in names and names.index(str(value)) != value:
            raise DataError(
                f'y holds the number {value}, and "{value}" is a class, but not the one at position {value} of '
                "class_names. Give texts in y."
            )
    numbers = np.array([-1 if value is None else value for value in values], np.int64)
    behind = values_behind(numbers, names.display)
    if behind is None:
        for number, value in enumerate(numbers.tolist()):
            _in_range(number, value, len(names))
        return Target(numbers, Vocabulary.of_positions(names.display))
    if any(canonical(str(name)) in UNLABELED_MARKS for name in behind):
        raise DataError(
            "scikit-learn has numbered the labels in y, and took those that mean unlabeled for a class. "
            "Leave the unlabeled images out of this call."
        )
    columns = np.array([names.index(str(name)) for name in behind], np.int64)
    labels = np.where(numbers < 0, -1, columns[numbers])
    return Target(labels, Vocabulary(np.array(names.display), np.arange(len(behind)), columns))


def _in_range(number: int, value: int, n_classes: int) -> int:
    if not -1 <= value < n_classes:
        raise DataError(
            f"label {number} is {value}, and positions in class_names go from 0 to {n_classes - 1}. {ALLOWED}"
        )
    return value


def _unknown(number: int, value: Value, names: list[Any]) -> DataError:
    texts = [str(name) for name in names]
    more = f" and {len(texts) - 12} more" if len(texts) > 12 else ""
    return DataError(
        f"label {number}: unknown label {_shown(value)}. Known: {', '.join(texts[:12])}{more}."
        f"{nearest(str(value), texts)} Correct the label, or add the class."
    )


def _example(values: list[Value], kind: type) -> str:
    what = "names" if kind is str else "numbers"
    return f"{what} ({_shown(next(v for v in values if type(v) is kind))})"


def _shown(value: Any) -> str:
    text = f'"{value}"' if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
