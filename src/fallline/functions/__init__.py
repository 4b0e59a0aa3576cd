"""Any function of a vector: `minimize` and `maximize`, with SciPy's manners, and named surfaces to try them on."""

from fallline.functions.minimize import maximize, minimize
from fallline.functions.surfaces import SURFACES, Surface

__all__ = ["SURFACES", "Surface", "maximize", "minimize"]
