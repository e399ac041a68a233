"""What people are told of a run: measured facts as sentences in their language, and other words to try."""
