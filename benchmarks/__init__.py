"""Measurements of speed: ratios within one run, never tests. Run ``python -m benchmarks``."""
