"""Packs a run's model into one file for clipgrip_line: ONNX towers, arrays, golden images, documents."""
