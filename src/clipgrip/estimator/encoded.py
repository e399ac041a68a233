"""Labels that scikit-learn has numbered on their way to ``fit``.

``cross_val_predict(method="predict_proba")``, ``VotingClassifier`` and ``StackingClassifier`` replace the labels by
their positions among the sorted values of y before they call ``fit``, without a word. A person's are positions in
``class_names``, another order, so these must be told apart: the encoder is looked up in the calls under way, and where
it cannot be seen (other processes, ``n_jobs=2``) numbers that may mean two things are refused.
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.preprocessing import LabelEncoder

from clipgrip.errors import DataError

_IN_WORKERS = ("_fit_and_predict", "_fit_single_estimator", "_parallel_fit_estimator")
"""What of scikit-learn calls ``fit`` with numbered labels, in a process that does not have the encoder."""
SURE = 0.001
"""The chance at which positions in one order look like positions in the other."""
_COLUMNS = ("predict_proba", "predict_log_proba", "decision_function")


def values_behind(numbers: NDArray[np.int64], names: tuple[str, ...]) -> NDArray[Any] | None:
    """The sorted values that ``numbers`` (-1 left out) count, where scikit-learn numbered them; None: a person did.

    DataError: scikit-learn may have numbered them, and that may mean other classes than ``names`` by position.
    """
    values: NDArray[Any] | None = None
    for encoder in (
        _encoders()
    ):  # from the innermost call outward; each numbered what the next one had numbered
        known = encoder.classes_
        if known.dtype.kind not in "iuf":
            return known if values is None else known[values]
        if not np.array_equal(known, np.arange(len(known))):
            raise _ambiguous(names)
        values = known if values is None else values
    alike = list(names) == sorted(names) and (numbers == len(names) - 1).any()
    if values is None and not alike and _in_a_worker():
        raise _ambiguous(names)
    return None


def warn_of_other_order(
    names: Sequence[str], labels: NDArray[np.int64], answers: NDArray[np.int64]
) -> None:
    """A UserWarning where a person's positions (N,) agree with ``answers`` only if they count in alphabetical order.

    That is how ``LabelEncoder`` counts. The sign test over the labels that speak for one of the two must be clear.
    """
    alphabetical = np.argsort(np.array(names), kind="stable")
    labels, answers = labels[labels >= 0], answers[labels >= 0]
    as_given, sorted_ = answers == labels, answers == alphabetical[labels]
    fewer, more = int((as_given & ~sorted_).sum()), int((sorted_ & ~as_given).sum())
    if more > fewer and binomtest(more, more + fewer).pvalue < SURE:
        warnings.warn(
            f'y holds positions in class_names, where 0 is "{names[0]}", and {as_given.sum()} of {len(labels)} agree '
            f'with what the model sees; in alphabetical order, where 0 is "{min(names)}", {sorted_.sum()} would. '
            "LabelEncoder counts in alphabetical order. Give the names themselves in y.",
            stacklevel=2,
        )


def _encoders() -> Iterator[LabelEncoder]:
    seen: set[int] = set()
    for frame in _calls_of_sklearn():
        values = [
            *frame.f_locals.values(),
            *getattr(frame.f_locals.get("self"), "__dict__", {}).values(),
        ]
        for value in values:
            fitted = isinstance(value, LabelEncoder) and hasattr(value, "classes_")
            if fitted and id(value) not in seen:
                seen.add(id(value))
                yield value


def _in_a_worker() -> bool:
    for frame in _calls_of_sklearn():
        if frame.f_code.co_name in _IN_WORKERS:
            return frame.f_locals.get("method", _COLUMNS[0]) in _COLUMNS
    return False


def _calls_of_sklearn() -> Iterator[FrameType]:
    frame = inspect.currentframe()
    while frame is not None:
        if str(frame.f_globals.get("__name__", "")).startswith("sklearn."):
            yield frame
        frame = frame.f_back


def _ambiguous(names: tuple[str, ...]) -> DataError:
    return DataError(
        f'y holds numbers that scikit-learn may have made: 0 may mean "{names[0]}", the first of class_names, or the '
        f'first in alphabetical order, "{min(names)}". Give class names in y, and leave n_jobs away.'
    )
