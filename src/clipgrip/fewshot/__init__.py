"""What a few labels teach: a linear head on image embeddings, joined with the text as the labels show it deserves."""
