"""Settings on pages: the shop and its health, who has which role, API tokens, master keys, and no secret anywhere."""

import re
from typing import Any

import pytest

from onewriter.customers import people, sessions, shops, tokens
from onewriter.customers.access_lines import Wanted, newest
from onewriter.customers.people import Role
from onewriter.records import DAY, Instant
from onewriter.shopify.auth import Credentials
from onewriter.shopify.tokens import seal_credentials
from tests.support.pages import Program, Site
from tests.support.raw import ON_SQLITE
from tests.support.shops import SECRET, Tea

pytestmark = ON_SQLITE


def plain(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def roles(tea: Tea) -> dict[str, str]:
    with tea.runtime.database.read() as db:
        return {each.name: each.role.value for each in people.every(db)}


def subjects(tea: Tea) -> list[str | None]:
    with tea.runtime.database.read() as db:
        return [line.subject for line in newest(db, Wanted(), 100)]


@pytest.fixture
def coffee(tea: Tea, now: Instant) -> Tea:
    """A second shop beside the tea shop."""
    columns: dict[str, Any] = {"domain": "coffee.myshopify.com", "admin_url": "https://coffee.myshopify.com"}
    columns |= {"public_url": "https://tea.example", "api_version": "2026-10", "state": "connected", "scopes": []}
    with tea.runtime.database.write() as db:
        shop_id = shops.add(db, columns | {"region": None, "box": b"", "installed_at": now, "connected_at": now})
        key = tea.runtime.keys.make_shop_key(shop_id, now)
        credentials = Credentials("token", access_token="shpat_of_coffee", api_secrets=("shpss_of_coffee",))
        shops.change(db, shop_id, {"box": seal_credentials(key, shop_id, credentials)})
    return Tea(tea.runtime, shop_id)


# ---- The shop -------------------------------------------------------------------------------------------------------


def test_the_shop_and_its_health_are_shown_without_a_call_to_shopify(site: Site) -> None:
    shown = plain(site.get("/settings").text)
    for told in ("tea.myshopify.com", "Connected since 2 Mar 2026", "read_customers", "2026-10"):
        assert told in shown, told
    assert "no worker is running start onewriter serve" in shown
    assert "no delivery is parked" in shown
    assert shown.index("no worker is running") < shown.index("no delivery is parked"), "faults come first"
    assert "is missing, so" in shown


def test_another_shop_is_chosen_for_the_session_and_for_no_other(coffee: Tea, site: Site) -> None:
    other = Site(site.runtime, site.url, site.as_(Role.VIEWER).cookie)
    assert "coffee.myshopify.com" in site.get("/settings").text
    chosen = site.post("/settings/shop", {"shop": "tea.myshopify.com"})
    assert (chosen.status_code, chosen.headers["location"]) == (303, "/")
    assert '<h2 id="shop-h">tea.myshopify.com' in site.get("/settings").text
    assert '<h2 id="shop-h">coffee.myshopify.com' in other.get("/settings").text
    for wrong in ("nobody.myshopify.com", "<script>"):
        assert site.post("/settings/shop", {"shop": wrong}).status_code in (404, 422)


def test_no_secret_stands_on_any_page_of_the_settings(site: Site, tea: Tea) -> None:
    pages = [site.get(f"/settings{each}") for each in ("", "/people", "/tokens", "/keys", "/values")]
    assert {each.status_code for each in pages} == {200}
    master = tea.runtime.settings.master_key_file.read_text().split()[-1]
    for secret in (SECRET, "shpat_of_the_tests", master, site.cookie or ""):
        assert not any(secret in each.text for each in pages)
    assert tea.runtime.keys.current.id in pages[3].text
    assert "ONEWRITER_DATABASE_URL" in pages[4].text


def test_a_viewer_sees_neither_settings_nor_keys_nor_tokens(site: Site) -> None:
    viewer, staff = site.as_(Role.VIEWER), site.as_(Role.STAFF)
    assert [viewer.get(f"/settings/{each}").status_code for each in ("values", "keys", "tokens")] == [403] * 3
    assert [staff.get(f"/settings/{each}").status_code for each in ("values", "keys", "tokens")] == [200, 200, 403]
    assert "/settings/tokens" not in staff.get("/settings").text


# ---- People ---------------------------------------------------------------------------------------------------------


def test_somebody_is_invited_by_a_link_that_is_shown_once(site: Site, tea: Tea) -> None:
    made = site.post("/settings/people/invite", {"name": "ben", "role": "staff"})
    link = re.search(r"<code>(http://[^<]+/welcome\?link=[^<]+)</code>", made.text)
    assert link is not None
    assert link.group(1).startswith(site.url), "by the address that the owner has open"
    assert link.group(1) not in site.get("/settings/people").text
    path = link.group(1).removeprefix(site.url)
    given = {"link": path.partition("=")[2], "password": "four words make one", "password_again": "four words make one"}
    assert Site(site.runtime, site.url, None).post("/welcome", given).status_code == 303
    assert roles(tea)["user:ben"] == "staff"
    for wrong in (
        {"name": "two words", "role": "staff"},
        {"name": "ben", "role": "king"},
        {"name": "", "role": "staff"},
    ):
        refused = site.post("/settings/people/invite", wrong)
        assert (refused.status_code, 'role="alert"' in refused.text) == (422, True), wrong


def test_roles_are_given_and_taken_by_owners_alone_and_there_is_always_one(site: Site, tea: Tea) -> None:
    staff = site.as_(Role.STAFF)
    name = "user:staff-staff"
    changes = {"role": {"name": name, "role": "owner"}, "remove": {"name": name}, "log-out": {"name": name}}
    for path, given in changes.items():
        assert staff.post(f"/settings/people/{path}", given).status_code == 403
    assert staff.get(f"/settings/people/remove?name={name}").status_code == 403
    assert "Invite" not in staff.get("/settings/people").text
    assert roles(tea)[name] == "staff"
    last = site.post("/settings/people/role", {"name": "user:olga", "role": "viewer"})
    assert (last.status_code, "There must be an owner" in last.text) == (403, True)
    assert site.post("/settings/people/log-out", {"name": name}).status_code == 303
    assert sessions.resume(tea.runtime.database, staff.cookie or "", tea.runtime.now()) is None
    assert site.post("/settings/people/role", changes["role"]).status_code == 303
    assert roles(tea)[name] == "owner"
    assert "log in no more" in site.get(f"/settings/people/remove?name={name}").text
    assert site.post("/settings/people/remove", {"name": name}).status_code == 303
    assert roles(tea) == {"user:olga": "owner"}
    assert site.get(f"/settings/people/remove?name={name}").status_code == 404
    assert site.get("/settings/people/remove").status_code == 422
    assert subjects(tea)[:3] == [f"remove {name}", f"set {name} to owner", f"log out {name}"]


# ---- Tokens ---------------------------------------------------------------------------------------------------------


def test_a_token_is_made_shown_once_and_revoked(site: Site, tea: Tea) -> None:
    made = site.post("/settings/tokens", {"name": "till", "role": "viewer", "days": "30"})
    secret = re.search(r"<code>(ow_[^<]+)</code>", made.text)
    assert secret is not None
    program = Program(site.runtime, site.url, secret.group(1))
    assert program.ask("GET", "/runs").status_code == 200
    listed = site.get("/settings/tokens").text
    assert ("till" in listed, secret.group(1) in listed) == (True, False)
    with tea.runtime.database.read() as db:
        [token] = tokens.every(db)
    assert token.ends_at == token.made_at + 30 * DAY
    assert site.as_(Role.STAFF).post("/settings/tokens/revoke", {"name": "till"}).status_code == 403
    assert site.post("/settings/tokens/revoke", {"name": "till"}).status_code == 303
    assert program.ask("GET", "/runs").status_code == 401
    assert site.post("/settings/tokens/revoke", {"name": "nobody"}).status_code == 404


@pytest.mark.parametrize(
    "wrong",
    [{"name": ""}, {"name": "two words"}, {"role": "king"}, {"days": "0"}, {"days": "soon"}, {"days": "99999"}],
)
def test_a_token_that_cannot_be_made_is_told_beside_what_was_typed(site: Site, wrong: dict[str, str]) -> None:
    given = {"name": "till", "role": "viewer", "days": "30"} | wrong
    refused = site.post("/settings/tokens", given)
    assert (refused.status_code, 'role="alert"' in refused.text) == (422, True)
    assert f'value="{given["name"]}"' in refused.text
    assert site.as_(Role.STAFF).post("/settings/tokens", given).status_code == 403
