"""A viewer obtains no protected value: not by any page and not by any call, whatever is sent to it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onewriter.customers import find, parked, runs
from onewriter.customers.people import Role
from onewriter.runtime import Runtime
from onewriter.web.api.frame import described
from onewriter.web.api.routers import ROUTERS
from onewriter.web.pages.every import PAGES
from tests.stages.test_proving import LOSSY, spoilt
from tests.support.doors import serving
from tests.support.mending import Mending, mending
from tests.support.pages import Program, Site, let_in, token_of
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE

ANYTHING = {
    "why": "curious", "text": "a", "reveal": "yes", "do_it": "yes", "limit": 50, "dry_run": False, "name": "olga",
    "role": "owner", "answer": "yes", "item": "field", "field": "note", "owner": "manual", "toml": "", "days": 30,
}  # fmt: skip
"""Whatever forms and calls may ask for, and more."""


@pytest.fixture
def both(runtime: Runtime, tmp_path: Path) -> Iterator[Mending]:
    """A shop with customers, a CRM, a case, and somebody whose value is parked."""
    with mending(runtime, tmp_path, LOSSY) as found:
        spoilt(found)
        found.crm.edit(1, first="Mallory")
        found.cycle()
        with runtime.database.read() as db:
            assert parked.listed(db, found.shop.shop_id, 10), "the CRM said what is not its to say"
        yield found


def secrets(both: Mending) -> set[str]:
    """Every value of every customer that nobody may see unmasked."""
    with both.runtime.database.read() as db:
        vault = both.runtime.vault(both.shop.shop_id)
        shown = [find.show(db, vault, str(number), reveal=True) for number in both.ids]
    values = {
        str(one.fields.get(name)) for one in shown for name in ("email", "phone", "first_name", "last_name", "note")
    }
    return {value for value in {*values, "Mallory"} - {"None"} if len(value) > 3}


def filled(path: str, both: Mending) -> str:
    with both.runtime.database.read() as db:
        run = runs.newest(db, 1)[0].id
        customer = find.show(db, both.runtime.vault(both.shop.shop_id), str(both.ids[0])).id_text
    named = {"customer_id": customer, "run_id": run, "number": "1", "name": "crm", "what": "pause"}
    return re.sub(r"{(\w+)(?::\w+)?}", lambda part: named.get(part[1], "1"), path)


def leaked(text: str, known: set[str]) -> list[str]:
    return sorted(value for value in known if value in text)


def test_no_page_shows_a_viewer_a_protected_value_and_none_does_anything(both: Mending) -> None:
    known = secrets(both)
    with serving(both.runtime) as url:
        let_in(both.runtime, "olga", Role.OWNER)
        viewer = Site(both.runtime, url, let_in(both.runtime, "vera", Role.VIEWER))
        owner = Site(both.runtime, url, let_in(both.runtime, "owen", Role.OWNER))
        revealed = owner.post(filled("/customers/{customer_id}", both), {"why": "to see that it can be seen"}).text
        assert leaked(revealed, known), "an owner sees them, so that what follows says something"
        version, case = both.policy.version, both.case()
        for page in PAGES:
            path = filled(page.path, both)
            if path.startswith("/logout") or page.path.endswith("/live"):
                continue
            answer = viewer.get(path) if page.method == "GET" else viewer.post(path, ANYTHING)
            assert leaked(answer.text, known) == [], path
            assert answer.status_code < 500, path
        assert (both.policy.version, both.case()) == (version, case)


def test_no_call_tells_a_viewer_a_protected_value_and_none_does_anything(both: Mending) -> None:
    known = secrets(both)
    paths: dict[str, dict[str, Any]] = described(ROUTERS).openapi()["paths"]
    with serving(both.runtime) as url:
        let_in(both.runtime, "olga", Role.OWNER)
        viewer = Program(both.runtime, url, token_of(both.runtime, "vera", Role.VIEWER))
        version, case = both.policy.version, both.case()
        for template, item in paths.items():
            for method in item:
                if template.endswith("/live"):
                    continue
                answer = viewer.ask(method.upper(), filled(template, both), ANYTHING if method != "get" else None)
                assert leaked(answer.text, known) == [], template
                assert answer.status_code < 500, template
        assert (both.policy.version, both.case()) == (version, case)
