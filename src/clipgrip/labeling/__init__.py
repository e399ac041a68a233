"""Which images a person should label first, and the sheet with them. Knows nothing of pages and reviews."""
