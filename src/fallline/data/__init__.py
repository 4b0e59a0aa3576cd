"""Data: from a file, a bundled set, arrays or a frame to a matrix and a target, and what was inferred on the way."""

from fallline.data.bundled import BUNDLED
from fallline.data.column import MISSING
from fallline.data.dataset import BINARY, MULTICLASS, REGRESSION, TASKS, Dataset, fingerprint_of
from fallline.data.load import load

__all__ = ["BINARY", "BUNDLED", "MISSING", "MULTICLASS", "REGRESSION", "TASKS", "Dataset", "fingerprint_of", "load"]
