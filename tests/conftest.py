"""What every test may ask for. The fixtures themselves are in tests/support, one plugin a subject."""

import os

import pytest
from hypothesis import HealthCheck, settings

from onewriter.records import Instant, parse_instant

pytest_plugins = [
    "tests.support.sparing",
    "tests.support.databases",
    "tests.support.guards",
    "tests.support.requirements",
    "tests.support.shops",
    "tests.support.loyal",  # after what it imports, whose assertions would not be rewritten else
    "tests.support.crm",
    "tests.support.given",
    "tests.support.faulty",
    "tests.support.tryton",
    "tests.support.linking",
    "tests.support.mending",
    "tests.support.wire",
    "tests.support.pages",
    "tests.support.browser",
    "pytester",
]

# A slow machine is no fault of an example, so neither profile has a deadline.
settings.register_profile("dev", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("ci", settings.get_profile("dev"), derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "dev")


@pytest.fixture
def now() -> Instant:
    """A fixed time, for whatever takes one: Monday, 2 March 2026, 10:00 UTC."""
    return parse_instant("2026-03-02T10:00:00+00:00")
