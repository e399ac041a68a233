"""clipgrip: images, class names and few or no labels become a classifier to trust."""

__version__ = "0.1.0"
