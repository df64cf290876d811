"""Apply: what a change does to what we hold, through the database, on SQLite and on PostgreSQL."""

from typing import Any

import pytest
from sqlalchemy import func, select, update

from onewriter.customers import find, log
from onewriter.db.systemtables import policies
from onewriter.db.tables import customers, field_log, sides, tombstones
from onewriter.errors import UnknownCustomer
from onewriter.records import DAY, HOUR, SECOND, Instant, Path
from onewriter.rules.policy import of_shopify, to_document
from tests.support.shops import Tea, absent, gone, later, told

ANN = {
    "first_name": "Ann",
    "last_name": "Leigh",
    "email": "ann@example.com",
    "phone": "+447700900111",
    "note": "likes oolong",
    "state": "disabled",
    "addresses": None,
}
READ_OF_ANN = ANN | {"locale": "en", "tags": ["vip"], "email_consent": {"state": "subscribed", "level": None, "at": 1}}


@pytest.mark.req("K17", "K18", "K26", "K27")
def test_a_create_makes_one_customer_with_what_the_delivery_says(tea: Tea, now: Instant) -> None:
    assert tea.apply(told(101, now, ANN), now=now).outcomes == ["created"]
    profile = tea.profile(101)
    assert profile is not None
    assert profile.own["first_name"] == "Ann"
    assert profile.own["email"] == "ann@example.com"
    assert profile.state == "active"


@pytest.mark.req("K18", "K29")
def test_tags_and_status_of_a_new_customer_come_from_the_read_that_its_delivery_calls_for(
    tea: Tea, now: Instant
) -> None:
    tea.apply(told(101, now, ANN), now=now)
    assert tea.marked(now) == {101: frozenset({"unread"})}
    read = told(101, now, READ_OF_ANN, heard=later(now, 1), path=Path.READ)
    applied = tea.apply(read, now=later(now, 1))
    assert applied.settled == {101}
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.own["tags"], profile.own["state"], profile.own["locale"]) == (["vip"], "disabled", "en")


@pytest.mark.req("K15", "K17")
def test_the_same_delivery_twice_changes_nothing(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), now=now)
    before = tea.dump()
    assert tea.apply(told(101, now, ANN), told(101, now, ANN), now=later(now, 5)).outcomes == ["unchanged"] * 2
    assert tea.dump() == before


@pytest.mark.req("K21", "K22", "K26", "K27", "K29")
def test_an_update_changes_what_it_says_and_nothing_else(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), now=now)
    changed = ANN | {"first_name": "Anna", "email": "anna@example.com", "state": "enabled"}
    assert tea.apply(told(101, later(now, 60), changed), now=later(now, 60)).outcomes == ["changed"]
    profile = tea.profile(101)
    assert profile is not None
    assert {name: profile.own.get(name) for name in ANN} == changed


@pytest.mark.req("K23")
def test_an_update_of_an_unknown_id_creates_the_customer(tea: Tea, now: Instant) -> None:
    tea.apply(told(555, now, ANN), now=now)
    profile = tea.profile(555)
    assert profile is not None
    assert profile.own["email"] == "ann@example.com"
    assert 555 in tea.marked(now)


@pytest.mark.req("K15", "K12")
def test_an_older_change_never_beats_a_newer_one(tea: Tea, now: Instant) -> None:
    newer = told(101, later(now, 60), ANN | {"first_name": "Newer"})
    older = told(101, now, ANN | {"first_name": "Older"})
    assert tea.apply(newer, older, now=later(now, 61)).outcomes == ["created", "refused: older than what we hold"]
    profile = tea.profile(101)
    assert profile is not None
    assert profile.own["first_name"] == "Newer"


@pytest.mark.req("K12")
def test_an_import_row_never_overwrites_a_newer_delivery_but_adds_what_no_delivery_says(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, later(now, 60), ANN | {"first_name": "Newer"}), now=later(now, 60))
    row = told(101, now, READ_OF_ANN | {"first_name": "Older"}, heard=now, path=Path.BULK, raw=b"r" * 16)
    tea.apply(row, now=later(now, 61))
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.own["first_name"], profile.own["tags"]) == ("Newer", ["vip"])


