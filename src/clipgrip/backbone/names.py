"""Reserved names of models, which no folder and no added model can have."""

NANO = "nano"
"""The small CLIP in the package."""
TEXTURE = "texture"
"""The eye in the package."""
AUTO = "auto"
"""As an eye: every one that is on this machine."""
EMBEDDINGS = "embeddings"
"""As the model of a run: precomputed embeddings in a file."""
RESERVED = (NANO, TEXTURE, AUTO, EMBEDDINGS)
