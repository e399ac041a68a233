"""A finished run in use: answers for new images, drift alarms, and bundles for the line."""
