"""What ``draft`` would bring: a JPEG decoded to a half, a quarter or an eighth by its own transform, then resized.

    CLIPGRIP_DATA=FOLDER python -m benchmarks.decoding --images FOLDER

Photographs are brought to the size of a camera of 12 million pixels and saved again as JPEG. ``edge`` is how many
times the edge that the model takes the smaller side keeps at least; 0 is the whole picture. The cosine is to the
embedding of the whole picture, by ``nano`` and, where it lies in FOLDER/models, by a MobileNet that knows photographs.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks.image_encoding import load_average, load_images
from benchmarks.record import record
from clipgrip.backbone.base import Eye
from clipgrip.backbone.eyes import load_eye
from clipgrip.backbone.registry import load_backbone

SIZE, EDGE = (4000, 3000), 224


def main() -> None:
    """Measure, print, and write ``results/decoding.json``."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=Path, required=True)
    parser.add_argument("--count", type=int, default=48)
    chosen = parser.parse_args()
    files = [as_jpeg(image) for image in load_images(chosen.images, chosen.count)]
    size = round(statistics.mean(map(len, files)))
    ways = {str(times): measured(files, times) for times in (0, 4, 2, 1)}
    found = {"load_average": load_average(), "count": len(files), "bytes": size, "edge": ways}
    record("decoding", found)
    print(json.dumps(found, indent=1))


def as_jpeg(image: Image.Image) -> bytes:
    """As a camera would have written it."""
    out = io.BytesIO()
    image.resize(SIZE, Image.Resampling.BICUBIC).save(out, "JPEG", quality=90)
    return out.getvalue()


def measured(files: list[bytes], times: int) -> dict[str, Any]:
    """Milliseconds of the processor an image for decoding and resizing, and how near its embedding stays."""
    eyes, spent = eyes_here(), {"decode": 0.0, "resize": 0.0}
    cosines: dict[str, list[float]] = {name: [] for name in eyes}
    for data in files:
        began = time.process_time()
        image = decoded(data, times)
        between = time.process_time()
        eyes["nano"].preprocess(image)
        spent["decode"] += between - began
        spent["resize"] += time.process_time() - between
        for name, eye in eyes.items():
            cosines[name].append(cosine(eye, image, decoded(data, 0)))
    each = {name: round(1000 * taken / len(files), 2) for name, taken in spent.items()}
    near = {
        name: {"lowest": round(min(values), 5), "mean": round(statistics.mean(values), 5)}
        for name, values in cosines.items()
    }
    return {"milliseconds": each, "cosine": near}


def decoded(data: bytes, times: int) -> Image.Image:
    """The picture, or a smaller one whose shorter side is at least so many times the model's edge."""
    image = Image.open(io.BytesIO(data))
    if times:
        share = times * EDGE / min(image.size)
        image.draft("RGB", (round(image.width * share), round(image.height * share)))
    return image.convert("RGB")


def eyes_here() -> dict[str, Eye]:
    """``nano``, and a vision model of photographs where there is one."""
    folder = Path(os.environ.get("CLIPGRIP_DATA", ".")) / "models" / "mobilenet-v2"
    more: dict[str, Eye] = {folder.name: load_eye(str(folder))} if folder.is_dir() else {}
    return {"nano": load_backbone("nano", precision="float32"), **more}


def cosine(eye: Eye, image: Image.Image, whole: Image.Image) -> float:
    """Of the two embeddings."""
    with torch.inference_mode():
        pair = eye.encode_image(np.stack([eye.preprocess(one) for one in (image, whole)]))
    return float(pair[0] @ pair[1])


if __name__ == "__main__":
    main()
