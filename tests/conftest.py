"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine makes examples slow, not wrong. The same examples are drawn every time, so that a
# change is judged by itself.
settings.register_profile(
    "patient",
    settings(),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")
