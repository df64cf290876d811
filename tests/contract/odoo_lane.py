"""The lane of `make test-odoo`: the conformance suite on a real Odoo, by both of its protocols, and Odoo's own quirks.

`make test` does not collect this file, since Odoo is large. There, `test_odoo.py` holds the connector against a fake
that answers as this Odoo did.
"""

import importlib.util
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from onewriter.connectors import conformance
from onewriter.connectors.interface import Applied, Connector, FieldPatch, Record, Rejected, State, Unchanged, Wanted
from onewriter.connectors.odoo import Odoo
from onewriter.errors import SystemChanged
from tests.support.odoo import OdooBench, Server, Wire, called

TOOL = Path(__file__).resolve().parents[2] / "tools" / "odoo_up.py"
pytestmark = [pytest.mark.contract, pytest.mark.time_limit(600)]


@pytest.fixture(scope="session")
def odoo() -> Iterator[Server]:
    """A real Odoo; where it is not to be had, the reason is printed once."""
    spec = importlib.util.spec_from_file_location("odoo_up", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = sys.modules["odoo_up"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    server: Any = None
    try:
        with tool.running_odoo() as server:
            yield server
    except tool.Unavailable as error:
        if os.environ.get("CI") or server is not None:
            raise
        pytest.skip(f"there is no Odoo to be had here: {error}")


def configured(odoo: Server, protocol: str = "auto", **more: Any) -> dict[str, Any]:
    return {
        "url": odoo.url,
        "database": odoo.database,
        "login": odoo.login,
        "key": odoo.key,
        "protocol": protocol,
    } | more


@pytest.mark.parametrize("protocol", ["json2", "jsonrpc", "auto"])
def test_every_check_passes_on_a_real_odoo(odoo: Server, protocol: str) -> None:
    wire = Wire()
    bench = OdooBench(odoo, configured(odoo, protocol), wire)
    try:
        found = list(conformance.run(Odoo(transport=wire), configured(odoo, protocol), bench))
    finally:
        bench.clear_up()
    assert {each.name: each.detail for each in found if each.verdict == "failed"} == {}
    idle = {each.name for each in found if each.verdict == "not applicable"}
    assert len(found) - len(idle) >= 40, idle


@pytest.fixture
def contacts(odoo: Server) -> Iterator[Connector]:
    """The contacts, open for some of their fields."""
    names = ("name", "email", "phone", "lang", "color", "active", "country_id", "ref")
    connector = Odoo().open(configured(odoo), Wanted(names, names))
    yield connector
    connector.close()


def made(odoo: Server, **values: Any) -> str:
    [number] = called(odoo, "res.partner", "create", vals_list=[{"name": "kanarie", **values}])
    return str(number)


def test_odoo_still_turns_a_number_into_a_text_and_a_wrong_word_into_itself(odoo: Server, contacts: Connector) -> None:
    """What the connector refuses beforehand is what Odoo itself would have taken."""
    key = made(odoo)
    called(odoo, "res.partner", "write", ids=[int(key)], vals={"phone": 123, "lang": "xx_XX"})
    [row] = called(odoo, "res.partner", "read", ids=[int(key)], fields=["phone", "lang"])
    assert (row["phone"], row["lang"]) == ("123", "xx_XX")
    for name, value in (("phone", 123), ("lang", "xx_XX"), ("color", "12")):
        assert contacts.write([FieldPatch(key=key, set={name: value})])[0].__class__ is Rejected


def test_an_archived_contact_is_read_and_written_like_any_other(odoo: Server, contacts: Connector) -> None:
    key = made(odoo)
    called(odoo, "res.partner", "action_archive", ids=[int(key)])
    [record] = contacts.read_keys([key])
    assert record.fields["active"] is False
    assert isinstance(contacts.write([FieldPatch(key=key, set={"phone": "+3312345"})])[0], Applied)
    assert key in {each.id for each in contacts.read(None) if isinstance(each, Record)}


def test_a_write_of_what_is_there_leaves_the_time_of_change(odoo: Server, contacts: Connector) -> None:
    key = made(odoo, phone="+3312345")
    [before] = called(odoo, "res.partner", "read", ids=[int(key)], fields=["write_date"])
    assert contacts.write([FieldPatch(key=key, set={"phone": "+3312345", "active": True})]) == [Unchanged(key)]
    assert called(odoo, "res.partner", "read", ids=[int(key)], fields=["write_date"]) == [before]


def test_a_link_is_its_id_and_a_rule_of_odoos_is_told(odoo: Server, contacts: Connector) -> None:
    [country] = called(odoo, "res.country", "search", domain=[["code", "=", "FR"]])
    key = made(odoo)
    assert isinstance(contacts.write([FieldPatch(key=key, set={"country_id": country})])[0], Applied)
    [record] = contacts.read_keys([key])
    assert record.fields["country_id"] == country
    assert contacts.write([FieldPatch(key=key, clear=("name",))]) == [
        Rejected("name", "a rule of Odoo's does not allow it")
    ]


def test_only_some_records_count_where_the_setting_says_so(odoo: Server) -> None:
    company, person = made(odoo, is_company=True), made(odoo)
    only = Odoo().open(configured(odoo, only=[["is_company", "=", True]]), Wanted(("name",)))
    read = {each.id for each in only.read(None) if isinstance(each, Record)}
    assert company in read
    assert person not in read
    wrong = Odoo().open(configured(odoo, only=[["no_such_field", "=", True]]), Wanted(("name",)))
    with pytest.raises(SystemChanged):
        list(wrong.read(None))
    with pytest.raises(SystemChanged):
        list(only.read(State({"since": "yesterday"})))
