"""A proof of concept before it starts: criteria fixed in advance, images to answer, and a file that keeps both."""
