"""The tools that fallline is measured beside, one file a library, behind one interface; fallline is one of them.

A peer is handed a task and answers with w: class after class of coefficients, then the intercepts, in the columns of the table it
was given. `settings` is the whole search over its own options, and `searched` says it in words; `budgets` rise until the
answer is good enough. What `prepare` makes (a copy in its own format) is not counted in its time.
"""

import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

Setting = dict[str, Any]


class Peer(NamedTuple):
    """A tool: `fit(prepared, task, setting, budget)` gives w. `can(task)` is why not, or nothing."""

    name: str
    kinds: tuple[str, ...]  # losses, by their classes' names
    settings: tuple[Setting, ...]
    budgets: tuple[float, ...]
    fit: Callable[[Any, Any, Setting, float], Any]
    searched: str
    can: Callable[[Any], str] = lambda task: ""
    prepare: Callable[[Any, Setting], Any] = lambda task, setting: task.X


LIBRARIES = (
    "fallline_auto",
    "scikit_learn",
    "scikit_learn_glm",
    "liblinear_official",
    "vowpal_wabbit",
    "skglm_cd",
    "torch_loop",
)
LEFT_OUT = {"jax + optax": "0.6 GB to install, and compiling takes seconds"}


def present() -> tuple[list[Peer], dict[str, str]]:
    """The peers that are installed, fallline first, and why others are left out."""
    found, absent = [], dict(LEFT_OUT)
    for library in LIBRARIES:
        try:
            found += importlib.import_module(f"peers.{library}").PEERS
        except ImportError as error:
            absent[library.split("_")[0]] = f"not installed ({error})"
    return found, absent


def reason(peer: Peer, task: Any) -> str:
    """Why a peer cannot do a task, or nothing."""
    if task.kind not in peer.kinds:
        return "another loss"
    return peer.can(task)


def smooth_penalty(task: Any) -> str:
    """For tools without an L1 share."""
    return "no L1" if task.lasso else ""


def grid(**choices: Any) -> tuple[Setting, ...]:
    """Every combination."""
    out: list[Setting] = [{}]
    for name, values in choices.items():
        out = [{**setting, name: value} for setting in out for value in values]
    return tuple(out)
