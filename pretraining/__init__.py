"""Makes the small CLIP that ships with clipgrip: render, train, export, from one seed."""
