"""What the API publishes describes it: schemathesis asks whatever it allows and whatever it does not."""

import itertools
from collections.abc import Iterator
from typing import Any, cast

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode, checks

from onewriter.customers.people import Role
from onewriter.records import Instant
from onewriter.web.app import create_app
from tests.support.doors import serving_app
from tests.support.pages import let_in, token_of
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea, told

CHECKED = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
EXAMPLES = 150


@pytest.fixture
def asked(tea: Tea, now: Instant) -> Iterator[tuple[str, str]]:
    """The address of a web process that knows some customers, and an owner's token; it never says "too often"."""
    people = [told(number, now, {"first_name": "Ana", "email": f"a{number}@example.org"}) for number in range(1, 6)]
    tea.apply(*people, now=now)
    let_in(tea.runtime, "olga", Role.OWNER)
    seconds = itertools.count()
    with serving_app(create_app(tea.runtime, lambda: float(next(seconds)))) as url:
        yield url, token_of(tea.runtime, "schemathesis", Role.OWNER)


@ON_SQLITE
@pytest.mark.time_limit(240)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["as described", "otherwise"])
def test_whatever_is_asked_of_the_api_the_answer_is_a_described_one(
    asked: tuple[str, str], mode: GenerationMode
) -> None:
    url, secret = asked
    described = schemathesis.openapi.from_url(f"{url}/api/v1/openapi.json")
    strategies = []
    for found in described.get_all_operations():
        operation = cast(Any, found).ok()
        if not operation.path.endswith("/live"):
            strategies.append(operation.as_strategy(mode))

    @settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck), database=None)
    @given(st.one_of(strategies))
    def ask(case: Case[Any]) -> None:
        # A token of its own, whatever else is made up: without one every call is only refused.
        headers = {"Authorization": f"Bearer {secret}"}
        case.call_and_validate(base_url=f"{url}/api/v1", checks=CHECKED, headers=headers)

    ask()
