"""Answers as a table, and the classifier as a notebook shows it."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipgrip.errors import MissingPackage
from clipgrip.estimator.labels import Vocabulary

MOST_SHOWN = 50
"""Classes in a notebook."""


def frame(
    probs: NDArray[Any],
    vocabulary: Vocabulary,
    names: Sequence[str] | None,
    index: Any,
    *,
    probabilities: bool,
) -> Any:
    """A pandas DataFrame with a row for each of ``probs`` (N, C), whose columns are in display order.

    MissingPackage: pandas is not installed.
    """
    try:
        import pandas as pd
    except ImportError:
        raise MissingPackage(
            "to_frame gives a pandas DataFrame, and pandas is not installed. pip install pandas"
        ) from None
    columns: dict[str, Any] = {} if names is None else {"path": list(names)}
    best = probs.argmax(axis=1)
    columns["label"] = vocabulary.names[best]
    columns["confidence"] = probs[np.arange(len(probs)), best]
    table = pd.DataFrame(columns, index=index)
    if not probabilities:
        return table
    each = pd.DataFrame(probs, index=table.index, columns=[f"p({n})" for n in vocabulary.names])
    return pd.concat([table, each], axis=1)


def classes_html(vocabulary: Vocabulary, note: str = "") -> str:
    """A note, and the classes, each with its column in predict_proba; every name is escaped."""
    rows = [
        f"<tr><td>{column}</td><td>{escape(str(value))}</td>"
        f"<td>{escape(str(vocabulary.names[vocabulary.columns[column]]))}</td></tr>"
        for column, value in enumerate(vocabulary.classes[:MOST_SHOWN].tolist())
    ]
    rest = len(vocabulary.classes) - MOST_SHOWN
    more = f"<p>and {rest} more</p>" if rest > 0 else ""
    head = "<tr><th>column of predict_proba</th><th>classes_</th><th>class name</th></tr>"
    noted = f"<p>{escape(note)}</p>" if note else ""
    return (
        f"{noted}<details><summary>{len(vocabulary.classes)} classes, in the order of predict_proba's columns</summary>"
        f"<table><thead>{head}</thead><tbody>{''.join(rows)}</tbody></table>{more}</details>"
    )
