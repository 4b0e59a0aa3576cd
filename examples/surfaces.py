"""The named surfaces, walked by several step rules: who arrives, where, and in how many updates.

The rules are plain steps whose rate sets itself (fallline's default for any function), momentum, and Adam, none of them
tuned. Himmelblau's four minima are then reached from four starts.

Run it: python examples/surfaces.py [--out FOLDER]
"""

import argparse
from pathlib import Path

from fallline.figures import draw_surface
from fallline.files import write_whole
from fallline.functions.minimize import minimize
from fallline.functions.surfaces import SURFACES, bowl
from fallline.objectives import Function
from fallline.plane import surface_of

RULES = {"plain, automatic rate": "plain", "momentum": "momentum", "Adam": "adam"}
BUDGET = 4000  # updates
ARRIVED = 1e-6  # a height above the lowest that counts as there
STARTS = [(4.0, 4.0), (-4.0, 4.0), (-4.0, -4.0), (4.0, -4.0)]


def main(out=None):
    """Walk every surface by every rule; returns the facts."""
    surfaces = {**{name: make() for name, make in SURFACES.items()}, "bowl, condition 1,000": bowl(1000.0)}
    results = {
        (name, rule): minimize(surface.f, surface.start, surface.gradient, step=step, updates=BUDGET)
        for name, surface in surfaces.items()
        for rule, step in RULES.items()
    }
    himmelblau = surfaces["himmelblau"]
    facts = {
        "updates": {key: result.nit for key, result in results.items()},
        "above": {key: result.fun - surfaces[key[0]].lowest for key, result in results.items()},
        "message": {key: result.message for key, result in results.items()},
        "minima": [minimize(himmelblau.f, start, himmelblau.gradient).x for start in STARTS],
    }
    report(surfaces, facts)
    if out:
        save(Path(out), surfaces, results, facts)
    return facts


def report(surfaces, facts):
    """Say it in words."""
    print(f"Updates to the minimum, {BUDGET:,} at most; where the walk ended elsewhere, how far above it.\n")
    print(f"  {'':24}" + "".join(f"{rule:>24}" for rule in RULES))
    for name, surface in surfaces.items():
        cells = [cell(surface, facts, (name, rule)) for rule in RULES]
        print(f"  {name:24}" + "".join(f"{text:>24}" for text in cells))
    print("\nHimmelblau's four minima, each from its own corner:")
    for start, end in zip(STARTS, facts["minima"], strict=True):
        print(f"  from ({start[0]:g}, {start[1]:g}) to ({end[0]:.4f}, {end[1]:.4f})")


def cell(surface, facts, key):
    """Updates to the minimum, or how far above it and where a walk ended that did not get there."""
    above, message = facts["above"][key], facts["message"][key]
    if above < ARRIVED:
        return f"{facts['updates'][key]:,}"
    places = [place for place in ("saddle", "plateau") if f"on a {place}" in message]
    elsewhere = "budget spent" if message.startswith("Made") else "other minimum"
    return f"{above:.2g} ({(places or [elsewhere])[0]})"


def save(folder, surfaces, results, facts):
    """Every surface of two coordinates with its walks, from above."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = dict(zip(RULES, ("automatic", "batch", "mini-batch"), strict=True))  # borrowed
    for name, surface in surfaces.items():
        walks = {rule: results[name, rule].trace for rule in RULES if results[name, rule].nit}
        for rule, trace in walks.items():
            trace.about.update(name=rule, variant=colours[rule])
        if walks:
            first = results[name, "plain, automatic rate"]
            best = first.x if first.fun - surface.lowest < ARRIVED else surface.minima[0]
            picture = draw_surface(
                surface_of(Function(surface.f, surface.gradient, surface.start), list(walks.values()), best=best)
            )
            cells = [f"{rule} {cell(surface, facts, (name, rule))}" for rule in RULES]
            picture.update_layout(title_text=f"{name.capitalize()}, updates needed: <br>{'; '.join(cells)}")
            file = f"surface_{name.split(', ')[-1].replace(' ', '_')}.html"
            write_whole(folder / file, picture.to_html(auto_play=False, config={"displayModeBar": False}))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The named surfaces, walked by several step rules.")
    parser.add_argument("--out", help="folder for the pictures")
    main(**vars(parser.parse_args()))