@pytest.mark.req("K12")
def test_a_row_of_a_file_that_was_begun_before_a_read_never_overwrites_what_the_read_told(
    tea: Tea, now: Instant
) -> None:
    numbers = range(201, 213)
    reads = [told(number, now, READ_OF_ANN, heard=later(now, 60), path=Path.READ) for number in numbers]
    rows = [
        told(number, now, READ_OF_ANN | {"tags": [f"old-{number}"]}, heard=now, path=Path.BULK) for number in numbers
    ]
    tea.apply(*reads, *rows, now=later(now, 61))
    found = [tea.profile(number) for number in numbers]
    assert [profile.own["tags"] for profile in found if profile is not None] == [["vip"]] * len(numbers)


@pytest.mark.req("K25", "K22")
def test_an_emptied_value_in_a_delivery_is_read_again_and_only_the_read_clears_it(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, READ_OF_ANN, path=Path.READ), now=now)
    tea.apply(told(101, later(now, 60), ANN | {"phone": None}), now=later(now, 60))
    profile = tea.profile(101)
    assert profile is not None
    assert profile.own["phone"] == "+447700900111", "a null in a delivery can also mean that we may not see it"
    assert tea.marked(later(now, 60)) == {101: frozenset({"null"})}
    cleared = READ_OF_ANN | {"phone": None}
    tea.apply(told(101, later(now, 60), cleared, heard=later(now, 62), path=Path.READ), now=later(now, 62))
    profile = tea.profile(101)
    assert profile is not None
    assert profile.own["phone"] is None


def test_two_profiles_of_one_second_are_settled_by_a_direct_read(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN | {"note": "one"}), now=now)
    tea.apply(told(101, now, ANN | {"note": "two"}), now=now)
    assert "tie" in tea.marked(now)[101]
    truth = told(101, now, READ_OF_ANN | {"note": "two"}, heard=later(now, 2), path=Path.READ)
    assert tea.apply(truth, now=later(now, 2)).settled == {101}
    profile = tea.profile(101)
    assert profile is not None
    assert profile.own["note"] == "two"


@pytest.mark.req("K30", "K31")
def test_a_delete_hides_the_customer_at_once_and_keeps_the_data(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), now=now)
    assert tea.apply(gone(101, later(now, 5)), now=later(now, 6)).outcomes == ["deleted"]
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.state, profile.deleted) == ("deleted", later(now, 5))
    assert profile.own["email"] == "ann@example.com"
    with tea.runtime.database.read() as db:
        assert find.count_active(db, tea.shop_id) == 0
    assert "deletion" in tea.marked(later(now, 6))[101]


@pytest.mark.req("K24")
def test_an_update_after_the_deletion_is_recorded_and_changes_nothing(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), gone(101, later(now, 5)), now=later(now, 6))
    late = told(101, later(now, 60), ANN | {"first_name": "Ghost"})
    assert tea.apply(late, now=later(now, 61)).outcomes == ["refused: after the deletion"]
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.state, profile.own["first_name"]) == ("deleted", "Ann")
    with tea.runtime.database.read() as db:
        newest = log.of_customer(db, find.show(db, tea.vault, "101").id, 1)[0]
    assert (newest["accepted"], newest["reason"]) == (False, "after the deletion")


def test_facts_older_than_the_deletion_still_fill_the_hidden_record(tea: Tea, now: Instant) -> None:
    tea.apply(gone(101, later(now, 5)), now=later(now, 6))
    assert tea.apply(told(101, now, ANN), now=later(now, 7)).outcomes == ["created"]
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.state, profile.deleted, profile.own["first_name"]) == ("deleted", later(now, 5), "Ann")


