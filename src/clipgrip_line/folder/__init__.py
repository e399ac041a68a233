"""The hot folder: pictures appear in it, answers come out of it, each picture once by its content."""
