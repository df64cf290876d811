"""customers/redact: everything of the customer goes at once and for good, by any path and in any order."""

import json
from contextlib import suppress
from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from onewriter.customers import aliases, erasing, inbox, questions
from onewriter.customers.erasing import Asked
from onewriter.db.register import REGISTER
from onewriter.db.tables import aliases as alias_table
from onewriter.db.tables import customers, metadata, tombstones
from onewriter.db.tables import inbox as inbox_table
from onewriter.errors import KeyDestroyed
from onewriter.records import DAY, HOUR, SECOND, Change, Delivery, Instant, Path, RunState, id_text
from onewriter.runtime import Runtime
from onewriter.workflows import schedules
from tests.support.drifting import drifting
from tests.support.joined import drain_all, put_in_inbox, states_of
from tests.support.shops import DOMAIN, Tea, absent, gone, later, merged, rung, told

EMAIL = "canary@example.com"
ANN, BEN, CARO = 4_711_000_101, 4_711_000_102, 4_711_000_103
"""Long ids, so that none of them is a part of another number by chance."""


def redaction(number: int | None, *, email: str | None = EMAIL, domain: str = DOMAIN, **more: Any) -> bytes:
    """The body of customers/redact, as Shopify's payload reference has it."""
    body = {"shop_id": 954889, "shop_domain": domain, "customer": {"id": number, "email": email, "phone": None}}
    return json.dumps(body | {"orders_to_redact": [299938]} | more).encode()


