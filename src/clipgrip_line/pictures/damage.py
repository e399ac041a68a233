"""What decoders say of damaged pictures, so that it can be said in the reader's language."""

from __future__ import annotations

import re

from clipgrip_line.sentences import Sentence, mark

SAYINGS = (
    mark("image file is truncated"),
    mark("image file is truncated ({n} bytes not processed)"),
    mark("broken data stream when reading image file"),
    mark("unrecognized data stream contents when reading image file"),
    mark("decoder error {n} when reading image file"),
    mark("buffer overrun when reading image file"),
    mark("Truncated File Read"),
    mark("cannot identify image file"),
    mark("not identified by this driver"),
    mark("could not create decoder object"),
    mark("Failed to decode image: {reason}"),
    mark("Missing dimensions"),
    mark("broken PNG file"),
    mark("broken PNG file ({reason})"),
    mark("no more images in GIF file"),
    mark("no marker found"),
    mark("unpack requires a buffer of {n} bytes"),
)
"""Pillow's that are met most, with what varies in braces; anything else stays in its words."""
_PATTERNS = tuple(
    (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(text))), text) for text in SAYINGS
)


def decoder_words(text: str) -> Sentence:
    """The sentence of the catalogue, else the text as it is."""
    for pattern, template in _PATTERNS:
        found = pattern.fullmatch(text)
        if found is not None:
            return Sentence(template, **found.groupdict())
    return Sentence(text)
