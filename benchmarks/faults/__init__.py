"""What clipgrip does when things go wrong: ``python -m benchmarks.faults`` tries it and counts."""
