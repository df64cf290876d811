"""`onewriter tokens`: programs are let in by an owner, with a secret that is shown once."""

from collections.abc import Callable

import pytest

from onewriter import settings
from onewriter.cli.frame import FAILED, USAGE
from onewriter.customers import tokens
from onewriter.customers.people import Role
from onewriter.records import DAY
from onewriter.runtime import Runtime, now
from tests.faces.conftest import Onewriter

Become = Callable[[str], None]


def token_of(secret: str) -> tokens.Token | None:
    with Runtime(settings.load()) as runtime:
        return tokens.resume(runtime.database, secret, now())


def test_a_token_is_made_listed_and_revoked(installed: Onewriter, become: Become) -> None:
    become("anna")
    assert "tokens create NAME" in installed("tokens", "list").out
    made = installed.json("tokens", "create", "till", "--role", "staff", "--days", "30")
    assert (made["name"], made["role"]) == ("till", "staff")
    token = token_of(made["secret"])
    assert token is not None
    assert (token.who, token.role, token.made_by) == ("token:till", Role.STAFF, "user:anna")
    assert token.ends_at == token.made_at + 30 * DAY
    [listed] = installed.json("tokens", "list")
    assert (listed["name"], listed["lives"], listed["revoked_at"]) == ("till", True, None)
    assert listed["used_at"] is not None
    for words in (("tokens", "list"), ("tokens", "list", "--json"), ("privacy", "access", "list", "--json")):
        assert made["secret"] not in installed(*words).all
    assert "lets nobody in any more" in installed("tokens", "revoke", "till").out
    assert token_of(made["secret"]) is None
    [listed] = installed.json("tokens", "list")
    assert listed["lives"] is False


def test_the_secret_stands_alone_on_its_line_to_be_taken_by_a_script(onewriter: Onewriter) -> None:
    told = onewriter("tokens", "create", "till")
    [secret] = told.out.splitlines()
    token = token_of(secret)
    assert token is not None
    # What is not said is the least: a viewer, for a year.
    assert (token.role, (token.ends_at or 0) - token.made_at) == (Role.VIEWER, 365 * DAY)
    assert "nobody can show it again" in told.err


def test_only_an_owner_lets_programs_in(onewriter: Onewriter, become: Become) -> None:
    become("anna")
    onewriter("people", "set", "ben", "staff")
    onewriter("tokens", "create", "till")
    become("ben")
    for words in (("create", "mine", "--role", "owner"), ("list",), ("revoke", "till")):
        assert onewriter.json("tokens", *words, code=FAILED)["error"]["kind"] == "Forbidden"
    become("anna")
    assert [(each["name"], each["lives"]) for each in onewriter.json("tokens", "list")] == [("till", True)]


def test_what_is_done_about_tokens_is_in_the_access_log_by_name(onewriter: Onewriter, become: Become) -> None:
    become("anna")
    onewriter("tokens", "create", "till", "--role", "staff")
    onewriter("tokens", "revoke", "till")
    told = [(line["actor"], line["action"], line["subject"]) for line in onewriter.json("privacy", "access", "list")]
    assert told == [
        ("user:anna", "tokens", "revoke token:till"),
        ("user:anna", "tokens", "create token:till as staff"),
    ]


@pytest.mark.parametrize(
    "words", [("",), ("two words",), ("till", "--days", "0"), ("till", "--days", "3651"), ("till", "--role", "king")]
)
def test_what_is_given_wrongly_makes_no_token(onewriter: Onewriter, words: tuple[str, ...]) -> None:
    [line] = onewriter("tokens", "create", *words, code=USAGE).err.splitlines()[-1:]
    assert line
    assert onewriter.json("tokens", "list") == []


def test_a_name_that_was_used_and_one_that_never_was(onewriter: Onewriter) -> None:
    onewriter("tokens", "create", "till")
    assert "choose another" in onewriter("tokens", "create", "till", code=USAGE).err
    assert onewriter.json("tokens", "revoke", "desk", code=FAILED)["error"]["kind"] == "UnknownToken"
