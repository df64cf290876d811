"""What is asked of us in law: every delivery is on record with its deadline, and what is unclear waits for a person."""

import json

import pytest

from onewriter.customers import erasing, inbox, requests, runs, shops
from onewriter.customers.questions import NotAnswerable
from onewriter.customers.requests import SOON, TO_ANSWER, OpenCount
from onewriter.db.tables import inbox as inbox_table
from onewriter.intake.requests import NOTHING_HELD
from onewriter.records import DAY, HOUR, SECOND, Delivery, Instant
from onewriter.workflows import privacy
from onewriter.workflows.carrying import carry_out
from tests.support.joined import drain_all, put_in_inbox, states_of
from tests.support.lawful import answer, asked, data_request, questions_of, shop_redaction, states
from tests.support.redacting import (
    ANN,
    BEN,
    CARO,
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
from tests.support.shops import DOMAIN, Tea, absent, gone, later, merged

# ---- customers/redact -----------------------------------------------------------------------------------------------


@pytest.mark.req("K35", "K37")
def test_a_redaction_is_on_record_with_its_receipt_and_without_the_customer(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), now=now)
    deliver(tea, now, "customers/redact", redaction(ANN))
    (request,) = asked(tea.runtime.database)
    with tea.runtime.database.read() as db:
        (receipt,) = erasing.receipts(db, 10)
    assert (request.topic, request.state, request.outcome) == ("customers/redact", "done", "erased: 1")
    assert (request.asked_at, request.received_at, request.deadline) == (now - SECOND, now, now + 30 * DAY)
    assert request.receipt_id == bytes(receipt["id"])
    assert (request.subject_hash, request.customer_id) == (tea.vault.key.id_hash(ANN), None)


@pytest.mark.req("K37")
@pytest.mark.parametrize("hidden", [False, True])
def test_without_an_id_the_one_customer_with_that_address_is_erased(tea: Tea, now: Instant, hidden: bool) -> None:
    tea.apply(person(ANN, now), person(BEN, now, email="ben@example.com"), now=now)
    if hidden:
        tea.apply(gone(ANN, now), now=now)
    deliver(tea, now, "customers/redact", redaction(None, email=EMAIL.upper()))
    assert outcomes(tea) == {"w-redact": "erased: 1"}
    assert held(tea) == [BEN]
    assert erased(tea, ANN)
    assert bodies(tea) == {None}


@pytest.mark.req("K37", "K46")
def test_one_who_was_merged_into_the_other_is_no_second_person(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now), merged(ANN, BEN, now), now=now)
    tea.apply(absent(ANN, later(now, 1)), now=now)
    deliver(tea, now, "customers/redact", redaction(None))
    assert (outcomes(tea), held(tea)) == ({"w-redact": "erased: 2"}, [])


@pytest.mark.req("K37")
@pytest.mark.parametrize(("chosen", "left"), [("nobody", [ANN, BEN, CARO]), ("all", [CARO])])
def test_where_several_have_the_address_a_person_decides(tea: Tea, now: Instant, chosen: str, left: list[int]) -> None:
    tea.apply(person(ANN, now), person(BEN, now), person(CARO, now, email="caro@example.com"), now=now)
    deliver(tea, now, "customers/redact", redaction(None))
    assert held(tea) == [ANN, BEN, CARO], "nobody is erased on a guess"
    (question,) = questions_of(tea)
    assert question.deadline == now + TO_ANSWER
    assert set(question.answers) == {"nobody", "all"}
    assert "canary" not in json.dumps([question.text, question.evidence, question.answers]).lower()
    assert str(ANN).encode() not in json.dumps(question.evidence).encode()
    done = answer(tea, question, chosen, later(now, 60))
    erasing.end(tea.runtime.database, tea.runtime.keys, later(now, 60))
    assert held(tea) == left
    (request,) = asked(tea.runtime.database)
    assert (request.state, request.ended_by, request.outcome) == ("done", "user:ann", done)
    assert (request.receipt_id is None) == (chosen == "nobody")
    assert bodies(tea) == {None}, "the address is not kept any longer"


def moved_address(tea: Tea, now: Instant) -> list[Delivery]:
    """Ann gets another address, Ben comes with hers, and then whoever has it is to be redacted."""
    told = [
        ("customers/update", body_of(ANN, now, email="ann@example.com", first_name="Ann")),
        ("customers/create", body_of(BEN, now, email=EMAIL, first_name="Ben", created_at="2020-01-01T00:00:00Z")),
        ("customers/redact", redaction(None)),
    ]
    return [
        Delivery(tea.shop_id, f"w-{place}", topic, body, now + SECOND, triggered=now)
        for place, (topic, body) in enumerate(told)
    ]


@pytest.mark.req("K37")
def test_an_address_that_has_just_moved_erases_whoever_has_it_now(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now - HOUR), now=now - HOUR)
    put_in_inbox(tea.runtime, tea.vault, moved_address(tea, now))
    drain_all(tea.runtime, now + SECOND)
    assert held(tea) == [ANN]


