"""customers/redact: everything of the customer goes at once and for good, by any path and in any order."""

import json
from itertools import permutations

import pytest
from sqlalchemy import select

from onewriter.customers import erasing, questions
from onewriter.customers.erasing import Asked
from onewriter.db.tables import customers
from onewriter.errors import KeyDestroyed
from onewriter.intake.redact import erase_all
from onewriter.records import DAY, HOUR, SECOND, Delivery, Instant, Path, RunState
from onewriter.runtime import Runtime
from tests.support.drifting import drifting
from tests.support.joined import drain_all, joined, put_in_inbox, states_of
from tests.support.redacting import (
    ANN,
    BEN,
    EMAIL,
    all_values,
    bodies,
    body_of,
    deliver,
    erased,
    held,
    id_of,
    outcomes,
    person,
    redaction,
)
from tests.support.shops import DOMAIN, Tea, absent, gone, later, merged, rung

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
    counts = {"customers": 1, "sides": 1, "field_log": 1, "refetch_marks": 1, "name_tokens": 3}
    assert receipt["counts"] == counts
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
def test_what_else_was_asked_of_us_in_law_stays_to_be_answered(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    asks = json.dumps({"shop_domain": DOMAIN, "customer": {"id": ANN}}).encode()
    deliver(tea, now, "customers/data_request", asks, "w-before")
    made = [
        Delivery(tea.shop_id, name, topic, body, now, triggered=now)
        for name, topic, body in (
            ("w-one", "customers/redact", redaction(ANN)),
            ("w-data", "customers/data_request", asks),
            ("w-two", "customers/redact", redaction(ANN)),
        )
    ]
    put_in_inbox(tea.runtime, tea.vault, made)
    drain_all(tea.runtime, now)
    told_of = outcomes(tea)
    assert (told_of["w-one"], told_of["w-two"]) == ("erased: 1", "nobody to erase"), "both requests are on record"
    assert {row["webhook_id"] for row in states_of(tea.runtime)["parked"]} == {"w-before", "w-data"}
    with tea.runtime.database.read() as db:
        assert questions.count(db) == 2


@pytest.mark.req("K37")
def test_a_line_of_an_import_that_cannot_be_read_is_neither_kept_nor_kept_anew(runtime: Runtime) -> None:
    with joined(runtime, 20, corrupt_lines=20) as shop:
        moment = shop.carry_out().finished_at
        assert moment is not None
        assert len(states_of(runtime)["parked"]) == 20
        for number in shop.shop.ids[:3]:
            with runtime.database.write() as db:
                erase_all(db, shop.vault, number, Asked("by a test", moment), moment)
        assert len(states_of(runtime)["parked"]) == 17
        again = shop.import_again()
        assert (again.counts["unreadable"], again.counts["refused: erased"]) == (17, 3)
        assert len(states_of(runtime)["parked"]) == 17 + 17


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
        assert dict(run.counts) == {"read": 12, "unchanged": 11, "compared": 1, "erased": 1}
        with runtime.database.read() as db:
            assert number not in set(db.execute(select(customers.c.shopify_id)).scalars())


# ---- Who is meant ---------------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
@pytest.mark.parametrize(
    ("body", "why"),
    [
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
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    deliver(tea, now, "customers/redact", body)
    [row] = states_of(tea.runtime)["parked"]
    assert why in row["outcome"]
    assert "canary" not in row["outcome"].lower()
    assert held(tea) == [ANN, BEN]
    with tea.runtime.database.read() as db:
        assert questions.count(db) == 1
