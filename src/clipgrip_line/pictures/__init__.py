"""From the bytes of a file to an upright RGB picture, and what it looks like in a few numbers."""
