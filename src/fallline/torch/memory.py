"""Whether it was memory that an operation of torch lacked."""

import torch

FULL = ("not enough memory", "can't allocate memory")  # as torch says it of the CPU's


def full(error: Exception) -> bool:
    """Whether memory, of a GPU or the CPU's, did not hold something."""
    return isinstance(error, torch.OutOfMemoryError) or any(text in str(error) for text in FULL)