def body_of(number: int, now: Instant, **fields: Any) -> bytes:
    moment = datetime.fromtimestamp(now // SECOND, UTC).isoformat()
    return json.dumps({"id": number, "updated_at": moment, "state": "enabled"} | fields).encode()


def deliver(tea: Tea, now: Instant, topic: str, content: bytes, name: str = "w-redact") -> None:
    put_in_inbox(tea.runtime, tea.vault, [Delivery(tea.shop_id, name, topic, content, now, triggered=now - SECOND)])
    drain_all(tea.runtime, now)


def person(number: int, now: Instant, *, email: str = EMAIL, path: Path = Path.WEBHOOK) -> Change:
    return told(number, now - HOUR, {"first_name": "Canary", "email": email, "note": "canary"}, heard=now, path=path)


def outcomes(tea: Tea) -> dict[str, str | None]:
    with tea.runtime.database.read() as db:
        return {row["webhook_id"]: row["outcome"] for row in inbox.listed(db, None, 100)}


def held(tea: Tea) -> list[int]:
    with tea.runtime.database.read() as db:
        return sorted(db.execute(select(customers.c.shopify_id)).scalars())


def id_of(tea: Tea, number: int) -> bytes:
    with tea.runtime.database.read() as db:
        return bytes(db.execute(select(customers.c.id).where(customers.c.shopify_id == number)).scalar_one())


def bodies(tea: Tea) -> set[bytes | None]:
    with tea.runtime.database.read() as db:
        return set(db.execute(select(inbox_table.c.box)).scalars())


def all_values(tea: Tea) -> bytes:
    """Every value of every table of ours."""
    with tea.runtime.database.read() as db:
        rows = [row for entry in REGISTER for row in db.execute(select(metadata.tables[entry.table]))]
    values = (value for row in rows for value in row)
    return b"|".join(bytes(each) if isinstance(each, bytes | memoryview) else str(each).encode() for each in values)


def erased(tea: Tea, *numbers: int) -> bool:
    """True when all these ids say that they were erased."""
    hashes = [tea.vault.key.id_hash(number) for number in numbers]
    query = select(tombstones.c.purged_at).where(tombstones.c.id_hash.in_(hashes))
    with tea.runtime.database.read() as db:
        found = db.execute(query).scalars().all()
    return len(found) == len(numbers) and None not in found


# ---- What goes ------------------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
def test_a_redaction_leaves_no_row_no_id_no_body_and_no_key(tea: Tea, now: Instant) -> None:
    deliver(tea, now, "customers/create", body_of(ANN, now - HOUR, email=EMAIL, first_name="Canary"), "w-create")
    tea.apply(person(BEN, now, email="ben@example.com"), rung(ANN, now), now=now)
    ours = id_of(tea, ANN)
    assert tea.runtime.keys.subject_keys([ours]), "the control: before, its key opens it,"
    assert str(ANN).encode() in all_values(tea), "its id is there,"
    assert ours in all_values(tea), "and so is ours"

    deliver(tea, now, "customers/redact", redaction(ANN))

    assert outcomes(tea) == {"w-redact": "erased: 1"}, "its other deliveries are gone"
    assert bodies(tea) == {None}
    assert str(ANN).encode() not in all_values(tea)
    assert ours not in all_values(tea)
    with pytest.raises(KeyDestroyed):
        tea.runtime.keys.subject_keys([ours])
    assert held(tea) == [BEN], "nobody else is touched"
    assert tea.profile(BEN) is not None


@pytest.mark.req("K37")
@pytest.mark.parametrize("deleted", [False, True])
def test_it_does_not_wait_for_the_ninety_days_of_a_deleted_customer(tea: Tea, now: Instant, deleted: bool) -> None:
    tea.apply(person(ANN, now), now=now)
    if deleted:
        tea.apply(gone(ANN, now - 30 * DAY), now=now)
    deliver(tea, now, "customers/redact", redaction(ANN))
    assert held(tea) == []
    assert erased(tea, ANN)


@pytest.mark.req("K37")
def test_the_receipt_says_what_went_and_when_and_names_nobody(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    deliver(tea, now, "customers/redact", redaction(ANN))
    with tea.runtime.database.read() as db:
        (receipt,) = erasing.receipts(db, 10)
    assert receipt["cause"] == "customers/redact"
    assert receipt["id_hashes"] == [tea.vault.key.id_hash(ANN).hex()]
    assert receipt["counts"] == {"customers": 1, "sides": 1, "field_log": 1, "refetch_marks": 1}
    assert (receipt["asked_at"], receipt["erased_at"], receipt["ended_at"]) == (now - SECOND, now, now)
    assert receipt["key_ids"] == []


@pytest.mark.req("K37")
def test_a_customer_that_nobody_here_knew_is_never_taken_up(tea: Tea, now: Instant) -> None:
    deliver(tea, now, "customers/redact", redaction(ANN))
    assert outcomes(tea) == {"w-redact": "nobody to erase"}
    applied = tea.apply(person(ANN, later(now, 60), path=Path.BULK), now=later(now, 60))
    assert applied.outcomes == ["refused: erased"]
    assert held(tea) == []


# ---- What comes later -----------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
def test_whatever_comes_later_of_an_erased_customer_is_recorded_and_changes_nothing(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    deliver(tea, now, "customers/redact", redaction(ANN))
    moment = later(now, 3600)
    deliver(tea, moment, "customers/delete", json.dumps({"id": ANN}).encode(), "w-delete")
    deliver(tea, moment, "customers/update", body_of(ANN, moment, email=EMAIL), "w-update")
    found = person(ANN, moment, path=Path.READ)
    applied = tea.apply(found, rung(ANN, moment), absent(ANN, moment), merged(ANN, BEN, moment), now=moment)
    assert applied.outcomes == ["refused: erased"] * 4
    assert outcomes(tea) == {
        "w-redact": "erased: 1",
        "w-delete": "refused: erased",
        "w-update": "refused: erased",
    }
    assert states_of(tea.runtime).keys() == {"done"}
    assert bodies(tea) == {None}, "and what they said is not kept either"
    assert (held(tea), tea.marked(moment)) == ([], {})
    deliver(tea, moment, "customers/redact", redaction(ANN), "w-again")
    assert outcomes(tea) == {"w-redact": "erased: 1", "w-again": "nobody to erase"}


@pytest.mark.req("K37")
def test_in_any_order_with_the_rest_of_its_deliveries_the_end_is_the_same(tea: Tea, now: Instant) -> None:
    given = {
        "customers/create": body_of(ANN, now - HOUR, email=EMAIL),
        "customers/update": body_of(ANN, now - SECOND, email=EMAIL, note="canary"),
        "customers/delete": json.dumps({"id": ANN}).encode(),
        "customers/redact": redaction(ANN),
    }
    for count, order in enumerate(permutations(given)):
        number = ANN + 1_000 * count
        made = [
            Delivery(tea.shop_id, f"w-{count}-{topic}", topic, _of(given[topic], number), now, triggered=now)
            for topic in order
        ]
        # Some orders in one batch, the others each in its own.
        for some in [made] if count % 2 else [[each] for each in made]:
            put_in_inbox(tea.runtime, tea.vault, some)
            drain_all(tea.runtime, now)
        assert held(tea) == [], order
        assert erased(tea, number), order
        assert bodies(tea) == {None}, order
        assert states_of(tea.runtime).keys() == {"done"}, order
        assert tea.marked(now) == {}, order


def _of(body: bytes, number: int) -> bytes:
    return body.replace(str(ANN).encode(), str(number).encode())


@pytest.mark.req("K37")
@pytest.mark.parametrize("bad_first", [True, False])
@pytest.mark.parametrize("together", [True, False])
def test_a_delivery_of_it_that_cannot_be_read_is_neither_kept_nor_asked_about(
    tea: Tea, now: Instant, bad_first: bool, together: bool
) -> None:
    tea.apply(person(ANN, now), now=now)
    bad = ("customers/update", body_of(ANN, now, email=["canary"]))
    pair = [bad, ("customers/redact", redaction(ANN))]
    made = [
        Delivery(tea.shop_id, f"w-{topic}", topic, body, now, triggered=now)
        for topic, body in (pair if bad_first else reversed(pair))
    ]
    for some in [made] if together else [[each] for each in made]:
        put_in_inbox(tea.runtime, tea.vault, some)
        drain_all(tea.runtime, now)
    assert outcomes(tea)["w-customers/redact"] == "erased: 1"
    assert states_of(tea.runtime).keys() == {"done"}
    assert bodies(tea) == {None}
    with tea.runtime.database.read() as db:
        assert questions.count(db) == 0


@pytest.mark.req("K37")
def test_a_reconcile_neither_reports_nor_takes_up_an_erased_customer_that_the_shop_still_has(runtime: Runtime) -> None:
    with drifting(runtime, 12) as stage:
        number = stage.shop.ids[3]
        moment = stage.clock.now
        with runtime.database.write() as db:
            erasing.erase(db, stage.vault, [number], Asked("customers/redact", moment), moment)
        erasing.end(runtime.database, runtime.keys, moment)
        run = stage.reconcile()
        assert (run.state, stage.found(run)) == (RunState.DONE, [])
        with runtime.database.read() as db:
            assert number not in set(db.execute(select(customers.c.shopify_id)).scalars())


# ---- Merges ---------------------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
def test_all_who_were_merged_into_an_erased_customer_are_erased_with_it(tea: Tea, now: Instant) -> None:
    for number, into in ((ANN, BEN), (BEN, CARO)):
        tea.apply(person(number, now, email=f"{number}@example.com"), merged(number, into, now), now=now)
        tea.apply(absent(number, later(now, 1)), now=now)
    tea.apply(person(CARO, now), now=now)
    moment = later(now, 60)
    deliver(tea, moment, "customers/redact", redaction(CARO))
    assert outcomes(tea) == {"w-redact": "erased: 3"}
    assert held(tea) == []
    assert erased(tea, ANN, BEN, CARO)
    with tea.runtime.database.read() as db:
        rows = db.execute(select(alias_table.c.deleted_id, alias_table.c.kept_id)).all()
        assert [tuple(row) for row in rows] == [(None, None)] * 2, "the pair of hashes stays"
        assert aliases.into(db, tea.vault, ANN) is None


@pytest.mark.req("K37")
def test_who_was_only_told_to_be_merged_into_it_is_not_erased_and_can_still_be_merged(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), merged(BEN, ANN, now), now=now)
    deliver(tea, now, "customers/redact", redaction(ANN))
    assert held(tea) == [BEN]
    applied = tea.apply(merged(BEN, ANN, later(now, 1)), merged(BEN, CARO, later(now, 2)), now=now)
    assert applied.outcomes == ["marked", "marked"]
    assert str(ANN).encode() not in all_values(tea), "nothing names the erased one again"
    tea.apply(absent(BEN, later(now, 3)), now=now)
    with tea.runtime.database.read() as db:
        assert aliases.into(db, tea.vault, BEN) == CARO


@pytest.mark.req("K37")
def test_what_was_asked_about_it_is_not_asked_any_more(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    deliver(tea, now, "customers/update", body_of(ANN, now, email=["not a text"]), "w-bad")
    about = questions.Ask(aliases.UNSETTLED_MERGE, id_text(id_of(tea, ANN)), "?", {"ask again": ""}, "nothing")
    with tea.runtime.database.write() as db:
        questions.ask(db, tea.shop_id, about, now)
        assert questions.count(db) == 2
    deliver(tea, now, "customers/redact", redaction(ANN))
    with tea.runtime.database.read() as db:
        assert questions.count(db) == 0


# ---- Who is meant ---------------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
def test_an_email_address_alone_erases_the_one_customer_that_has_it(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    deliver(tea, now, "customers/redact", redaction(None, email="Canary@Example.com"))
    assert held(tea) == [BEN]
    assert outcomes(tea)["w-redact"] == "erased: 1"


@pytest.mark.req("K37")
@pytest.mark.parametrize(
    ("body", "why"),
    [
        (redaction(None), "several customers here would answer to it"),
        (redaction(None, email="nobody@example.com"), "no customer here would answer to it"),
        (redaction(None, email=None), "neither an id nor an email address"),
        (redaction(ANN, domain="other.myshopify.com"), "shop_domain is another shop's"),
        (redaction(ANN, canary=1), "does not belong in this topic"),
        (json.dumps({"id": ANN, "email": EMAIL}).encode(), "holds id, which does not belong"),
        (b"[]", "not the JSON"),
        (b"{", "not the JSON"),
    ],
)
def test_where_it_is_not_certain_who_is_meant_a_person_is_asked_and_nobody_erased(
    tea: Tea, now: Instant, body: bytes, why: str
) -> None:
    tea.apply(person(ANN, now), person(BEN, now), now=now)
    deliver(tea, now, "customers/redact", body)
    [row] = states_of(tea.runtime)["parked"]
    assert why in row["outcome"]
    assert "canary" not in row["outcome"].lower()
    assert held(tea) == [ANN, BEN]
    with tea.runtime.database.read() as db:
        assert questions.count(db) == 1


# ---- A process that dies --------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
def test_keys_outlive_their_rows_only_until_the_next_strike(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    ours = id_of(tea, ANN)
    with tea.runtime.database.write() as db:
        erasing.erase(db, tea.vault, [ANN], Asked("customers/redact", now), now)
    assert tea.runtime.keys.subject_keys([ours]), "here the process died: the rows are gone, and the key is there"
    # Long past: an erasure waits for no clock.
    schedules.strike(tea.runtime, datetime(2020, 1, 1, tzinfo=UTC))
    with pytest.raises(KeyDestroyed):
        tea.runtime.keys.subject_keys([ours])
    with tea.runtime.database.read() as db:
        (receipt,) = erasing.receipts(db, 10)
    assert receipt["ended_at"] is not None
    assert receipt["key_ids"] == []


@pytest.mark.req("K37")
def test_an_erasure_that_is_not_committed_erases_nothing(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    ours = id_of(tea, ANN)
    with suppress(ZeroDivisionError), tea.runtime.database.write() as db:
        erasing.erase(db, tea.vault, [ANN], Asked("customers/redact", now), now)
        raise ZeroDivisionError
    assert erasing.end(tea.runtime.database, tea.runtime.keys, now) == 0
    assert tea.runtime.keys.subject_keys([ours])
    assert held(tea) == [ANN]
