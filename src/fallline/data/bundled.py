"""The data sets that come with scikit-learn, by name; nothing is fetched."""

import difflib
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from fallline.data.dataset import MULTICLASS, REGRESSION
from fallline.data.table import Table
from fallline.data.wording import listed, quoted
from fallline.errors import InputError


class Bundled(NamedTuple):
    """The loader's name in `sklearn.datasets`, what its target is called, and whether that is classes."""

    loader: str
    target: str
    classes: bool


BUNDLED = {
    "breast_cancer": Bundled("load_breast_cancer", "diagnosis", True),
    "diabetes": Bundled("load_diabetes", "progression", False),
    "digits": Bundled("load_digits", "digit", True),
    "iris": Bundled("load_iris", "species", True),
    "wine": Bundled("load_wine", "cultivar", True),
}
REFUSED = {
    "linnerud": "has three targets, and fallline learns one at a time",
    "california": "needs a download; give a CSV of it instead",
    "california_housing": "needs a download; give a CSV of it instead",
    "covtype": "needs a download; give a CSV of it instead",
    "kddcup99": "needs a download; give a CSV of it instead",
}


def bundled(name: str) -> Table:
    """The table of a bundled set; KeyError is never raised, see `unknown`."""
    if name not in BUNDLED:
        raise unknown(name)
    from sklearn import datasets

    row = BUNDLED[name]
    options: dict[str, Any] = {"scaled": False} if name == "diabetes" else {}  # keep its units, as in a CSV
    bunch: Any = getattr(datasets, row.loader)(**options)
    arrays = [pa.chunked_array([pa.array(np.ascontiguousarray(column, dtype=np.float64))]) for column in bunch.data.T]
    if row.classes:
        labels = pa.array([str(label) for label in bunch.target_names], pa.string())
        codes = pa.array(bunch.target, pa.int32())
        target: Any = pa.DictionaryArray.from_arrays(codes, labels, ordered=True)
    else:
        target = pa.array(bunch.target, pa.float64())
    return Table(
        source=name,
        names=(*map(str, bunch.feature_names), row.target),
        arrays=(*arrays, pa.chunked_array([target])),
        place=lambda position: f"row {position} of {name} (counted from 0)",
        target=row.target,
        task="" if row.classes and len(bunch.target_names) == 2 else MULTICLASS if row.classes else REGRESSION,
    )


def unknown(name: str) -> InputError:
    """The sentence for a name that is neither a file nor a bundled set."""
    sets = f"the bundled sets are {listed(sorted(BUNDLED))}"
    if name in REFUSED:
        return InputError(f"{quoted(name)} {REFUSED[name]}: {sets}.")
    near = difflib.get_close_matches(name, BUNDLED, n=1)
    meant = f"did you mean {quoted(near[0])}? T" if near else "t"
    return InputError(f"{quoted(name)} is neither a file nor a bundled set: {meant}{sets[1:]}.")
