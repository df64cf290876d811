"""Points by hand, on pages and for programs: seen first, done once, never more than there are."""

import re
import time
from typing import Any

import pytest

from onewriter.customers.people import Role
from onewriter.records import HOUR, Instant
from tests.support.loyal import Loyal
from tests.support.pages import Program, Site
from tests.support.raw import ON_SQLITE

pytestmark = ON_SQLITE

HERE = "/customers/101/points"


@pytest.fixture
def now() -> Instant:
    """Just now, since the pages look by the machine's clock."""
    return time.time_ns() // 1000 - HOUR


@pytest.fixture
def mia(loyal: Loyal) -> Loyal:
    """Customer 101, with 50 points for signing up."""
    loyal.customer(101, loyal.now, email="Mia.Canary@example.com", first_name="Mia", last_name="Canary")
    return loyal


@pytest.fixture
def pages(mia: Loyal, site: Site) -> Site:
    return site


def balance(site: Site) -> int:
    found = re.search(r'<p class="figure">([\d,]+)</p>', site.get(HERE).text)
    assert found is not None
    return int(found[1].replace(",", ""))


def hidden(html: str) -> dict[str, str]:
    """The form of the preview, as a browser would send it."""
    form = html[html.index('id="seen-h"') :]
    form = form[: form.index("</form>")]
    found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
    return {name: value for name, value in found if name != "csrf"} | {"do_it": "yes"}


def fresh(site: Site) -> str:
    found = re.search(
        r'name="what" value="redeem"><input type="hidden" name="key" value="([^"]+)"', site.get(HERE).text
    )
    assert found is not None
    return found[1]


def test_points_are_redeemed_once_however_often_the_form_is_sent(pages: Site) -> None:
    assert balance(pages) == 50
    seen = pages.post(HERE, {"what": "redeem", "points": "20", "why": "tea", "key": fresh(pages)})
    assert "Redeemed 20 points of customer 101" in seen.text
    assert "The balance is 30 points" in seen.text
    assert balance(pages) == 50, "it was only looked at"
    given = hidden(seen.text)
    assert [pages.post(HERE, given).status_code for _ in range(3)] == [303] * 3
    assert balance(pages) == 30
    back = pages.post(f"{HERE}/undo", {"key": given["key"], "why": "she changed her mind"})
    assert (back.status_code, balance(pages)) == (303, 50)


def test_never_more_than_there_are_and_what_was_typed_is_kept(pages: Site) -> None:
    refused = pages.post(HERE, {"what": "redeem", "points": "51", "why": "much tea", "key": "k"})
    assert (refused.status_code, 'class="wrong"' in refused.text, 'value="51"' in refused.text) == (409, True, True)
    taken = pages.post(HERE, {"what": "take", "points": "51", "why": "a mistake", "key": "k"})
    assert (taken.status_code, 'value="a mistake"' in taken.text) == (409, True)
    assert balance(pages) == 50


@pytest.mark.parametrize("points", ["0", "-5", "1.5", "many", "٣", "1" * 30, "", "1e3", "1000000001"])
def test_what_is_no_number_of_points_is_told_in_a_sentence(pages: Site, points: str) -> None:
    told = pages.post(HERE, {"what": "redeem", "points": points, "key": "k", "do_it": "yes"})
    assert (told.status_code, "Give points as a whole number from 1 to" in told.text) == (422, True)
    assert balance(pages) == 50


def test_points_are_given_and_taken_for_a_reason(pages: Site) -> None:
    for what, after in (("give", 60), ("take", 50)):
        without = pages.post(HERE, {"what": what, "points": "10", "key": what, "why": " ", "do_it": "yes"})
        assert (without.status_code, "Give one line of 1 to 500 letters" in without.text) == (422, True)
        seen = pages.post(HERE, {"what": what, "points": "10", "key": what, "why": "sorry"})
        assert pages.post(HERE, hidden(seen.text)).status_code == 303
        assert balance(pages) == after


