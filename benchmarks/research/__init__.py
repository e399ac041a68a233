"""Estimators without labels, and of class priors, that no command uses: for comparisons, and not in the package."""
