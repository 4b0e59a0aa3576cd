"""What ails a run, and the one change that mends it, tried before it is told: docs/explain.md."""
