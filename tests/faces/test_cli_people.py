"""`onewriter people`: who has which role and who may log in, and that there is always an owner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, USAGE
from onewriter.customers import invitations, logins, people, sessions
from onewriter.customers.people import Role
from onewriter.errors import Forbidden
from onewriter.runtime import Runtime, now
from tests.faces.conftest import Onewriter

Become = Callable[[str], None]


def roles(onewriter: Onewriter) -> dict[str, str]:
    return {one["name"]: one["role"] for one in onewriter.json("people", "list")}


def test_as_long_as_nobody_is_listed_whoever_gives_a_command_is_an_owner(installed: Onewriter, become: Become) -> None:
    become("anna")
    assert installed.json("people", "list") == []
    assert "begins the list" in installed("people", "list").out
    installed("people", "set", "anna", "owner")
    assert roles(installed) == {"user:anna": "owner"}
    become("ben")
    error = installed.json("people", "set", "ben", "owner", code=FAILED)["error"]
    assert error["kind"] == "Forbidden"
    assert "needs the role owner, and you are viewer" in error["message"]
    assert "`onewriter people set ben owner`" in error["message"]


def test_who_lists_somebody_else_first_becomes_an_owner(installed: Onewriter, become: Become) -> None:
    become("anna")
    document = installed.json("people", "set", "user:ben", "staff")
    assert (document["name"], document["role"], document["set_by"]) == ("user:ben", "staff", "user:anna")
    assert roles(installed) == {"user:anna": "owner", "user:ben": "staff"}
    assert "user:ben is viewer now" in installed("people", "set", "ben", "viewer").out
    installed("people", "remove", "ben")
    assert roles(installed) == {"user:anna": "owner"}


def test_the_last_owner_stays(onewriter: Onewriter, become: Become) -> None:
    become("anna")
    # Not even the first command of all can leave a list without one.
    assert "must be an owner" in onewriter("people", "set", "anna", "viewer", code=FAILED).err
    assert onewriter.json("people", "list") == []
    onewriter("people", "set", "ben", "staff")
    for words in (("set", "anna", "staff"), ("remove", "anna")):
        [line] = onewriter("people", *words, code=FAILED).err.splitlines()
        assert "must be an owner" in line
    onewriter("people", "set", "ben", "owner")
    onewriter("people", "remove", "anna")
    assert roles(onewriter) == {"user:ben": "owner"}


def test_two_owners_cannot_remove_each_other(installed: Onewriter) -> None:
    installed("people", "list")
    with Runtime(settings.load()) as runtime:
        with runtime.database.write() as db:
            for name in ("user:anna", "user:ben"):
                people.give(db, "user:anna", name, Role.OWNER, now())

        def remove(name: str) -> bool:
            try:
                with runtime.database.write() as db:
                    people.remove(db, name)
            except Forbidden:
                return False
            return True

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(remove, ("user:anna", "user:ben"))) == [False, True]
        with runtime.database.read() as db:
            assert [one.role for one in people.every(db)] == [Role.OWNER]


@pytest.mark.parametrize("name", ["", "  ", "a b", "a\x1b[2J", "x" * 65, "user:"])
def test_a_name_is_that_of_an_operating_system_user(onewriter: Onewriter, name: str) -> None:
    assert "operating-system user" in onewriter("people", "set", name, "staff", code=USAGE).err


def test_nobody_of_that_name(onewriter: Onewriter) -> None:
    assert onewriter.json("people", "remove", "ben", code=FAILED)["error"]["kind"] == "UnknownPerson"


def test_a_change_of_roles_is_in_the_access_log(onewriter: Onewriter, become: Become) -> None:
    become("anna")
    onewriter("people", "set", "ben", "staff")
    become("ben")
    onewriter("people", "remove", "anna", code=FAILED)
    lines = onewriter.json("privacy", "access", "list")
    told = [(line["actor"], line["role"], line["action"], line["subject"], line["allowed"]) for line in lines]
    assert told == [
        ("user:ben", "staff", "people", "remove user:anna", False),
        ("user:anna", "owner", "people", "set user:ben to staff", True),
    ]


# ---- Who logs in to the pages ---------------------------------------------------------------------------------------

SECRET = "four words make one"


def use(link: str, name: str) -> None:
    """Open a link and choose a password."""
    with Runtime(settings.load()) as runtime:
        invitations.accept(runtime.database, link.partition("?link=")[2], name, SECRET, now())


def gets_in(name: str) -> bool:
    with Runtime(settings.load()) as runtime:
        return logins.check(runtime.database, name, SECRET, now()).ok


def test_somebody_is_invited_by_a_link_and_logged_out_by_a_command(installed: Onewriter, become: Become) -> None:
    become("anna")
    invited = installed.json("people", "invite", "ben", "staff")
    assert (invited["name"], invited["role"]) == ("user:ben", "staff")
    assert invited["link"].startswith("http://127.0.0.1:8480/welcome?link=")
    assert roles(installed) == {}
    use(invited["link"], "user:ben")
    # As with `people set`, whoever lets the first person in becomes an owner.
    assert roles(installed) == {"user:anna": "owner", "user:ben": "staff"}
    assert gets_in("user:ben")
    with Runtime(settings.load()) as runtime, runtime.database.write() as db:
        cookies = [sessions.begin(db, "user:ben", now()) for _ in range(2)]
    assert installed.json("people", "log-out", "ben") == {"name": "user:ben", "ended": 2}
    with Runtime(settings.load()) as runtime:
        assert [sessions.resume(runtime.database, cookie, now()) for cookie in cookies] == [None, None]
    assert "logged out: 0 sessions" in installed("people", "log-out", "ben").out
    assert gets_in("user:ben")
    installed("people", "remove", "ben")
    assert not gets_in("user:ben")


def test_a_second_link_makes_way_for_a_new_password_and_voids_the_first(onewriter: Onewriter, become: Become) -> None:
    become("anna")
    first, second = (onewriter("people", "invite", "ben", "staff").out.splitlines()[-1] for _ in range(2))
    with pytest.raises(Forbidden):
        use(first, "user:ben")
    use(second, "user:ben")
    assert gets_in("user:ben")


def test_a_link_names_the_address_at_which_people_open_the_pages(
    onewriter: Onewriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ONEWRITER_WEB_URL", "https://shop.example/")
    assert onewriter.json("people", "invite", "ben", "staff")["link"].startswith("https://shop.example/welcome?link=")


def test_invitations_are_an_owners_and_are_in_the_access_log(onewriter: Onewriter, become: Become) -> None:
    become("anna")
    onewriter("people", "set", "ben", "staff")
    onewriter("people", "log-out", "ben")
    become("ben")
    refused = onewriter("people", "invite", "ben", "owner", code=FAILED)
    assert "welcome" not in refused.all
    onewriter("people", "log-out", "anna", code=FAILED)
    lines = onewriter.json("privacy", "access", "list")
    assert [(line["actor"], line["subject"], line["allowed"]) for line in lines][:3] == [
        ("user:ben", "log out user:anna", False),
        ("user:ben", "invite user:ben as owner", False),
        ("user:anna", "log out user:ben", True),
    ]


# ---- The first person -----------------------------------------------------------------------------------------------


def welcome(onewriter: Onewriter) -> tuple[str | None, str]:
    """The link that `onewriter serve` prints, and what it says of it."""
    told = onewriter("prepare", "--welcome", "http://127.0.0.1:9", "--json")
    return told.document["welcome"], told.err


def test_as_long_as_nobody_can_log_in_each_start_prints_a_new_link(installed: Onewriter, become: Become) -> None:
    become("anna")
    first, second = welcome(installed)[0], welcome(installed)[0]
    assert first is not None
    assert second is not None
    assert second.startswith("http://127.0.0.1:9/welcome?link=")
    with pytest.raises(Forbidden):
        use(first, "user:eve")
    use(second, "user:eve")
    assert roles(installed) == {"user:anna": "owner", "user:eve": "owner"}
    assert welcome(installed) == (None, "")
    assert [line["subject"] for line in installed.json("privacy", "access", "list")] == [
        "invite the first person as owner"
    ] * 2


def test_nobody_becomes_an_owner_by_starting_the_service(onewriter: Onewriter, become: Become) -> None:
    become("anna")
    onewriter("people", "set", "ben", "staff")
    become("ben")
    link, told = welcome(onewriter)
    assert link is None
    assert "`onewriter people invite NAME ROLE`" in told
    become("anna")
    assert welcome(onewriter)[0] is not None
