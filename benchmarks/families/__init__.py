"""Accuracy, solver choice and figure of every problem family, one file a topic."""
