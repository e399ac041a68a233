"""Shapes with their letters, written once.

N images, C classes, D embedding, B batch, M models, P prompt length, L tokens, E token width.
"""

from __future__ import annotations

from jaxtyping import Bool, Float, Int
from torch import Tensor

ImageEmbeds = Float[Tensor, "N D"]
"""Unit vectors, one per image."""
WideEmbeds = Float[Tensor, "N W"]
"""Image embeddings of one or several banks side by side; texts share a space with the first D columns."""
ClassEmbeds = Float[Tensor, "C D"]
"""Unit vectors, one per class."""
Logits = Float[Tensor, "N C"]
"""Scaled cosine similarities."""
Probs = Float[Tensor, "N C"]
"""Rows sum to one."""
SomeProbs = Float[Tensor, "n c"]
"""Of some images over some classes; rows sum to one."""
Labels = Int[Tensor, " N"]
"""Class positions; -1 means unlabeled."""
Mask = Bool[Tensor, " C"]
"""A set of classes."""
RowMask = Bool[Tensor, " N"]
"""A set of images."""
TokenEmbeds = Float[Tensor, "P E"]
"""Vectors in the text tower's token space."""
