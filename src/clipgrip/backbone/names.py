"""Names that stand in the place of a model's and are never a folder's nor an added model's."""

NANO = "nano"
"""The small CLIP in the package."""
TEXTURE = "texture"
"""The eye that ships."""
AUTO = "auto"
"""In the place of an eye: every one that is on this machine."""
EMBEDDINGS = "embeddings"
"""In the place of a model: a file of embeddings."""
RESERVED = (NANO, TEXTURE, AUTO, EMBEDDINGS)
