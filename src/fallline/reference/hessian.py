"""The curvature of a linear model's objective as a matrix; it lives with the objectives."""

from fallline.objectives.hessian import hessian, matrix_rows, pull_slope, table_rows

__all__ = ["hessian", "matrix_rows", "pull_slope", "table_rows"]
