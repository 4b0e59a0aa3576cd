"""The examples of networks at full scale, on the data sets beside the project; what is not there is left out and said.

    python benchmarks/examples_full.py

One thread. MNIST by a small CNN, tiny shakespeare and daily temperatures by GRUs, CartPole by policy gradients on five seeds.
"""

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT.parent / "shared" / "data"
MNIST, SHAKESPEARE, DAYS = "images/mnist", "sequence/tinyshakespeare.txt", "sequence/daily-min-temperatures.csv"


def main() -> dict[str, Any]:
    """Run them; what each found."""
    before, found = torch.get_num_threads(), {}
    torch.set_num_threads(1)
    try:
        if there(MNIST):
            found["digits"] = example("digits_cnn").main(folder=DATA / MNIST, seeds=3)
        if there(SHAKESPEARE):
            found["characters"] = example("characters").main(text=DATA / SHAKESPEARE, updates=4000)
        if there(DAYS):
            found["temperatures"] = example("temperatures").main(file=DATA / DAYS)
        poles = example("cart_pole")
        found["poles"] = poles.main(seeds=5, kinds=poles.KINDS)
    finally:
        torch.set_num_threads(before)
    return found


def there(name: str) -> bool:
    """Whether a data set is there; says so where not."""
    if not (DATA / name).exists():
        print(f"{name} is not in ../shared/data: left out")
    return (DATA / name).exists()


def example(name: str) -> Any:
    """An example as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "examples" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def targets(found: dict[str, Any]) -> list[tuple[str, str, str, bool]]:
    """The issue's figures."""
    rows = []
    if "digits" in found:
        right = found["digits"]["right"]
        rows.append(("CNN on MNIST, 17,354 parameters, 4 passes", "≥ 99 % in 3 of 3 seeds",
                     ", ".join(f"{share:.2%}" for share in right), min(right) >= 0.99))  # fmt: skip
    if "characters" in found:
        known = found["characters"]
        said = f"{known['bits']:.2f}; counting of order 4 {known['counted'][4]:.2f}; nanoGPT on a CPU 2.71"
        rows.append(("GRU on tiny shakespeare, 4,000 updates", "≤ 2.30 bits a character", said, known["bits"] <= 2.30))
    episodes = [many for kind in found["poles"]["episodes"].values() for many in kind]
    done = [text for kind in found["poles"]["reason"].values() for text in kind if "mean return" in text]
    rows.append(("CartPole, plain, baseline, actor-critic", "475 on 5 of 5 seeds within 1,600 episodes",
                 f"{len(done)} of {len(episodes)}, within {max(episodes):,}", len(done) == len(episodes)))  # fmt: skip
    noise = found["poles"]["noise"]
    rows.append(("noise of the gradient with a baseline, at update 15", "≤ 0.7 of without",
                 f"{np.min(noise):.2f}–{np.max(noise):.2f}", max(noise) <= 0.7))  # fmt: skip
    return rows


if __name__ == "__main__":
    main()
