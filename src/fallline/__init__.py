"""Gradient descent that tunes itself and shows its work."""
