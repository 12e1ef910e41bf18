"""Benchmarks of lsecy beside SciPy on the same arrays; each class asks one question."""
