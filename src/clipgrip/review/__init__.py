"""A person decides: which images to label, a page to review them, and what was answered."""
