"""How many digits of least-squares coefficients a table allows, whoever solves it."""

import math
import sys
from typing import Any

import numpy as np

from fallline.executors.newton import REFINED
from fallline.objectives.coordinates import standard
from fallline.objectives.hessian import table_rows
from fallline.rows import CSR

Array = np.ndarray[Any, Any]

DEPENDENT = 0.1  # smallest over largest entry of the root's diagonal: above, rounding does no harm that is worth a word


def conditioning(objective: Any, root: Array) -> dict[str, float]:
    """The condition number of the standardised table, and −log₁₀ of that times what rounding its entries does to them.

    An entry x is known to a share ε of itself, which is ε·|x|/s in units of its column's deviation s; least squares may multiply
    that by the condition number (Golub & Van Loan 2013, §5.3). Empty where the solver's `root` of the curvature, (size, size),
    shows no columns that are nearly dependent, and where looking would cost more than the fit.
    """
    rows, n, size = objective.model.rows, objective.n, len(root)
    diagonal = abs(root.diagonal())
    close = size > 0 and diagonal.min() <= DEPENDENT * diagonal.max()
    if not close or isinstance(rows, CSR) or rows.X.size > REFINED:
        return {}
    own, _ = standard(objective)
    values = np.linalg.svd(np.linalg.qr(own.rows(table_rows(objective, 0, n)), mode="r"), compute_uv=False)
    largest, least = values[[0, -1]].tolist()
    condition = largest / max(least, sys.float_info.min)  # infinite where it overflows; NumPy's numbers would warn
    far = float((np.hypot(own.centre, own.spread) / own.spread).max(initial=1.0))
    known = float(np.finfo(rows.X.dtype).eps)
    return {"condition": condition, "digits": max(0.0, round(-math.log10(known * condition * far), 1))}
