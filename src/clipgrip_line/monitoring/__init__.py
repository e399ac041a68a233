"""The watch of a model at work, shared by `serve` and `watch`: images are bet on, and a broken promise falls."""
