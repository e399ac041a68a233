"""From pseudolabels to a tuned prompt: the losses, one loop, and its state, which outlives a kill."""
