"""What differs and why: a read beside our side, and the deliveries that should have told of it."""

from dataclasses import replace
from typing import Any

import pytest

from onewriter.audit.compare import GRACE, Difference, Ill, is_young, judge, row_is_older, unequal
from onewriter.audit.reasons import SHOWN_MAX, TOPICS, Reason, Sought, evidence, reason, shown, sought
from onewriter.customers.inbox import DONE, DROPPED, PARKED, WAITING, Told
from onewriter.customers.profiles import ACTIVE, DELETED, MERGED, Side
from onewriter.records import FIELDS, HOUR, PROFILE_FIELDS, READ_FIELDS, SECOND, Change, Instant, Kind, Path
from onewriter.shopify.topics import CUSTOMER_TOPICS

NOON: Instant = 1_800_000_000 * SECOND
READ = NOON + HOUR
"""When the read began that found the difference."""
HELD = NOON - HOUR
"""The version that our side holds, and when it was told."""
SAME = {"email": "a@example.com", "note": None, "tags": ["vip"], "email_consent": None}


def side(**changes: Any) -> Side:
    """A side that was told an hour before noon, and whose tags were read then."""
    given: dict[str, Any] = {"shopify_id": 7, "customer_id": b"c" * 16, "fields": SAME, "version": HELD, "heard": HELD}
    given |= {"path": Path.WEBHOOK, "read_began": HELD, "state": ACTIVE, "deleted": None, "box": b""}
    return Side(**given | changes)


def read(fields: dict[str, Any] | None = None, **changes: Any) -> Change:
    """A direct read, an hour after noon, of a customer that changed at noon."""
    given: dict[str, Any] = {"record_id": 7, "kind": Kind.PRESENT, "path": Path.READ, "version": NOON, "heard": READ}
    return Change(**given | {"fields": SAME | (fields or {}), "created": NOON - 9 * HOUR} | changes)


GONE = read(kind=Kind.ABSENT, fields={}, version=None)


# ---- What differs ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ours", "theirs", "found"),
    [
        (side(), read(), None),
        (None, read(), Difference(Ill.MISSING)),
        (None, GONE, None),
        (side(), GONE, Difference(Ill.UNDELETED)),
        (side(state=DELETED, deleted=NOON), GONE, None),
        (side(state=DELETED, deleted=NOON), read(), Difference(Ill.HIDDEN)),
        (side(state=MERGED, deleted=NOON), read(), Difference(Ill.HIDDEN)),
        (side(state=DELETED, deleted=READ), read(), None),
        (side(), read({"email": "b@example.com"}), Difference(Ill.DRIFT, ("email",))),
        (side(), read({"tags": None, "note": "x"}), Difference(Ill.DRIFT, ("note", "tags"))),
        (side(fields={}), read({"tags": None, "email": None}), None),
        # Told something newer since the read began, or a moment before it by a clock that is not quite ours.
        (side(version=READ, heard=READ), read({"email": "b@example.com"}), None),
        (side(version=NOON, heard=READ + 1), read({"email": "b@example.com"}), None),
        (side(version=READ - SECOND, heard=READ - SECOND), read({"email": "b@example.com"}), None),
        (side(read_began=READ + 1), read({"tags": ["gold"]}), None),
        (side(read_began=READ + 1), read({"tags": ["gold"], "note": "x"}), Difference(Ill.DRIFT, ("note",))),
        (side(version=READ, heard=READ), read({"tags": ["gold"], "note": "x"}), Difference(Ill.DRIFT, ("tags",))),
        # A newer version that was told long ago is not newer: Shopify does not have it.
        (side(version=NOON + 1, heard=NOON), read({"email": "b@example.com"}), Difference(Ill.DRIFT, ("email",))),
    ],
)
def test_what_a_read_finds_wrong(ours: Side | None, theirs: Change, found: Difference | None) -> None:
    assert judge(ours, theirs) == found


def test_a_field_that_was_denied_is_not_compared() -> None:
    hidden = read()
    fields = {name: value for name, value in hidden.fields.items() if name != "email"}
    assert unequal(side(), replace(hidden, fields=fields, denied=frozenset({"email"}))) == ()


@pytest.mark.parametrize(
    ("ours", "fields", "older"),
    [
        (side(version=NOON + 1), ("email",), True),
        (side(version=NOON), ("email",), False),
        (side(read_began=READ + 1), ("tags",), True),
        (side(read_began=READ), ("tags",), False),
        (side(read_began=None), ("tags",), False),
        (side(version=NOON + 1), ("email", "tags"), False),
        (side(version=NOON + 1, read_began=READ + 1), ("email", "tags"), True),
    ],
)
def test_a_row_is_older_if_every_field_that_differs_was_told_later(
    ours: Side, fields: tuple[str, ...], older: bool
) -> None:
    assert row_is_older(ours, read(path=Path.BULK), fields) is older


