"""A run: from its input to its files, stored in a folder so that it can be stopped and resumed at any time."""
