"""A run in a file: where the walk is and its trace, so that going on is the same bits as never having stopped."""

import hashlib
from typing import Any

import numpy as np

from fallline.artefact import packed, unpacked
from fallline.descent import Run, State
from fallline.errors import InputError
from fallline.problem import Problem
from fallline.rows import CSR
from fallline.trace import Trace

KIND = "checkpoint"


def checkpoint_of(run: Run, mark: str) -> bytes:
    """The run as a file's bytes. `mark` says what it was walked on (see `mark_of`)."""
    state, trace = run.state, run.trace
    arrays = {"w": state.w, "mean": state.mean, "path": trace.path, "recent": np.array(trace.recent)}
    arrays |= {f"memory.{k}": np.asarray(part) for k, part in enumerate(state.memory)}
    arrays |= {f"trace.{name}": trace[name] for name in trace.columns}
    arrays |= {f"steps.{name}": values for name, values in trace.steps.items()}
    facts = {
        "t": int(state.t), "segments": int(state.segments), "memory": len(state.memory), "n": trace.n,
        "columns": list(trace.columns), "steps": list(trace.steps), "about": trace.about, "mark": mark,
    }  # fmt: skip
    return packed(KIND, arrays, facts)


def run_from(content: bytes, name: str, mark: str) -> Run:
    """The run in a checkpoint. Raises InputError for a damaged one, and for one of other data or another plan."""
    arrays, facts = unpacked(content, name, KIND)
    try:
        if facts["mark"] != mark:
            raise InputError(
                f"{name} is of other data or another plan than those here, and going on would mix them: give back the data "
                "as they were, or begin anew with --overwrite."
            )
        memory = tuple(arrays[f"memory.{k}"] for k in range(int(facts["memory"])))
        state = State(arrays["w"], memory, arrays["mean"], int(facts["t"]), int(facts["segments"]))
        trace = Trace(int(facts["n"]))
        trace.columns = {column: arrays[f"trace.{column}"].tolist() for column in facts["columns"]}
        trace.steps = {name: arrays[f"steps.{name}"] for name in facts.get("steps", ())}
        trace.points, trace.recent, trace.about = list(arrays["path"]), list(arrays["recent"]), dict(facts["about"])
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"{name} cannot be gone on from ({error}): begin anew with --overwrite.") from None
    return Run(state, trace, "")


def mark_of(problem: Problem, plan: str) -> str:
    """A digest of every number that a walk sees, of how they were read, and of the plan."""
    return mark_on(problem.objective, plan, repr((problem.loss, problem.text, problem.data.columns)))


def mark_on(objective: Any, plan: str, about: str = "") -> str:
    """A digest of every number that a walk on the objective sees, and of the plan."""
    digest = hashlib.blake2b(plan.encode(), digest_size=16)
    for part in numbers_of(objective):
        digest.update(np.ascontiguousarray(part).data)
    digest.update(about.encode())
    return digest.hexdigest()


def numbers_of(objective: Any) -> tuple[Any, ...]:
    """The arrays that an objective is made of."""
    if hasattr(objective, "numbers"):
        return tuple(objective.numbers())
    model = objective.model
    rows = (model.rows.data, model.rows.indices, model.rows.indptr) if isinstance(model.rows, CSR) else (model.rows.X,)
    if (disk := objective.disk) is not None and not disk.kept:
        rows = (np.frombuffer(disk.digest, np.uint8),)
    return (*rows, model.y, model.weights)
