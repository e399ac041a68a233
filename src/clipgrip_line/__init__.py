"""clipgrip at the line: a model in one file answers images, without the training stack.

numpy, Pillow and ONNX Runtime are all that it needs. Nothing here imports clipgrip, which builds the files; what both
need stands here, once.
"""

__version__ = "0.1.0"
