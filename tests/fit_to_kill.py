"""A fit in a process of its own, to be killed. Importing this loads and compiles all that it needs."""

import os
import signal
import tempfile
import time
from pathlib import Path

from fallline.fitting import Recipe, fit, go_on
from fallline.fitting.fit import Hooks
from fallline.fitting.folder import PLAN
from fallline.plan import Plan

RECIPE = Recipe("breast_cancer", plan=Plan(step="adam", amount=40.0))
ALWAYS = 1e-9  # seconds between checkpoints: after every segment
REST = 0.01  # seconds of sleep after each of 40 segments, so that there is a middle to be killed in


def walk(folder, fatal=None, begun=None, moment="reading"):
    """Fit or go on. `fatal` kills the process at that call of a function of the system; `begun` is set at a moment."""
    if fatal:
        name, number = fatal
        calls, before = [], getattr(os, name)

        def kill(*args, **kwargs):
            calls.append(1)
            if len(calls) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return before(*args, **kwargs)

        setattr(os, name, kill)

    def tell(now):
        if begun and now == moment:
            begun.set()

    def watch(problem, trace):
        tell("walking")
        time.sleep(REST)

    hooks = Hooks(watch=watch, reading=lambda: tell("reading"))
    if (Path(folder) / PLAN).exists():
        go_on(folder, every=ALWAYS, hooks=hooks)
    else:
        fit(RECIPE, folder, every=ALWAYS, hooks=hooks, overwrite=True)


with tempfile.TemporaryDirectory() as _folder:
    fit(RECIPE, Path(_folder) / "warm")
