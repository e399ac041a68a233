"""The state of each image of a review, and what is known of it, as arrays."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


class ImageState(IntEnum):
    """The state of an image; the only definition of the states. Pages and files write its ``word``."""

    OPEN = 0
    DECIDED = 1
    DISAGREE = 2
    UNSURE = 3
    ASKED = 4
    GIVEN = 5
    """Its label came with the run's own files."""

    @property
    def word(self) -> str:
        """The state's name in pages and exports."""
        return self.name.lower()


@dataclass(frozen=True, eq=False)
class ImageStates:
    """N images in the order of their content hashes; the arrays cannot be written."""

    state: NDArray[np.int8]
    """(N,) an `ImageState`."""
    klass: Ints
    """(N,) class id that people or files gave; -1: none."""
    audit: Mask
    """(N,) drawn at random to measure: never learned from."""
    file_label: Ints
    """(N,) class id that the run's own label files gave; -1: none."""

    def __post_init__(self) -> None:
        for values in (self.state, self.klass, self.audit, self.file_label):
            values.flags.writeable = False

    @classmethod
    def unanswered(cls, file_label: Ints) -> ImageStates:
        """Before anybody has answered."""
        state = np.where(file_label >= 0, ImageState.GIVEN, ImageState.OPEN).astype(np.int8)
        return cls(state, file_label.copy(), np.zeros(len(file_label), np.bool_), file_label)

    @property
    def labeled(self) -> Mask:
        """(N,) whether people decided an image, or the run's own files."""
        return self.among(ImageState.DECIDED, ImageState.GIVEN)

    @cached_property
    def waiting(self) -> Mask:
        """(N,) whether an image is neither answered nor drawn for the audit."""
        found: Mask = (self.state == ImageState.OPEN) & ~self.audit
        found.flags.writeable = False
        return found

    def count(self, state: ImageState) -> int:
        """How many images are in a state."""
        return int((self.state == state).sum())

    def among(self, *states: ImageState) -> Mask:
        """(N,) whether an image is in one of these states."""
        return np.isin(self.state, states)
