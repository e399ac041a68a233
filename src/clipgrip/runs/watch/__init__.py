"""A run at work: what new images looked like, what changed, and which promises still hold; watch.db in its folder."""
