"""Rules and estimators that were measured and that no command uses; for comparisons and for studies."""
