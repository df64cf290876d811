"""`onewriter people`: who has which role, and that there is always an owner."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, USAGE
from onewriter.customers import people
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