@pytest.mark.req("K37")
def test_while_news_that_came_before_waits_a_person_is_asked_whose_the_address_is(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now - HOUR), now=now - HOUR)
    put_in_inbox(tea.runtime, tea.vault, moved_address(tea, now))
    with tea.runtime.database.write() as db:
        waits = inbox_table.c.topic != "customers/redact"
        db.execute(inbox_table.update().where(waits).values(due_at=now + 60 * SECOND))
    drain_all(tea.runtime, now + SECOND)
    assert held(tea) == [ANN]
    assert len(questions_of(tea)) == 1


@pytest.mark.req("K37")
def test_one_who_came_after_the_request_is_not_whom_it_means(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now + DAY), now=now + DAY)
    late = Delivery(tea.shop_id, "w-late", "customers/redact", redaction(None), now + DAY, triggered=now)
    put_in_inbox(tea.runtime, tea.vault, [late])
    drain_all(tea.runtime, now + DAY)
    assert held(tea) == [ANN]
    assert len(questions_of(tea)) == 1


@pytest.mark.req("K37")
def test_where_nobody_has_the_address_nobody_can_be_erased_by_it(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now, email="ann@example.com"), now=now)
    deliver(tea, now, "customers/redact", redaction(None))
    (question,) = questions_of(tea)
    assert set(question.answers) == {"nobody"}
    with tea.runtime.database.write() as db:
        requests.end(db, asked(tea.runtime.database)[0].id, "closed by hand", "user:ann", now)
    assert questions_of(tea) == [], "closing the request closes its question"
    assert bodies(tea) == {None}, "and takes the address away"


# ---- customers/data_request -----------------------------------------------------------------------------------------


@pytest.mark.req("K31")
@pytest.mark.parametrize("hidden", [False, True])
def test_a_request_for_data_is_open_once_however_often_it_is_told(tea: Tea, now: Instant, hidden: bool) -> None:
    tea.apply(person(ANN, now), *([gone(ANN, now)] if hidden else []), now=now)
    for name in ("w-one", "w-two"):
        deliver(tea, now, "customers/data_request", data_request(ANN), name)
    assert outcomes(tea) == {"w-one": "open: request 1", "w-two": "asked already: request 1"}
    (request,) = asked(tea.runtime.database)
    assert (request.state, request.customer_id, request.deadline) == ("open", id_of(tea, ANN), now + TO_ANSWER)
    assert bodies(tea) == {None}, "what is clear needs no body"
    assert questions_of(tea) == []
    with tea.runtime.database.write() as db:
        requests.end(db, request.id, "exported", "user:ann", now)
    deliver(tea, later(now, 60), "customers/data_request", data_request(ANN), "w-three")
    assert outcomes(tea)["w-three"] == "open: request 2", "the next one is another request"


def test_of_whom_nothing_is_held_nothing_waits_for_a_person(tea: Tea, now: Instant) -> None:
    deliver(tea, now, "customers/data_request", data_request(ANN))
    assert states(tea) == [("done", NOTHING_HELD)]
    assert bodies(tea) == {None}


def test_who_comes_in_the_same_batch_is_held(tea: Tea, now: Instant) -> None:
    told = [("customers/data_request", data_request(ANN)), ("customers/create", body_of(ANN, now, email=EMAIL))]
    put_in_inbox(tea.runtime, tea.vault, [Delivery(tea.shop_id, topic, topic, content, now) for topic, content in told])
    drain_all(tea.runtime, now)
    assert [state for state, _outcome in states(tea)] == ["open"]


def test_while_the_first_import_is_under_way_nobody_is_known_to_be_unknown(tea: Tea, now: Instant) -> None:
    with tea.runtime.database.write() as db:
        runs.add(db, "r-1", tea.shop_id, runs.IMPORT, "test", now)
        runs.begin(db, "r-1", now)
    deliver(tea, now, "customers/data_request", data_request(ANN))
    assert [state for state, _outcome in states(tea)] == ["open"]


@pytest.mark.parametrize("named", [{"email": EMAIL, "phone": None}, {"email": None, "phone": "+442071838750"}])
def test_without_an_id_an_address_or_a_number_says_who_asks(tea: Tea, now: Instant, named: dict[str, str]) -> None:
    told = person(ANN, now)
    told.fields["phone"] = "+442071838750"  # type: ignore[index]
    tea.apply(told, person(BEN, now, email="ben@example.com"), now=now)
    deliver(tea, now, "customers/data_request", data_request(None, **named))
    (request,) = asked(tea.runtime.database)
    assert (request.state, request.customer_id) == ("open", id_of(tea, ANN))


def test_whoever_cannot_be_told_from_another_is_asked_about(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now), now=now)
    deliver(tea, now, "customers/data_request", data_request(None))
    (request,) = asked(tea.runtime.database)
    assert (request.state, request.customer_id) == ("open", None)
    assert request.outcome.startswith("unclear")
    (question,) = questions_of(tea)
    assert question.deadline == request.deadline
    answer(tea, question, "nobody", now)
    assert [state for state, _outcome in states(tea)] == ["done"]
    assert bodies(tea) == {None}


# ---- What cannot be read --------------------------------------------------------------------------------------------


