"""From pixels to embeddings: models by name, image and text towers, other image encoders (eyes), and the cache."""
