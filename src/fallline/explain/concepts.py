"""The concepts that findings point to: stable names of pages, in this one table."""

CONCEPTS = {
    "rate-too-large": "a rate beyond 2/L",
    "rate-too-small": "a rate that is too small",
    "momentum": "momentum, oscillation and damping",
    "warm-up": "warm-up",
    "schedules": "schedules",
    "noise-ball": "the noise ball of a constant rate",
    "critical-batch": "the noise scale and the critical batch",
    "early-stopping": "stopping early, and too early",
    "ill-conditioning": "ill-conditioning and zig-zag",
    "scaling": "columns of one scale",
    "newton": "Newton's method",
    "separable-classes": "separable classes",
    "robust-loss": "outliers and losses",
    "class-imbalance": "rare classes",
    "choosing-a-loss": "the loss that suits a target",
    "sampling": "the order of the rows",
    "penalties": "what a penalty does",
    "leakage": "a column that knows the answer",
    "overfitting": "overfitting",
    "plateau": "plateaus and saturated scores",
    "float32": "numbers of 32 bits",
    "optimum": "how far the optimum is",
}


def page(concept: str) -> str:
    """The page of a concept."""
    return f"docs/concepts/{concept}.md"
