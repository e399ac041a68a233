"""The line at work, measured: kills, loads and sizes."""

import os

# as clipgrip-line does it before numpy is loaded, so that the engine alone and the service are measured alike
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