def test_a_rule_gives_once_for_each_thing(pages: Site) -> None:
    wanted = {"what": "rule", "rule": "review", "reference": "review 7", "do_it": "yes"}
    assert [pages.post(HERE, wanted).status_code for _ in range(2)] == [303, 303]
    assert balance(pages) == 80
    unknown = pages.post(HERE, wanted | {"rule": "nonsense"})
    assert (unknown.status_code >= 400, 'value="nonsense"' in unknown.text) == (True, True)


def test_who_earns_and_how_long_is_decided(pages: Site) -> None:
    assert pages.post(HERE, {"what": "exclude", "why": "misuse"}).status_code == 303
    assert "Earns nothing: misuse" in pages.get(HERE).text
    pages.post(HERE, {"what": "include"})
    assert "Earns nothing: misuse" not in pages.get(HERE).text
    assert pages.post(HERE, {"what": "days", "days": "30"}).status_code == 303
    assert "after 30 days without activity" in pages.get(HERE).text
    assert pages.post(HERE, {"what": "days", "days": "soon"}).status_code == 422
    assert pages.post(HERE, {"what": "nonsense"}).status_code == 422


def test_a_viewer_moves_no_points(pages: Site) -> None:
    viewer = pages.as_(Role.VIEWER)
    assert "Redeem" not in viewer.get(HERE).text
    for what in ("redeem", "give", "exclude", "days"):
        wanted = {"what": what, "points": "1", "key": "k", "why": "me", "days": "30", "do_it": "yes"}
        assert viewer.post(HERE, wanted).status_code == 403
    assert viewer.post(f"{HERE}/undo", {"key": "k", "why": "me"}).status_code == 403
    assert balance(pages) == 50


# ---- Programs -------------------------------------------------------------------------------------------------------


def ask(program: Program, path: str, body: Any) -> tuple[int, Any]:
    answer = program.ask("POST", path, body)
    return answer.status_code, answer.json()


def test_a_till_redeems_once(program: Program, mia: Loyal) -> None:
    wanted = {"points": 20, "key": "till-1", "why": "tea"}
    code, dry = ask(program, f"{HERE}/redeem", wanted | {"dry_run": True})
    assert (code, dry["account"]["balance"], dry["dry_run"]) == (200, 30, True)
    done = [ask(program, f"{HERE}/redeem", wanted)[1] for _ in range(2)]
    assert [(each["account"]["balance"], each["again"]) for each in done] == [(30, False), (30, True)]
    assert ask(program, f"{HERE}/redeem", {"points": 31, "key": "till-2"})[0] == 409
    for wrong in ({"points": 0}, {"points": 10**30}, {"points": "many"}, {"key": ""}, {"key": "a\nb"}):
        assert ask(program, f"{HERE}/redeem", wanted | wrong)[0] == 422, wrong
    assert ask(program, "/points/take-back", {"key": "till-1"})[1]["account"]["balance"] == 50
    assert ask(program, "/customers/mia@example.com/points/redeem", wanted)[0] == 404, "an address is in no address"


def test_a_program_adjusts_gives_and_decides(program: Program, mia: Loyal) -> None:
    assert ask(program, f"{HERE}/adjust", {"points": -10, "why": "a mistake"})[1]["account"]["balance"] == 40
    assert ask(program, f"{HERE}/adjust", {"points": 0, "why": "nothing"})[0] == 422
    assert ask(program, f"{HERE}/give", {"rule": "review", "reference": "r 7"})[1]["account"]["balance"] == 70
    assert ask(program, f"{HERE}/exclude", {"why": "misuse"})[1]["excluded_by"] == "person"
    assert ask(program, f"{HERE}/include", None)[1]["excluded_by"] is None
    assert ask(program, f"{HERE}/days", {"days": "30"})[1]["account"]["own_days"] == 30
    viewer = program.as_(Role.VIEWER)
    for path, body in (
        ("redeem", {"points": 1, "key": "k"}), ("adjust", {"points": 1, "why": "me"}), ("exclude", {"why": "me"}),
        ("give", {"rule": "review", "reference": "r 8"}), ("include", None), ("days", {"days": "1"}),
    ):  # fmt: skip
        assert ask(viewer, f"{HERE}/{path}", body)[0] == 403, path
    assert ask(viewer, "/points/take-back", {"key": "k"})[0] == 403
