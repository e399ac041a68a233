"""The line at work, measured: kills, loads and sizes."""
