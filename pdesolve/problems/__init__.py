"""Problem families: what is solved."""