@pytest.mark.parametrize(
    ("changes", "young"),
    [
        ({"version": READ - GRACE}, False),
        ({"version": READ - GRACE + 1}, True),
        ({"fields": {"email_consent": {"state": "subscribed", "level": None, "at": READ - SECOND}}}, True),
        ({"fields": {"email_consent": {"state": "subscribed", "level": None, "at": None}}}, False),
    ],
)
def test_a_change_of_a_moment_ago_may_still_be_told(changes: dict[str, Any], young: bool) -> None:
    fields = changes.pop("fields", {})
    assert is_young(read(fields, **changes), GRACE) is young


# ---- Why ------------------------------------------------------------------------------------------------------------


def told(topic: str, at: Instant, state: str = DONE, outcome: str | None = "changed", **changes: Any) -> Told:
    given: dict[str, Any] = {"position": 1, "topic": topic, "at": at, "received": at + SECOND, "state": state}
    return Told(**given | {"outcome": outcome, "attempts": 0, "ended": at + 2 * SECOND} | changes)


UPDATE, TAGS, DELETE, MERGE = "customers/update", "customer.tags_added", "customers/delete", "customers/merge"
EMAIL, SMS, WHATSAPP = (TOPICS[name][0] for name in ("email_consent", "sms_consent", "whatsapp_consent"))
FAILED_MERGE = "refused: the merge failed"
PARKED_ROW: dict[str, Any] = {
    "state": PARKED,
    "outcome": "customers/update: it is not the JSON that this should be.",
    "attempts": 1,
}


@pytest.mark.parametrize(
    ("ill", "field", "heard", "why"),
    [
        (Ill.DRIFT, "email", [], Reason.NEVER),
        (Ill.DRIFT, "email", [told(UPDATE, HELD)], Reason.NEVER),
        (Ill.DRIFT, "email", [told(UPDATE, READ)], Reason.NEVER),
        (Ill.DRIFT, "email", [told(TAGS, NOON)], Reason.NEVER),
        (Ill.DRIFT, "email", [told(UPDATE, NOON, **PARKED_ROW)], Reason.REFUSED),
        (Ill.DRIFT, "email", [told(UPDATE, NOON, DROPPED, "given up")], Reason.REFUSED),
        (Ill.DRIFT, "email", [told(UPDATE, NOON, outcome="refused: older than what we hold")], Reason.REFUSED),
        (Ill.DRIFT, "email", [told(UPDATE, NOON)], Reason.NOT_APPLIED),
        (Ill.DRIFT, "email", [told("customers/enable", NOON), told(UPDATE, NOON, **PARKED_ROW)], Reason.NOT_APPLIED),
        (Ill.DRIFT, "email", [told(UPDATE, NOON, WAITING, None)], Reason.LATE),
        (Ill.DRIFT, "email", [told(UPDATE, NOON, received=READ + 1)], Reason.LATE),
        (Ill.DRIFT, "email", [told(UPDATE, NOON, received=READ)], Reason.NOT_APPLIED),
        (Ill.DRIFT, "tags", [], Reason.NEVER),
        (Ill.DRIFT, "tags", [told(TAGS, HELD - 1)], Reason.NEVER),
        (Ill.DRIFT, "tags", [told(TAGS, HELD, ended=HELD)], Reason.NEVER),
        (Ill.DRIFT, "tags", [told(TAGS, HELD, ended=HELD + 1)], Reason.NOT_APPLIED),
        (Ill.DRIFT, "tags", [told("customer.tags_removed", HELD + 1, **PARKED_ROW)], Reason.REFUSED),
        (Ill.DRIFT, "tags", [told(EMAIL, HELD + 1)], Reason.NEVER),
        (Ill.DRIFT, "email_consent", [told(EMAIL, HELD + 1, **PARKED_ROW)], Reason.REFUSED),
        (Ill.DRIFT, "sms_consent", [told(SMS, HELD + 1, **PARKED_ROW)], Reason.REFUSED),
        (Ill.DRIFT, "whatsapp_consent", [told(WHATSAPP, HELD + 1, **PARKED_ROW)], Reason.REFUSED),
        (Ill.DRIFT, "sms_consent", [told(EMAIL, HELD + 1, **PARKED_ROW)], Reason.NEVER),
        (Ill.UNDELETED, None, [], Reason.NEVER),
        (Ill.UNDELETED, None, [told(DELETE, NOON, **PARKED_ROW)], Reason.REFUSED),
        (Ill.UNDELETED, None, [told(DELETE, NOON, outcome="deleted")], Reason.NOT_APPLIED),
        (Ill.UNDELETED, None, [told(DELETE, HELD - 1, outcome="deleted")], Reason.NEVER),
        (Ill.UNDELETED, None, [told(MERGE, NOON, **PARKED_ROW)], Reason.NEVER),
        (Ill.UNDELETED, None, [told(MERGE, NOON, **PARKED_ROW, merged_away=True)], Reason.REFUSED),
        (Ill.UNDELETED, None, [told(MERGE, NOON, outcome="merged", merged_away=True)], Reason.NOT_APPLIED),
        (Ill.UNDELETED, None, [told(MERGE, NOON, outcome=FAILED_MERGE, merged_away=True)], Reason.NEVER),
    ],
)
def test_the_reason_of_a_difference(ill: Ill, field: str | None, heard: list[Told], why: Reason) -> None:
    found, spoke = reason(sought(ill, field, side(), GONE if ill is Ill.UNDELETED else read()), heard)
    assert found is why
    assert bool(spoke) is (why is not Reason.NEVER)


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        ([], Reason.NEVER),
        ([told("customers/create", NOON - 10 * HOUR, **PARKED_ROW)], Reason.NEVER),
        ([told("customers/create", NOON - 8 * HOUR, **PARKED_ROW)], Reason.REFUSED),
        ([told(UPDATE, NOON, **PARKED_ROW)], Reason.REFUSED),
        ([told(UPDATE, NOON, outcome="created")], Reason.NOT_APPLIED),
    ],
)
def test_why_a_customer_is_missing(heard: list[Told], why: Reason) -> None:
    assert reason(sought(Ill.MISSING, None, None, read()), heard)[0] is why


