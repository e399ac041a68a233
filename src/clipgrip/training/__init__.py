"""From pseudolabels to a tuned prompt: losses, one training loop, and its state, from which a killed run resumes."""
