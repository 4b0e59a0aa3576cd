"""LIBSVM text: megabytes a second of fallline and of scikit-learn on a9a repeated to 100 MB.

python benchmarks/readers.py path/to/a9a [rounds]
"""

import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_svmlight_file

from fallline.data.source import read_path

SIZE = 100_000_000
ROUNDS = 3


def seconds(function, path):
    begun = time.perf_counter()
    function(path)
    return time.perf_counter() - begun


def ours(path):
    found = read_path(Path(path))
    return found.matrix, found.label[1]


def main(source, rounds):
    text = Path(source).read_bytes()
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "repeated.svm")
        Path(path).write_bytes(text * -(-SIZE // len(text)))
        megabytes = Path(path).stat().st_size / 1e6
        ours(source)  # compiles
        (X, y), (A, b) = ours(path), load_svmlight_file(path)
        assert (X != A).nnz == 0
        assert np.array_equal(y, b)
        took = [(seconds(ours, path), seconds(load_svmlight_file, path)) for _ in range(rounds)]
    for name, best in zip(("fallline", "scikit-learn"), map(min, zip(*took, strict=True)), strict=True):
        print(f"{name:13} {best:6.2f} s  {megabytes / best:6.0f} MB/s")
    ratios = sorted(other / own for own, other in took)
    print(
        f"fallline is {ratios[len(ratios) // 2]:.1f} times as fast ({ratios[0]:.1f} to {ratios[-1]:.1f}), values identical"
    )


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else ROUNDS)
