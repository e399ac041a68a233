"""What a picture's spectrum, grey levels and colours say of it, for the watch: a new class may look as known ones do
to the model, and yet be of another surface or colour.

The plainest of what the eye "texture" sees (`texture`), without its windows and at half its size, which a fourth of
the time is enough for. docs/decisions/0075 says what that finds.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from clipgrip_line import colours, texture
from clipgrip_line.colours import Numbers

REVISION = 1
"""To be raised whenever a number changes by more than rounding: a reference holds those of its own revision."""
SIZE = 112
WIDTH = texture.RINGS * texture.DIRECTIONS + 2 * len(texture.QUANTILES) + colours.WIDTH
"""How many numbers there are of a picture."""


def appearance_of(picture: Image.Image) -> Numbers:
    """(WIDTH,) of an upright RGB picture, each part of a length near one."""
    # every n-th pixel, and means of four of these: a fraction of the time, however large the picture is
    some = picture.resize((2 * SIZE, 2 * SIZE), Image.Resampling.NEAREST).reduce(2)
    pixels = np.asarray(some, dtype=np.float32)
    grey = pixels @ texture.LUMA
    halved = pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]
    parts = (
        texture.spectrum(grey),
        texture.LEVELS * texture.levels(grey),
        colours.colours(halved / 1020),
    )
    return np.concatenate(parts).astype(np.float32)
