"""The loss of a walk before it is walked: docs/forecast.md."""
