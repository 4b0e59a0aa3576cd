"""The plan that a forecast takes, against the best of all its candidates: row visits to 1 % of the excess at the start.

    python benchmarks/plans.py [--quick] [table …]

On the standardised tables of forecast.py every candidate is walked with SEEDS orders of the rows, for up to CAP times the visits
that the best is forecast to take; its visits are where the mean of them first has 1 % left. `first pick` is the best by forecast
alone, `taken` the one after three short trials. The best of all has been lucky, too: it is the least of some fifty means.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from fallline.errors import InputError
from fallline.forecast.choice import LEVEL, Candidate, choose
from fallline.reference import optimum_of
from forecast import PAIRS, SPARED, crossing, objective_of
from targets import Target
from text import wanted

SEEDS, ROWS, CAP, LOOKS = 8, 2000, 4.0, 200


def main(quick: bool = False, tables: tuple[str, ...] = ()) -> dict[str, list[float]]:
    """Print the table."""
    found: dict[str, list[float]] = {"first pick": [], "taken": [], "seconds": []}
    print(f"{'':32s}{'candidates':>11s}{'best':>10s}{'first pick':>12s}{'taken':>8s}   best · taken")
    for name, kind in PAIRS:
        if tables and name not in tables:
            continue
        try:
            objective = objective_of(name, kind, False, 500 if quick else ROWS)
            choice = choose(objective)
        except (InputError, FileNotFoundError) as error:
            print(f"{name}, {kind}: left out: {error}")
            continue
        lowest, most = optimum_of(objective).value, CAP * choice.candidates[0].visits
        real = {made.plan: visits(objective, made, lowest, most, 2 if quick else SEEDS) for made in choice.candidates}
        best = min(real, key=lambda plan: real[plan])
        first, taken = (real[plan] / real[best] for plan in (choice.candidates[0].plan, choice.best.plan))
        found["first pick"].append(first)
        found["taken"].append(taken)
        found["seconds"].append(choice.seconds)
        print(
            f"{name + ', ' + kind:32s}{len(real):11d}{real[best]:10,.0f}{first:12.2f}{taken:8.2f}"
            f"   {best.name} · {choice.best.plan.name}",
            flush=True,
        )
    for key in ("first pick", "taken"):
        shares = ", ".join(
            f"{limit} × {100 * np.mean(np.array(found[key]) <= limit):.0f} %" for limit in (1.1, 1.3, 1.5, 2.0)
        )
        print(f"{key}: within {shares}")
    print(f"seconds of a choice: median {np.median(found['seconds']):.2f}, most {max(found['seconds']):.2f}")
    return found


def visits(objective: Any, made: Candidate, lowest: float, most: float, seeds: int) -> float:
    """Row visits until the mean over seeds has 1 % of the excess left; infinite beyond `most`."""
    n, curves = objective.n, []
    looks = max(1, round(LOOKS * n / most))
    for seed in range(seeds):
        plan = replace(made.plan, seed=SPARED + seed, budget="visits", amount=most)
        trace = plan.run(objective, looks=looks).trace
        curves.append(trace["loss"] - lowest)
    shortest = min(map(len, curves))
    mean = np.mean([curve[:shortest] for curve in curves], axis=0)
    return crossing(trace["visits"][:shortest], mean, LEVEL * mean[0])


def targets(found: dict[str, list[float]]) -> list[Target]:
    """The row of the issue."""
    shares = [float(np.mean(np.array(found["taken"]) <= limit)) for limit in (1.3, 1.5)]
    reached = " · ".join(f"{100 * share:.0f} %" for share in shares)
    goal = "1.3 × on 85 % of tables, 1.5 × on 95 %"
    return [
        Target(
            "plan after three trials, against the best of all",
            goal,
            reached,
            shares[0] >= 0.85 and shares[1] >= 0.95,
            "plans",
        )
    ]


if __name__ == "__main__":
    main(*wanted())
