"""The only home of Numba: parts in, machine code out.

`bridge` tells Numba what the parts' methods mean, `stamp` makes a changed formula a changed kernel, `sums` goes over
rows once, `sweep` walks a segment.
"""