@pytest.mark.req("K30")
def test_a_delete_of_an_unknown_id_leaves_a_tombstone_and_no_customer(tea: Tea, now: Instant) -> None:
    assert tea.apply(gone(999, now), now=now).outcomes == ["tombstone"]
    with tea.runtime.database.read() as db:
        assert db.execute(select(func.count()).select_from(tombstones)).scalar_one() == 1
        assert db.execute(select(func.count()).select_from(customers)).scalar_one() == 0


def test_a_direct_read_that_finds_nobody_confirms_the_deletion(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), gone(101, later(now, 5)), now=later(now, 6))
    applied = tea.apply(absent(101, later(now, 8)), now=later(now, 8))
    assert (applied.outcomes, applied.settled) == (["confirmed"], {101})
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.deleted, profile.confirmed) == (later(now, 5), later(now, 8))


def test_a_direct_read_that_finds_the_customer_undoes_a_deletion_that_never_was(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), gone(101, later(now, 5)), now=later(now, 6))
    read = told(101, now, READ_OF_ANN, heard=later(now, 8), path=Path.READ)
    assert tea.apply(read, now=later(now, 8)).outcomes == ["found"]
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.state, profile.deleted) == ("active", None)


@pytest.mark.req("K4")
def test_an_unchanged_bulk_line_writes_nothing(tea: Tea, now: Instant) -> None:
    row = told(101, now, READ_OF_ANN, heard=now, path=Path.BULK, raw=b"d" * 16)
    tea.apply(row, now=now)
    with tea.runtime.database.read() as db:
        before = (
            db.execute(select(sides)).all(),
            db.execute(select(customers)).all(),
            db.execute(select(field_log)).all(),
        )
    assert tea.apply(row, now=later(now, 3600)).outcomes == ["unchanged"]
    with tea.runtime.database.read() as db:
        after = (
            db.execute(select(sides)).all(),
            db.execute(select(customers)).all(),
            db.execute(select(field_log)).all(),
        )
    assert before == after


@pytest.mark.req("K22")
def test_shopifys_side_follows_always_and_the_customer_only_where_shopify_owns_the_field(
    tea: Tea, now: Instant
) -> None:
    tea.apply(told(101, now, ANN), now=now)
    with tea.runtime.database.write() as db:
        given = to_document(of_shopify()) | {"fields": {"note": {"owner": "shopify"}, "phone": {"owner": "crm"}}}
        db.execute(update(policies).values(document=given))
    moved = ANN | {"phone": "+447700900222", "note": "likes sencha"}
    tea.apply(told(101, later(now, 60), moved), now=later(now, 60))
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.side["phone"], profile.own["phone"]) == ("+447700900222", "+447700900111")
    assert profile.own["note"] == "likes sencha"
    with tea.runtime.database.read() as db:
        lines = log.of_customer(db, find.show(db, tea.vault, "101").id, 10)
    assert [(line["fields"], line["reason"]) for line in lines if not line["accepted"]] == [(["phone"], "owned by crm")]


@pytest.mark.req("K25")
def test_an_old_value_can_be_opened_no_more_once_it_was_replaced(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), now=now)
    tea.apply(told(101, later(now, 60), ANN | {"email": "new@example.com"}), now=later(now, 60))
    with tea.runtime.database.read() as db:
        boxes = [
            *db.execute(select(customers.c.box)),
            *db.execute(select(sides.c.box)),
            *db.execute(select(field_log.c.box)),
        ]
        customer = find.show(db, tea.vault, "101", reveal=True)
    profile = tea.profile(101)
    assert profile is not None
    assert [bool(row.box) for row in boxes] == [True, True, False, False], "only the customer and its side are sealed"
    assert (customer.fields["email"], profile.side["email"]) == ("new@example.com", "new@example.com")


@pytest.mark.req("K25")
def test_an_old_value_is_found_no_more_once_it_was_replaced(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), now=now)
    tea.apply(told(101, later(now, 60), ANN | {"email": "new@example.com"}), now=later(now, 60))
    with tea.runtime.database.read() as db:
        assert find.show(db, tea.vault, " NEW@example.com ").shopify_id == 101
        with pytest.raises(UnknownCustomer):
            find.show(db, tea.vault, "ann@example.com")


