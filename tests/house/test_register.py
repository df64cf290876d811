"""Every table says how its personal data is sealed, purged, exported and merged."""

import pytest
from sqlalchemy import BigInteger, Column, LargeBinary, MetaData, Table

from onewriter.customers import exporting
from onewriter.db import keytables, register, tables, webtables
from onewriter.db.register import KEY_REGISTER, REGISTER, unregistered


def test_no_table_and_no_column_is_forgotten() -> None:
    assert unregistered() == []


def test_no_table_is_named_that_is_not_there_and_no_column_either() -> None:
    for metadata, entries in ((tables.metadata, REGISTER), (keytables.metadata, KEY_REGISTER)):
        for entry in entries:
            leading = {name for name in (entry.subject, entry.other) if name}
            named = {*entry.sealed, *entry.tokens, *entry.ids, *leading}
            assert named <= set(metadata.tables[entry.table].columns.keys()), entry.table


def test_the_two_databases_share_no_table() -> None:
    assert not set(tables.metadata.tables) & set(keytables.metadata.tables)


@pytest.mark.req("K37")
def test_whatever_an_erasure_deletes_is_found_by_a_column() -> None:
    lost = [entry.table for entry in REGISTER if entry.purge == "delete" and entry.subject is None]
    assert lost == []


def test_a_table_that_leads_to_a_customer_says_what_the_purge_does() -> None:
    silent = [entry.table for entry in REGISTER if entry.subject and entry.purge == "never" and not entry.why]
    assert silent == []


@pytest.mark.req("K37")
def test_whatever_ends_with_its_shop_is_found_by_the_shop_or_by_a_customer() -> None:
    found = {name: table.columns.keys() for name, table in tables.metadata.tables.items()}
    ending = [entry.table for entry in REGISTER if not entry.outlives_shop]
    assert [name for name in ending if not {"shop_id", "customer_id"} & set(found[name])] == []


@pytest.mark.req("K31")
def test_whatever_a_data_request_exports_can_be_opened_and_says_why_it_is_kept() -> None:
    assert exporting.unopened() == []


@pytest.mark.parametrize(
    ("column", "forgotten"),
    [
        (Column("box", LargeBinary), ["cards.box"]),
        (Column("shopify_id", BigInteger), ["cards.shopify_id"]),
        (Column("customer_id", LargeBinary), []),
    ],
)
def test_a_new_column_that_could_hold_something_of_a_person_is_noticed(
    monkeypatch: pytest.MonkeyPatch, column: "Column[object]", forgotten: list[str]
) -> None:
    grown = MetaData()
    Table("cards", grown, column)
    monkeypatch.setattr(webtables, "metadata", grown)
    assert unregistered() == ["cards"]
    monkeypatch.setattr(register, "REGISTER", (register.Entry("cards", None),))
    assert unregistered() == forgotten
