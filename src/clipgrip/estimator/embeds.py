"""X as embeddings (a matrix, or several banks of the same images), and class embeddings, checked and normalised."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data
from torch import Tensor

from clipgrip.data.classes import ClassNames
from clipgrip.data.embeddings import Embeddings, is_embeddings, read_embeddings
from clipgrip.data.embedlarge import as_float32
from clipgrip.data.embedlayout import name_of_position
from clipgrip.data.embedtables import NO_EMBEDDING, table_arrays
from clipgrip.errors import DataError
from clipgrip.pseudolabel.banks import BankMap, banks_of, check_banks
from clipgrip.runs.precomputed import rows_of_classes
from clipgrip.types import ClassEmbeds, ImageEmbeds, WideEmbeds


def embeddings_file(X: Any) -> Embeddings | None:
    """The file of embeddings that X is the path of; None where it is none."""
    is_file = isinstance(X, str | os.PathLike) and is_embeddings(X)
    return read_embeddings(X) if is_file else None


def banks_of_x(X: Any) -> list[Any]:
    """The banks of a file of embeddings, an Arrow table, a DataFrame with columns of vectors, or a list of matrices.

    X itself where it is one matrix.
    """
    if (file := embeddings_file(X)) is not None:
        return [as_float32(bank) for bank in file.banks.values()]
    if callable(getattr(X, "to_pandas", None)) and hasattr(X, "column_names"):
        found = [one for one in table_arrays(X, "X", sys.maxsize).values() if one.ndim == 2]
        return found or [X.to_pandas()]
    if hasattr(X, "iloc") and hasattr(X, "columns") and len(X):
        named = [name for name in X.columns if str(name).casefold() not in NO_EMBEDDING]
        vectors = [X[name] for name in named if np.ndim(X[name].iloc[0]) == 1]
        if vectors:
            return [np.stack([np.asarray(cell) for cell in column]) for column in vectors]
    return banks_of(X)


def embeds_of(estimator: Any, X: Any, *, reset: bool) -> list[Tensor]:
    """The banks of X, each (N, ...) of unit vectors; one array, tensor or DataFrame is one bank.

    With ``reset``, in fit, the first bank's width becomes ``n_features_in_``. DataError, in scikit-learn's words: X is
    no array of numbers, or has another width than in fit.
    """
    first, *others = banks_of_x(X)
    found = [_embeds(estimator, first, reset=reset)]
    # validated alike, by a stand-in: n_features_in_ is the first bank's
    found += [_embeds(BaseEstimator(), bank, reset=True) for bank in others]
    check_banks(found)
    return found


def joined_embeds(estimator: Any, X: Any, banks: BankMap | None) -> WideEmbeds:
    """(N, W) new images in one matrix, by the map ``banks`` of a fit on several banks; None after a fit on one.

    DataError: as in `embeds_of`, or X has another number of banks than in fit.
    """
    found = embeds_of(estimator, X, reset=False)
    wanted = 1 if banks is None else len(banks.weights)
    if len(found) != wanted:
        raise DataError(
            f"X has {len(found)} banks of embeddings, and fit had {wanted}. Give the same, in the same order: an array "
            "(N, D) where it is one, a list of arrays where they are several."
        )
    return found[0] if banks is None else banks.joined(found)


def _embeds(estimator: Any, X: Any, *, reset: bool) -> ImageEmbeds:
    if isinstance(X, str | os.PathLike):
        raise DataError(
            'X is a path, and backbone="embeddings" takes an array (N, D), or a file of embeddings (.npz, .npy, '
            ".parquet, .arrow). Name a model as backbone where it is a folder of images."
        )
    if callable(getattr(X, "detach", None)):
        X = X.detach().cpu().float().numpy()
    try:
        array = validate_data(estimator, X, reset=reset, dtype=[np.float64, np.float32])
    except ValueError as error:
        raise DataError(str(error)) from None
    return F.normalize(torch.tensor(array), dim=-1)


def class_vectors(class_embeds: Any, names: ClassNames | None, width: int) -> ClassEmbeds:
    """(C, D) unit vectors.

    DataError: another shape than the class names and X ask for, rows in another order, or no direction in a row.
    """
    n_classes = None if names is None else len(names)
    if callable(getattr(class_embeds, "detach", None)):
        class_embeds = class_embeds.detach().cpu().float().numpy()
    called = (
        [str(name) for name in getattr(class_embeds, "index", ())]
        if hasattr(class_embeds, "iloc")
        else []
    )
    if names is not None and called != list(names.display) and set(called) == set(names.display):
        raise DataError(
            f"the rows of class_embeds are called {', '.join(called[:12])}, and class_names has another order. Give "
            "class_embeds.loc[class_names]."
        )
    try:
        array = np.asarray(class_embeds, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"class_embeds is no array of numbers: {error}. Give (C, D).") from None
    wanted = (array.shape[0] if n_classes is None and array.ndim else n_classes, width)
    if array.shape != wanted or not np.isfinite(array).all() or not array.any(axis=1).all():
        raise DataError(
            f"class_embeds has shape {array.shape}; allowed is {wanted} with finite values: one row for each of "
            "class_names, in that order, as wide as X, and none of zeros alone."
        )
    return F.normalize(torch.tensor(array), dim=-1)


def beside_embeds(
    X: Any, y: Any, names: ClassNames | None, class_embeds: Any, logit_scale: float
) -> tuple[Any, ClassNames | None, Any, float]:
    """Labels, class names, class embeddings and logit scale: as they were given, else from the file that X is.

    Labels of the file's test rows are left out.
    """
    file = embeddings_file(X)
    if file is None:
        return y, names, class_embeds, logit_scale
    if y is None and file.labels:
        tests = file.test or (False,) * len(file.labels)
        y = ["" if test else one for one, test in zip(file.labels, tests, strict=True)]
        if names is not None:
            y = [name_of_position(one, names.display) for one in y]
    if class_embeds is None and file.class_embeds is not None:
        class_embeds, logit_scale = file.class_embeds, file.logit_scale
        if names is None and file.class_names:
            names = ClassNames(file.class_names, file.class_names)
        elif names is not None and file.class_names:
            class_embeds = class_embeds[
                rows_of_classes(file.path, names, file.class_names, len(class_embeds))
            ]
    return y, names, class_embeds, logit_scale
