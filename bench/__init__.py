"""Benchmarks: this cloud against references that need no other cloud, as ratios within one run."""
