"""What holds for every test: chance is the same in every run, a property is not timed, and other processes test this package."""

import os
from pathlib import Path

from hypothesis import HealthCheck, settings

import fallline

# absolute, since tests start processes in folders of their own
os.environ["PYTHONPATH"] = str(Path(fallline.__file__).resolve().parents[1])

settings.register_profile(
    "fallline",
    deadline=None,  # the first example compiles
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fallline")