@pytest.mark.req("K37")
@pytest.mark.parametrize(
    ("topic", "body"),
    [
        ("customers/redact", redaction(ANN, domain="other.myshopify.com")),
        ("customers/data_request", data_request(ANN, canary=1)),
        ("shop/redact", shop_redaction(domain="other.myshopify.com")),
    ],
)
def test_what_cannot_be_read_is_parked_and_a_request_all_the_same(
    tea: Tea, now: Instant, topic: str, body: bytes
) -> None:
    tea.apply(person(ANN, now), now=now)
    deliver(tea, now, topic, body)
    (request,) = asked(tea.runtime.database)
    assert (request.state, request.topic, request.deadline) == ("open", topic, now + TO_ANSWER)
    assert held(tea) == [ANN]
    (row,) = states_of(tea.runtime)["parked"]
    with tea.runtime.database.write() as db:
        inbox.retry(db, row["position"])
    drain_all(tea.runtime, later(now, 60))
    assert len(asked(tea.runtime.database)) == 1, "the same delivery asks once, however often it is tried"
    (question,) = questions_of(tea)
    answer(tea, question, "drop", later(now, 120))
    assert [state for state, _outcome in states(tea)] == ["refused"]


@pytest.mark.req("K35")
def test_what_is_due_and_what_is_overdue_is_counted(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now), now=now)
    deliver(tea, now, "customers/data_request", data_request(ANN), "w-one")
    deliver(tea, now + 10 * DAY, "customers/data_request", data_request(BEN), "w-two")
    with tea.runtime.database.read() as db:
        (request, _other) = requests.waiting(db, 10)
        counted = {days: requests.open_count(db, now + days * DAY) for days in (0, 22, 23, 29, 30, 33, 40)}
    assert counted == {
        0: OpenCount(2, 0, 0),
        22: OpenCount(2, 0, 0),
        23: OpenCount(2, 1, 0),
        29: OpenCount(2, 1, 0),
        30: OpenCount(2, 0, 1),
        33: OpenCount(2, 1, 1),
        40: OpenCount(2, 0, 2),
    }
    assert [request.days_left(now + days * DAY) for days in (0, 29, 30, 31)] == [30, 1, 0, -1]
    assert SOON == 7 * DAY


# ---- shop/redact ----------------------------------------------------------------------------------------------------


def _disconnect(tea: Tea, moment: Instant) -> None:

    with tea.runtime.database.write() as db:
        shops.disconnect(db, tea.shop_id, moment)


@pytest.mark.req("K37")
def test_a_shop_that_is_gone_is_accepted_once(tea: Tea, now: Instant) -> None:
    _disconnect(tea, now + HOUR)
    for name in ("w-one", "w-two"):
        deliver(tea, now + 2 * DAY, "shop/redact", shop_redaction(), name)
    assert [state for state, _outcome in states(tea)] == ["accepted"]
    assert outcomes(tea)["w-two"] == "asked already: request 1"
    assert questions_of(tea) == []


@pytest.mark.req("K37")
@pytest.mark.parametrize("chosen", ["erase", "keep"])
def test_a_connected_shop_is_asked_about_and_never_erased_while_it_is_connected(
    tea: Tea, now: Instant, chosen: str
) -> None:
    deliver(tea, now + 2 * DAY, "shop/redact", shop_redaction())
    assert [state for state, _outcome in states(tea)] == ["open"]
    (question,) = questions_of(tea)
    assert DOMAIN in question.text
    if chosen == "erase":
        with pytest.raises(NotAnswerable, match="only a disconnected shop"):
            answer(tea, question, chosen, now + 2 * DAY)
        (question,) = questions_of(tea)
        _disconnect(tea, now + 2 * DAY)
    answer(tea, question, chosen, now + 3 * DAY)
    assert [state for state, _outcome in states(tea)] == ["accepted" if chosen == "erase" else "refused"]


@pytest.mark.req("K37")
def test_one_that_was_connected_again_since_it_was_asked_for_is_asked_about(tea: Tea, now: Instant) -> None:
    _disconnect(tea, now + HOUR)
    deliver(tea, now, "shop/redact", shop_redaction())
    assert [state for state, _outcome in states(tea)] == ["open"], "it was asked for before the shop was connected"
    assert len(questions_of(tea)) == 1
    deliver(tea, now + 2 * DAY, "shop/redact", shop_redaction(), "w-later")
    assert [state for state, _outcome in states(tea)] == ["accepted"], "and asked for again, it is clear"
    assert questions_of(tea) == []
    (run_id,) = privacy.queue_accepted(tea.runtime)
    carry_out(tea.runtime, run_id)
    assert [state for state, _outcome in states(tea)] == ["done"]


def test_no_value_of_anybody_stands_in_a_request(tea: Tea, now: Instant) -> None:
    tea.apply(person(ANN, now), person(BEN, now), now=now)
    for name, body in (("w-1", data_request(ANN)), ("w-2", data_request(None))):
        deliver(tea, now, "customers/data_request", body, name)
    deliver(tea, now, "customers/redact", redaction(None), "w-3")
    assert b"canary" not in all_values(tea).lower()
