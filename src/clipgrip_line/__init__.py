"""clipgrip at the line: one bundle, answers without torch."""
