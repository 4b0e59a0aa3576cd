"""A loss with corners, rounded; it lives with the losses."""

from fallline.losses.smoothed import Smoothed

__all__ = ["Smoothed"]
