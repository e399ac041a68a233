"""Labels that scikit-learn has encoded as numbers on their way to ``fit``.

``cross_val_predict(method="predict_proba")``, ``VotingClassifier`` and ``StackingClassifier`` silently replace the
labels by their positions among the sorted values of y before they call ``fit``. A person's numbers are positions in
``class_names``, which may be in another order. To tell the two apart, the ``LabelEncoder`` is looked up in the call
stack. Where it cannot be there (worker processes, ``n_jobs=2``), numbers that may mean two things are refused.
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
"""Functions of scikit-learn that call ``fit`` with encoded labels in a process that does not have the encoder."""
SURE = 0.001
"""Significance level at which labels seem to count in alphabetical order."""
_COLUMNS = ("predict_proba", "predict_log_proba", "decision_function")


def values_behind(numbers: NDArray[np.int64], names: tuple[str, ...]) -> NDArray[Any] | None:
    """The values that scikit-learn encoded as ``numbers`` (without -1), by position; None if a person gave numbers.

    DataError: scikit-learn may have encoded them, and then they may mean other classes than positions in ``names``.
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
    """A UserWarning if labels (N,) agree with ``answers`` (N,) significantly better as positions in alphabetical order.

    That is ``LabelEncoder``'s order. Tested by a sign test over the labels where only one of the two orders agrees.
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
