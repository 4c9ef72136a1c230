"""What holds for all tests."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# A busy machine makes examples slow, not wrong. All else stays as Hypothesis has chosen it, which
# draws the same examples every time where it knows that the tests run unattended.
settings.register_profile(
    "patient",
    settings(),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("patient")
