"""What is remembered: a run from its input to its files, in a folder, killed and resumed at any time."""
