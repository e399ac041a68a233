"""What no command uses: estimators without labels and another mixture, for comparisons, and not in the package."""
