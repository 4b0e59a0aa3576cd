"""One update by hand: θ = (1, 2), gradient (0.5, 1), rate 0.01.

θ ← θ − rate·gradient = (1 − 0.01·0.5, 2 − 0.01·1) = (0.995, 1.99). Run it: python examples/one_update.py
"""

import numpy as np

from fallline.descent import descend
from fallline.objectives import Function
from fallline.samplers import Batch
from fallline.schedules import Constant
from fallline.steps import Plain
from fallline.stops import Updates

START = np.array([1.0, 2.0])
GRADIENT = np.array([0.5, 1.0])
RATE = 0.01


def main():
    """Make the update, and return where it led."""
    plane = Function(lambda w: float(w @ GRADIENT), lambda w: GRADIENT, START)  # its slope is the same everywhere
    run = descend(plane, sampler=Batch(), step=Plain(), schedule=Constant(RATE), stop=Updates(1))
    before, after = run.trace["loss"]
    print(f"θ = {shown(START)}, gradient {shown(GRADIENT)}, rate {RATE}  →  θ = {shown(run.w)}")
    print(f"The plane is {before - after:.4f} lower there: rate × ‖gradient‖² = {RATE * GRADIENT @ GRADIENT:.4f}.")
    return {"theta": run.w, "fall": before - after}


def shown(w):
    """A point in words."""
    return "(" + ", ".join(f"{number:g}" for number in w) + ")"


if __name__ == "__main__":
    main()
