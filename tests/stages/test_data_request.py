"""The export of everything that is held of one person: all of it, opened, and nothing of anybody else."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from sqlalchemy import insert, update

from onewriter.customers import access, exporting
from onewriter.customers.access import Act
from onewriter.customers.exporting import NOT_OPENED, OF_ANOTHER, Held
from onewriter.customers.findings import Finding, add
from onewriter.db import register
from onewriter.db.pointtables import receipts
from onewriter.db.register import REGISTER
from onewriter.db.tables import customers, metadata, parked_values
from onewriter.records import DAY, HOUR, Instant, Path, id_text, iso
from onewriter.vault.seal import bound_to
from tests.support.lawful import data_request
from tests.support.redacting import ANN, BEN, CARO, body_of, deliver, id_of
from tests.support.shops import Tea, absent, gone, later, told

PHONE = "+442071838750"
KEEP_DAYS = 30


def somebody(number: int, name: str, now: Instant) -> Any:
    """A customer whose every value says whose it is, but for a telephone that is shared."""
    fields = {"first_name": f"First{name}", "email": f"{name}@example.com", "phone": PHONE, "note": f"note of {name}"}
    consent = {"state": "subscribed", "level": "single_opt_in", "at": now - HOUR}
    read = {"tags": [f"tag-{name}"], "email_consent": consent}
    return told(number, now - HOUR, fields | read, heard=now, path=Path.READ)


def export(tea: Tea, number: int) -> dict[str, Held]:
    with tea.runtime.database.read() as db:
        who = exporting.whom(db, tea.vault, number)
        return {each.table: each for each in exporting.everything(db, tea.vault, who, KEEP_DAYS)}


def as_text(found: dict[str, Held]) -> str:
    """All of an export, as it is written."""
    return json.dumps({name: [*each.rows] for name, each in found.items()})


def rows(found: dict[str, Held], table: str) -> Sequence[Any]:
    return found[table].rows


@pytest.mark.req("K31")
@pytest.mark.parametrize("hidden", [False, True])
def test_all_that_is_held_of_a_customer_is_in_it_deleted_or_not(tea: Tea, now: Instant, hidden: bool) -> None:
    deliver(tea, now, "customers/create", body_of(ANN, now - 2 * HOUR, email="ann@example.com", note="old"), "w-create")
    tea.apply(somebody(ANN, "ann", now), now=now)
    if hidden:
        tea.apply(gone(ANN, later(now, 1)), now=later(now, 1))
    deliver(tea, now, "customers/data_request", data_request(ANN))
    ours = id_of(tea, ANN)
    key = tea.runtime.keys.subject_keys([ours])[ours]
    parked = {"id": b"p" * 16, "shop_id": tea.shop_id, "customer_id": ours, "system": "odoo", "field": "note"}
    box = key.seal_fields({"note": "parked"}, bound_to("parked_values", tea.shop_id, b"p" * 16))
    with tea.runtime.database.write() as db:
        db.execute(insert(parked_values), parked | {"box": box, "reason": "too long", "parked_at": now})
        add(db, tea.shop_id, Finding("a kind", "a reason", ours, evidence={"order": 1}), now)
    access.append(
        tea.runtime.database,
        tea.runtime.keys,
        [Act("reveal", "user:ann", "owner", tea.shop_id, ours, fields=["email"], reason="a question of hers")],
        now,
    )
    found = export(tea, ANN)
    (profile,), (side,) = rows(found, "customers"), rows(found, "sides")
    assert profile["shopify_id"] == ANN
    assert profile["holds"]["email"] == side["holds"]["email"] == "ann@example.com"
    assert profile["holds"]["note"] == "note of ann"
    assert profile["holds"]["tags"] == ["tag-ann"]
    assert profile["holds"]["email_consent"]["at"] == iso(now - HOUR)
    assert rows(found, "parked_values")[0]["holds"] == {"note": "parked"}
    assert rows(found, "findings")[0]["evidence"] == {"order": 1}
    assert {each["topic"]: each["holds"] and each["holds"]["note"] for each in rows(found, "inbox")} == {
        "customers/create": "old",
        "customers/data_request": None,
    }
    assert len(rows(found, "field_log")) >= 2
    assert rows(found, "access_log")[0]["reason"] == "a question of hers"
    assert rows(found, "privacy_requests")[0]["state"] == "open"


@pytest.mark.req("K35")
def test_each_row_says_why_it_is_kept_and_until_when(tea: Tea, now: Instant) -> None:
    deliver(tea, now, "customers/create", body_of(ANN, now - HOUR, email="ann@example.com"), "w-create")
    tea.apply(somebody(BEN, "ben", now), now=now)
    (there,) = rows(export(tea, ANN), "customers")
    assert (there["kept_because"].startswith("the shop has this customer"), there["kept_until"]) == (True, None)
    (body,) = rows(export(tea, ANN), "inbox")
    assert body["kept_until"] == iso((now // DAY + 1 + KEEP_DAYS) * DAY)
    tea.apply(gone(ANN, now), now=now)
    found = export(tea, ANN)
    for table in ("customers", "sides", "field_log"):
        for row in rows(found, table):
            assert row["kept_until"] == iso(now + 90 * DAY), table
            assert "deleted in Shopify" in row["kept_because"], table
    silent = [name for name, each in found.items() if not each.why or not all(row["kept_because"] for row in each.rows)]
    assert silent == []


@pytest.mark.req("K31")
def test_nothing_of_anybody_else_is_in_it(tea: Tea, now: Instant) -> None:
    tea.apply(somebody(ANN, "ann", now), somebody(BEN, "ben", now), somebody(CARO, "caro", now), now=now)
    gid = "gid://shopify/Customer/"
    pair = {"admin_graphql_api_customer_kept_id": f"{gid}{BEN}", "admin_graphql_api_customer_deleted_id": f"{gid}{ANN}"}
    deliver(tea, now, "customers/merge", json.dumps(pair | {"status": "completed"}).encode(), "w-merge")
    theirs = {name: id_of(tea, number) for name, number in (("ann", ANN), ("ben", BEN), ("caro", CARO))}
    shared = Finding(
        "order at two", "?", theirs["ann"], evidence={"customers": [theirs["ann"].hex(), theirs["ben"].hex()]}
    )
    figures = {"kept": {"balance": 4711}, "deleted": {"balance": 1}}
    merge = {"id": b"r" * 16, "shop_id": tea.shop_id, "kind": "merge", "at": now, "made_at": now, "made_by": "x"}
    merge |= {"kept_customer_id": theirs["ben"], "deleted_customer_id": theirs["ann"], "figures": figures}
    with tea.runtime.database.write() as db:
        add(db, tea.shop_id, shared, now)
        db.execute(insert(receipts), merge)
    whole = export(tea, ANN)
    text = as_text(whole)
    assert PHONE in text, "the number is hers as well"
    strangers = ["ben@", "caro@", "Firstben", str(BEN), str(CARO), theirs["ben"].hex(), id_text(theirs["ben"]), "4711}"]
    assert [each for each in strangers if each in text] == []
    assert rows(whole, "inbox")[0]["holds"] == OF_ANOTHER
    assert rows(whole, "receipts")[0]["figures"] == OF_ANOTHER
    assert rows(whole, "findings")[0]["evidence"]["customers"] == [theirs["ann"].hex(), OF_ANOTHER]


@pytest.mark.req("K31", "K46")
def test_whom_a_merge_took_away_into_the_customer_is_in_it(tea: Tea, now: Instant) -> None:
    tea.apply(somebody(ANN, "ann", now), somebody(BEN, "ben", now), somebody(CARO, "caro", now), now=now)
    gid = "gid://shopify/Customer/"
    pair = {"admin_graphql_api_customer_kept_id": f"{gid}{BEN}", "admin_graphql_api_customer_deleted_id": f"{gid}{ANN}"}
    deliver(tea, now, "customers/merge", json.dumps(pair | {"status": "completed"}).encode(), "w-merge")
    tea.apply(absent(ANN, later(now, 1)), now=now)
    found = export(tea, BEN)
    assert {row["shopify_id"] for row in rows(found, "customers")} == {ANN, BEN}
    assert rows(found, "inbox")[0]["holds"]["status"] == "completed", "the merge speaks of nobody else"
    (alias,) = rows(found, "aliases")
    assert (alias["deleted_id"], alias["kept_id"]) == (ANN, BEN)
    alone = export(tea, ANN)
    assert [row["shopify_id"] for row in rows(alone, "customers")] == [ANN]
    assert rows(alone, "aliases")[0]["kept_id"] == OF_ANOTHER
    assert "caro" not in as_text(found).lower()


def test_what_cannot_be_opened_any_more_says_so(tea: Tea, now: Instant) -> None:
    deliver(tea, now, "customers/create", body_of(ANN, now - HOUR, email="ann@example.com"), "w-create")
    tea.runtime.keys.end_days(now // DAY + 1, now)
    tea.runtime.keys.destroy_subjects([id_of(tea, ANN)], now)
    found = export(tea, ANN)
    assert rows(found, "customers")[0]["holds"] == rows(found, "inbox")[0]["holds"] == NOT_OPENED


def test_no_key_digest_or_token_goes_out(tea: Tea, now: Instant) -> None:
    tea.apply(somebody(ANN, "ann", now), now=now)
    with tea.runtime.database.write() as db:
        db.execute(update(customers).values(confirmed_at=now))
    names = {name for each in export(tea, ANN).values() for row in each.rows for name in row}
    assert {
        name for name in names if name.endswith(("_token", "_digest", "digests", "_hash", "box", "key_id"))
    } == set()


def test_whatever_the_register_exports_is_exported(tea: Tea, now: Instant, monkeypatch: pytest.MonkeyPatch) -> None:
    tea.apply(somebody(ANN, "ann", now), now=now)
    exported = {entry.table for entry in REGISTER if entry.exported}
    assert exported <= export(tea, ANN).keys() <= metadata.tables.keys()
    assert exporting.unopened() == []
    grown = register.Entry("refetch_marks", "shopify_id", sealed=("box",), purge="delete", exported=True)
    monkeypatch.setattr(exporting, "REGISTER", (*REGISTER, grown))
    assert exporting.unopened() == ["refetch_marks.box", "refetch_marks"]