@pytest.mark.req("K12", "K16")
def test_a_bulk_line_of_which_something_was_not_taken_is_looked_at_again(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, READ_OF_ANN, heard=later(now, 60), path=Path.READ), now=later(now, 60))
    changed = READ_OF_ANN | {"note": "new", "tags": ["gold"]}
    line: dict[str, Any] = {"path": Path.BULK, "raw": b"d" * 16}
    # The file was asked for before that read began, so its tags count for less, though it was written afterwards.
    tea.apply(told(101, later(now, 90), changed, heard=now, **line), now=later(now, 120))
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.own["note"], profile.own["tags"]) == ("new", ["vip"])
    same = told(101, later(now, 90), changed, heard=later(now, 3600), **line)
    assert tea.apply(same, now=later(now, 3600)).outcomes == ["changed"]
    profile = tea.profile(101)
    assert profile is not None
    assert profile.own["tags"] == ["gold"]
    assert tea.apply(same, now=later(now, 3601)).outcomes == ["unchanged"]


@pytest.mark.req("K16")
def test_a_bulk_line_of_a_hidden_customer_is_never_known_by_its_digest(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), gone(101, later(now, 60)), now=later(now, 60))
    line = told(101, later(now, 30), READ_OF_ANN, heard=later(now, 90), path=Path.BULK, raw=b"d" * 16)
    tea.apply(line, now=later(now, 90))
    profile = tea.profile(101)
    assert profile is not None
    assert (profile.own["tags"], profile.raw_digest) == (["vip"], None)


def test_a_phone_is_found_however_it_is_written(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now, ANN), now=now)
    with tea.runtime.database.read() as db:
        for written in ("+447700900111", "07700 900111", "+44 (0)7700 900-111"):
            assert find.show(db, tea.vault, written).shopify_id == 101


def test_the_first_write_of_a_customer_is_one_line_of_the_log(tea: Tea, now: Instant) -> None:
    row = told(101, now, READ_OF_ANN, heard=now, path=Path.BULK, raw=b"d" * 16)
    tea.apply(row, now=now, run_id="run-1")
    with tea.runtime.database.read() as db:
        lines = log.of_customer(db, find.show(db, tea.vault, "101").id, 10)
    assert [(set(line["fields"]), line["run_id"], line["path"]) for line in lines] == [
        (set(READ_OF_ANN), "run-1", "bulk")
    ]


def test_an_earlier_time_of_the_same_deletion_starts_the_clock(tea: Tea, now: Instant) -> None:
    tea.apply(told(101, now - DAY, ANN), gone(101, now), gone(101, now - HOUR), gone(101, now + SECOND), now=now)
    profile = tea.profile(101)
    assert profile is not None
    assert profile.deleted == now - HOUR


@pytest.mark.parametrize("number", [1, 2**31, 2**53 + 1, 2**63 - 1])
def test_ids_beyond_every_usual_limit_stay_exact(tea: Tea, now: Instant, number: int) -> None:
    tea.apply(told(number, now, ANN), now=now)
    with tea.runtime.database.read() as db:
        assert find.show(db, tea.vault, f"gid://shopify/Customer/{number}").shopify_id == number


def test_texts_of_every_kind_come_back_as_they_were(tea: Tea, now: Instant) -> None:
    mess = ANN | {"first_name": "🫖 Zoë", "last_name": "O'Näil; DROP TABLE", "note": "x" * 5000}
    many = told(101, now, mess | {"tags": [f"tag {n}" for n in range(250)]}, path=Path.READ)
    tea.apply(many, now=now)
    profile = tea.profile(101)
    assert profile is not None
    assert profile.own["note"] == "x" * 5000
    assert profile.own["first_name"] == "🫖 Zoë"
    assert len(profile.own["tags"]) == 250