@pytest.mark.parametrize(
    ("heard", "why"),
    [
        ([told(UPDATE, NOON - 1)], Reason.NEVER),
        ([told(UPDATE, NOON + 1, outcome="refused: after the deletion")], Reason.REFUSED),
    ],
)
def test_why_a_customer_is_hidden(heard: list[Told], why: Reason) -> None:
    hidden = side(state=DELETED, deleted=NOON)
    assert reason(sought(Ill.HIDDEN, None, hidden, read()), heard)[0] is why


def test_of_two_changes_in_one_second_the_later_is_the_one_that_was_lost() -> None:
    known = side(version=NOON, heard=NOON + 200)
    wanted = sought(Ill.DRIFT, "email", known, read())
    assert reason(wanted, [told(UPDATE, NOON + 200)])[0] is Reason.NEVER
    assert reason(wanted, [told(UPDATE, NOON + 700, **PARKED_ROW)])[0] is Reason.REFUSED


def test_a_delivery_of_that_second_that_did_not_tell_the_field_is_the_one_that_was_not_applied() -> None:
    known = side(version=NOON, heard=NOON + 200, others={"email": (HELD, 0, HELD)})
    assert reason(sought(Ill.DRIFT, "email", known, read()), [told(UPDATE, NOON + 200)])[0] is Reason.NOT_APPLIED
    assert reason(sought(Ill.DRIFT, "note", known, read()), [told(UPDATE, NOON + 200)])[0] is Reason.NEVER


def test_a_field_that_we_were_denied_was_told_by_the_delivery_of_its_own_version() -> None:
    fields = {name: value for name, value in SAME.items() if name != "email"}
    denied = side(version=NOON, heard=NOON + 200, fields=fields)
    assert reason(sought(Ill.DRIFT, "email", denied, read()), [told(UPDATE, NOON + 200)])[0] is Reason.NOT_APPLIED
    assert reason(sought(Ill.DRIFT, "note", denied, read()), [told(UPDATE, NOON + 200)])[0] is Reason.NEVER


def test_every_field_has_topics_that_tell_of_it() -> None:
    assert {*PROFILE_FIELDS, *READ_FIELDS} == set(FIELDS) <= TOPICS.keys()
    assert {topic for topics in TOPICS.values() for topic in topics} == set(CUSTOMER_TOPICS)


def test_the_evidence_names_deliveries_and_times_and_nothing_of_a_person() -> None:
    wanted = sought(Ill.DRIFT, "email", side(), read())
    spoke = [told(UPDATE, NOON + number, position=number) for number in range(9)]
    kept = evidence(wanted, side(), read({"email": "b@example.com"}), spoke)
    assert [each["position"] for each in kept["deliveries"]] == list(range(9 - SHOWN_MAX, 9))
    assert kept["looked_for"] == {"topics": TOPICS["email"], "since": NOON, "until": READ, "answered": None}
    assert (kept["shopify"]["version"], kept["here"]["version"]) == (NOON, HELD)
    assert "example.com" not in str(kept)
    assert "7" not in {str(value) for value in kept["here"].values()}
    assert evidence(wanted, None, read(), [])["here"] is None
    assert shown([]) == []
    assert Sought(**kept["looked_for"]) == wanted
