"""A run at work: answers for new images, one by one, in batches, in shards, or as a bundle for the line."""
