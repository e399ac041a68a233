"""What a picture's colours say: under white light, as they are, and how they change from place to place.

Lamps warm up and age, so colours are read as they would be under white light: each channel over its bright end (a
white patch; van de Weijer et al., IEEE TIP 2007, compare such estimates). A picture that is all of one colour has no
other left then, so a coarser histogram of the colours as they are stands beside it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from clipgrip_line.spectra import band_energies

Numbers = np.ndarray[Any, np.dtype[np.floating[Any]]]
BINS, PLAIN_BINS, SATURATIONS, RINGS = 8, 5, 6, 5
WIDTH = BINS**2 + PLAIN_BINS**2 + SATURATIONS**2 + 2 * RINGS
"""How many numbers there are of a picture."""
BRIGHT = 0.9
"""The share of a channel's values that lie below its bright end."""
DARK = 0.02
"""Added to that end: of a black picture nothing is brought to white."""
LIMIT, NEAR_GREY = 0.25, 0.05
"""Where the two axes of colour end, and up to where they are divided evenly: grey is divided more finely."""
MOST_SATURATED, NEAR_PALE = 0.8, 0.1
"""The same of saturation."""
TYPICAL = np.array([-5.5, -6.5, -7.5, -8.8, -10.2])
"""Log energy of an axis of colour, by ring, in an ordinary picture: only what keeps all numbers around zero."""
FLOOR = 1e-5


def colours(picture: Numbers) -> Numbers:
    """(WIDTH,) of a picture (H, H, 3) of float32 from 0 to 1."""
    white = whitened(picture)
    across, along, light = opponents(white)
    saturation = np.hypot(across, along) / (light + 0.05)
    pale = np.log1p(saturation / NEAR_PALE) / np.log1p(MOST_SATURATED / NEAR_PALE)
    red_green, yellow_blue, _ = opponents(picture)
    parts = (
        (0.8, _shares(_bent(across), _bent(along), BINS)),
        (0.8, _shares(_bent(red_green), _bent(yellow_blue), PLAIN_BINS)),
        (0.8, _shares(pale, light / (2 * light.mean() + 1e-3), SATURATIONS)),
        (0.26, _changes(across, along)),
    )
    return np.concatenate([weight * part for weight, part in parts])


def whitened(picture: Numbers) -> Numbers:
    """The same as under white light: the bright end of each channel is brought to their mean."""
    channels = np.ascontiguousarray(picture.reshape(-1, 3).T)
    place = int(BRIGHT * (channels.shape[1] - 1))
    bright = np.partition(channels, place, axis=1)[:, place] + DARK
    return picture * (bright.mean() / bright).astype(np.float32)


def opponents(picture: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Red against green, yellow against blue, and brightness."""
    red, green, blue = picture[..., 0], picture[..., 1], picture[..., 2]
    both = red + green
    return (red - green) / 2**0.5, (both - 2 * blue) / 6**0.5, (both + blue) / 3


def _changes(across: Numbers, along: Numbers) -> Numbers:
    """Log energy of either axis of colour, by ring."""
    energy = band_energies(np.stack([across, along]), RINGS, 1, FLOOR)
    return ((energy - TYPICAL) / (1.7 * (2 * RINGS) ** 0.5)).ravel()


def _bent(axis: Numbers) -> Numbers:
    """Where a value of an axis lies, from 0 to 1; grey is 0.5."""
    size = np.log1p(np.abs(axis) / NEAR_GREY) / np.log1p(LIMIT / NEAR_GREY)
    return 0.5 + 0.5 * np.copysign(size, axis)


def _shares(rows: Numbers, columns: Numbers, bins: int) -> Numbers:
    """Square roots of shares; each pixel counts for its four nearest bins."""
    row, below = _places(rows, bins)
    column, right = _places(columns, bins)
    first = row * bins + column
    found = np.zeros(bins**2)
    for step, share in ((0, 1 - below), (bins, below)):
        for more, part in ((0, 1 - right), (1, right)):
            found += np.bincount(first + (step + more), share * part, bins**2)
    return np.sqrt(found / len(first))


def _places(values: Numbers, bins: int) -> tuple[np.ndarray[Any, np.dtype[np.intp]], Numbers]:
    """The lower of the two nearest bins, and how far a value lies towards the other."""
    place = np.clip(values.ravel(), 0, 1) * (bins - 1)
    lower = np.minimum(place.astype(np.intp), bins - 2)
    return lower, place - lower
