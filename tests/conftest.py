"""What holds for every test: chance is the same in every run, a property is not timed, and other processes test this package."""

import os
import sys
from pathlib import Path

import pytest
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


@pytest.fixture(autouse=True, scope="session")
def one_torch_thread():
    """Two workers whose networks use every core each would wait for one another."""
    if "torch" in sys.modules:  # imported by a module of tests; nobody else pays for it
        sys.modules["torch"].set_num_threads(1)
