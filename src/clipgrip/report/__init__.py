"""A meeting decides: a finished run as one offline page in two languages, and what its figures mean."""
