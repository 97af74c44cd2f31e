"""Measurements of operator learning: accuracy, cost of training, cost of predictions."""
