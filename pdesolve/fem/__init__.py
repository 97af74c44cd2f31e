"""Finite elements with Firedrake."""
