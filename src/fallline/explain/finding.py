"""A finding: what was seen, why it is so, the one change to make, what that should do, and what it did when it was tried."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

from fallline.explain.concepts import CONCEPTS
from fallline.plan import Plan
from fallline.words import number, percent

NOTHING: Mapping[str, Any] = MappingProxyType({})
HELPS = 0.8  # of what was: a change that does not take a fifth off is not advice; less is within what seeds differ by
SHIFTS = 0.98  # of what was, on rows held out: two percent of an error, which is what a twentieth of the rows can tell


class Effect(NamedTuple):
    """A measure, lower being better, as it is and with the change."""

    measure: str  # "of the excess at the start", or of what is measured on rows held out
    before: float
    after: float

    @property
    def ratio(self) -> float:
        """After over before; after itself where that was lost, so that a cure must at least go down."""
        if self.before == float("inf"):
            return self.after
        return self.after / self.before if self.before > 0.0 else 1.0

    def __str__(self) -> str:
        """Both, in words."""
        if self.measure == EXCESS:
            return f"{percent(self.after)} {EXCESS} is left instead of {percent(self.before)}"
        return f"{self.measure} {number(self.after)} instead of {number(self.before)}"


EXCESS = "of the excess at the start"


class Change(NamedTuple):
    """The one thing to do differently. What a plan cannot say stands beside it, in the words of a recipe."""

    text: str
    plan: Plan
    charges: Mapping[str, Any] = NOTHING
    reading: Mapping[str, Any] = NOTHING
    remake: Callable[[Any], Any] | None = None  # from the run's objective to the changed one
    at_zero: bool = False  # whether it begins at zero instead of where the run began
    weighs: bool = False  # whether it weighs the rows, which no recipe says
    builds: bool = False  # whether it changes a network's module, which no recipe says
    asks: bool = False  # whether it changes what is asked, so that only the user can decide

    @property
    def ready(self) -> bool:
        """Whether a recipe can say it."""
        return not (self.at_zero or self.weighs or self.builds or self.asks)

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values: the changed plan whole, and what of the charges and of the reading changes with it."""
        plan = {name: _plain(value) for name, value in self.plan.as_dict().items()}
        return {
            "text": self.text, "plan": plan, "objective": dict(self.charges), "data": dict(self.reading),
            "applies": self.ready, "decide": self.asks,
        }  # fmt: skip


class Tried(NamedTuple):
    """What a probe found. budget: in words; effect: None where the change is the user's to decide, and nothing was tried."""

    budget: str
    effect: Effect
    least: float = HELPS

    @property
    def helped(self) -> bool:
        """Whether the change is borne out."""
        return self.effect.ratio <= self.least


class Sign(NamedTuple):
    """What a symptom's function saw. score: the forecast gain, by which causes of slow walks are told apart."""

    seen: str
    change: Change | None = None
    expected: Effect | None = None
    score: float = 0.0
    columns: tuple[int, ...] = ()
    rows: tuple[int, ...] = ()
    updates: tuple[int, int] | None = None
    tensors: tuple[str, ...] = ()  # of a network, or the modules that it is in
    proof: Callable[[], Tried] | None = None  # how to try it, where that is not to walk both ways


@dataclass(frozen=True)
class Finding:
    """One symptom. Where it is, as far as it is anywhere: columns and tensors (names), rows (numbers), updates (first, last)."""

    symptom: str
    title: str
    seen: str
    why: str
    concept: str
    change: Change | None = None
    expected: Effect | None = None
    tried: Tried | None = None
    columns: tuple[str, ...] = ()
    rows: tuple[int, ...] = ()
    updates: tuple[int, int] | None = None
    tensors: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """What it says, a line a part."""
        about = CONCEPTS[self.concept]
        said = [f"Seen: {self.seen}", f"Why: {self.why}", f"The concept, {about.title}: {about.gist}"]
        if self.change is None:
            return said
        name = "For you to decide" if self.change.asks else "Change" if self.tried else "Change, not tried"
        said.append(f"{name}: {self.change.text}")
        if self.expected is not None:
            said.append(f"Expected: {self.expected}.")
        if self.tried is not None:
            said.append(f"Tried ({self.tried.budget}): {self.tried.effect}.")
        return said

    def as_dict(self) -> dict[str, Any]:
        """The same as plain values, for JSON."""
        effects = {"expected": self.expected, "tried": self.tried and self.tried.effect}
        return {
            "symptom": self.symptom, "title": self.title, "seen": self.seen, "why": self.why, "concept": self.concept,
            "gist": CONCEPTS[self.concept].gist,
            "columns": list(self.columns), "rows": list(self.rows), "updates": self.updates and list(self.updates),
            "tensors": list(self.tensors),
            "change": self.change and self.change.as_dict(),
            **{name: effect and effect._asdict() for name, effect in effects.items()},
        }  # fmt: skip


def _plain(value: Any) -> Any:
    """A setting of a plan; a part that Python gave in its own words."""
    return value if isinstance(value, str | int | float) else repr(value)
