"""What a picture's surface and colours are like, for the watch: a new class may look as known ones do to the model.

Spectrum and colours are the plainest of what the eye "texture" sees (`texture`), at half its size and as under an
equal lamp: less light rings by itself, and must not hide behind "unlike the reference". docs/decisions/0075 says what
that finds.
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from clipgrip_line import texture
from clipgrip_line.colours import WIDTH as COLOURS
from clipgrip_line.colours import Numbers, colours

REVISION = 1
"""To be raised whenever a number changes by more than rounding: a reference holds those of its own revision."""
SIZE = 112
WIDTH = texture.RINGS * texture.DIRECTIONS + COLOURS
"""How many numbers there are of a picture."""
GREY, DARK = 0.45, 0.02
"""The mean grey that every picture is brought to; added to its own before: a black one stays dark."""


def appearance_of(picture: Image.Image) -> Numbers:
    """(WIDTH,) of an upright RGB picture, each part around zero and of a length near one."""
    # every n-th pixel, and means of four of these: a fraction of the time, however large the picture is
    some = picture.resize((2 * SIZE, 2 * SIZE), Image.Resampling.NEAREST).reduce(2)
    pixels = np.asarray(some, dtype=np.float32)
    grey = pixels @ texture.LUMA
    exposure = np.float32(GREY / (float(grey.mean()) + DARK))
    halved = pixels[::2, ::2] + pixels[1::2, ::2] + pixels[::2, 1::2] + pixels[1::2, 1::2]
    parts = texture.spectrum(exposure * grey), colours(exposure / 1020 * halved)
    return np.concatenate(parts).astype(np.float32)
