"""Files read piece by piece: what holds a table larger than memory, as many small tables in the order of its rows."""

from fallline.data.pieces.source import Pieces, WholeOnlyError, pieces_of, whole_only

__all__ = ["Pieces", "WholeOnlyError", "pieces_of", "whole_only"]
