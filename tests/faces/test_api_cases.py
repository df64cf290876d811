"""Cases for programs: one that concerns most of a shop is told in short, and lists its customers page by page."""

import pytest

from onewriter.audit import cases_taking
from onewriter.audit.gathering import Gathered
from onewriter.records import Instant
from onewriter.rules.diagnosis.evidence import Side
from onewriter.runtime import Runtime
from tests.support import judging
from tests.support.crm import CRM
from tests.support.pages import Program, Site
from tests.support.raw import ON_SQLITE
from tests.support.shops import Tea, told

pytestmark = ON_SQLITE

MANY = 130


@pytest.fixture
def now(runtime: Runtime) -> Instant:
    """Now, by the clock that the API goes by."""
    return runtime.now()


@pytest.fixture
def large(tea: Tea, now: Instant) -> None:
    """A case of many customers."""
    numbers = range(1, MANY + 1)
    tea.apply(*(told(each, now, {"email": f"a{each}@example.com"}) for each in numbers), now=now)
    customers = {f"s{each}": profile.customer_id for each in numbers if (profile := tea.profile(each)) is not None}
    found = judging.case([judging.row(each, judging.rules("phone")) for each in numbers], "transform_lossy")
    gathered = Gathered(
        evidence=judging.evidence(), customers={name: each for name, each in customers.items() if each is not None},
        records={f"t{each}": f"record-{each}" for each in numbers}, pairs=MANY, differing={}, found=MANY, opened=MANY,
        is_sample=False, loose={Side.SOURCE: 0, Side.TARGET: 0},
    )  # fmt: skip
    with tea.runtime.database.write() as db:
        cases_taking.take(db, tea.vault, CRM, "run-1", [found], gathered, now)


def test_a_case_of_many_names_some_and_lists_all_of_them_in_pages(program: Program, site: Site, large: None) -> None:
    case = program.get("/cases/1")
    assert (case["affected"], case["wrong_still"], len(case["records"])) == (MANY, MANY, 100)
    listed: list[int] = []
    following = "/cases/1/customers?limit=60"
    for most in (60, 60, 10):
        page = program.get(following)
        assert len(page["items"]) == most
        listed += [int(each["id"]) for each in page["items"]]
        following = f"/cases/1/customers?limit=60&cursor={page['next']}"
    assert page["next"] is None
    assert sorted(listed) == list(range(1, MANY + 1))
    assert program.ask("GET", "/cases/2/customers").status_code == 404
    assert program.ask("GET", "/cases/1/customers?cursor=WyJ4Il0").status_code == 422
    [first] = program.get("/overview")["first_cases"]
    assert first["first_move"] == case["first_move"]
    assert case["first_move"] in site.get("/").text, "the overview tells it at once"
    shown = site.get("/cases/1").text
    assert f"{MANY} of {MANY} customers are wrong still" in shown
    assert f"and {MANY - 20} more" in shown
