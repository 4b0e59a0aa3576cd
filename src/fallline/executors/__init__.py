"""Executors: ways to walk a segment. Each has the signature of `descent.by_hand` and is tested against it."""
