"""Making many samples at once: recycling, orders, batches. Run ``python -m benchmarks.data``."""
