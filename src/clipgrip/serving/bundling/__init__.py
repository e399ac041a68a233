"""A run's model as one file that clipgrip_line opens: towers as ONNX, arithmetic, golden images, documents."""
