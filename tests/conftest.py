"""What holds for every test: chance is the same in every run, and a property is not timed."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fallline",
    deadline=None,  # the first example compiles
    derandomize=True,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("fallline")
