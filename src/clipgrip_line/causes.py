"""What decoders, Python and the database say of a fault, so that it can be said in the reader's language."""

from __future__ import annotations

import re

from clipgrip_line.files import system_words
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
    mark("{reason}: line {line} column {column} (char {n})"),
    mark("Expecting value"),
    mark("Expecting property name enclosed in double quotes"),
    mark("Expecting '{letter}' delimiter"),
    mark("Extra data"),
    mark("Unterminated string starting at"),
    mark("Invalid control character at"),
    mark("Invalid \\escape"),
    mark("Invalid \\uXXXX escape"),
    mark("'{encoding}' codec can't decode byte {byte} in position {n}: {reason}"),
    mark("'{encoding}' codec can't decode bytes in position {n}: {reason}"),
    mark("invalid start byte"),
    mark("invalid continuation byte"),
    mark("unexpected end of data"),
    mark("database disk image is malformed"),
    mark("file is not a database"),
    mark("database is locked"),
    mark("database or disk is full"),
    mark("unable to open database file"),
    mark("attempt to write a readonly database"),
    mark("disk I/O error"),
    mark("no such table: {name}"),
    mark("no such column: {name}"),
    mark("File is not a zip file"),
    mark("Bad CRC-32 for file {name}"),
    mark("Bad magic number for file header"),
    mark("Incorrect padding"),
    mark("Only base64 data is allowed"),
    mark(
        "Invalid base64-encoded string: number of data characters ({n}) cannot be 1 more than a multiple of 4"
    ),
    mark("Discontinuous padding not allowed"),
    mark("string argument should contain only ASCII characters"),
    mark("line contains NUL"),
    mark("field larger than field limit ({n})"),
    mark("'{letter}' expected after '{other}'"),
    mark("truncated header"),
    mark("invalid header"),
    mark("bad checksum"),
    mark("empty file"),
    mark("Error while deserializing header: {reason}"),
    mark("Error while deserializing: {reason}"),
    mark("invalid header length"),
    mark("invalid JSON in header: {detail}"),
    mark("header too large"),
    mark("header too small"),
    mark("invalid header start"),
    mark("incomplete metadata, file not fully covered"),
    mark(
        "Parquet magic bytes not found in footer. Either the file is corrupted or this is not a parquet file."
    ),
    mark("Parquet file size is {n} bytes, smaller than the minimum file footer ({least} bytes)"),
)
"""Those that are met most, with what varies in braces; anything else stays in its words."""
INNER = "reason"
"""What varies and is a saying itself."""
TOO_DEEP = mark("maximum recursion depth exceeded")
"""Python says where, too, in many ways."""
_PATTERNS = tuple(
    (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+)", re.escape(text))), text) for text in SAYINGS
)


def cause(error: BaseException | str) -> Sentence:
    """The error as a sentence of the catalogue; else its own text, which stays as it is."""
    sentence = getattr(error, "sentence", None)
    if isinstance(sentence, Sentence):
        return sentence
    if isinstance(error, OSError) and error.strerror:
        return system_words(error)
    if isinstance(error, RecursionError):
        return Sentence(TOO_DEEP)
    text = str(error) or type(error).__name__
    for pattern, template in _PATTERNS:
        if found := pattern.fullmatch(text):
            values: dict[str, str] = found.groupdict()
            if INNER in values:
                values[INNER] = cause(values[INNER])
            return Sentence(template, **values)
    return Sentence(text)
