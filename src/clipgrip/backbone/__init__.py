"""From pixels to embeddings: models and eyes by name, what encodes images and texts, and the cache of that."""
