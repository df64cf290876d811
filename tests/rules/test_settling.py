"""Settling one record with its customer: what is taken, sent, refused, and left alone."""

from typing import Any

import pytest

from onewriter.rules.policy import Direction, FieldMap, FieldRule, Policy, Shared
from onewriter.rules.settling import BOTH_CHANGED, NOT_WHAT_WAS_WRITTEN, Meeting, Settled, settle

CRM = "crm"
NOW = 1_000


def policy(owner: str | None, way: Direction, shared: Shared | None = None, **more: Any) -> Policy:
    rule = FieldRule(owner=owner, shared=shared)
    return Policy(fields={"note": rule}, systems={CRM: {"note": FieldMap(remote="remarks", direction=way, **more)}})


def met(own: Any, told: Any, **more: Any) -> Meeting:
    return Meeting(own={"note": own}, told={"remarks": told}, now=NOW, **more)


def settled(rules: Policy, meeting: Meeting) -> Settled:
    return settle(rules, CRM, meeting, region=None)


@pytest.mark.parametrize(("own", "told"), [("a", "a"), ("a", " a "), (None, None), (None, ""), ("é", "e\u0301")])
def test_what_is_equal_however_it_is_written_is_left_alone(own: Any, told: Any) -> None:
    for owner, way in ((CRM, Direction.IN), ("shopify", Direction.OUT)):
        found = settled(policy(owner, way), met(own, told, before={"remarks": "another"}))
        assert (found.level, found.unclean) == ({"note"}, set())


def test_an_owner_s_value_is_taken_up_even_when_it_is_empty() -> None:
    assert settled(policy(CRM, Direction.IN), met("a", "b")).take == {"note": "b"}
    assert settled(policy(CRM, Direction.IN), met("a", None)).take == {"note": None}
    kept = settled(policy(CRM, Direction.IN, empty="keep"), met("a", None))
    assert (kept.take, kept.level) == ({}, {"note"})


@pytest.mark.req("M22")
def test_what_another_owns_is_sent_and_an_edit_of_it_is_refused_as_well() -> None:
    rules = policy("shopify", Direction.OUT)
    first = settled(rules, met("a", "b"))
    assert (first.send, first.refused) == ({"note"}, {}), "what stood there before is nobody's edit"
    still = settled(rules, met("a", "b", before={"remarks": "b"}))
    assert (still.send, still.refused) == ({"note"}, {})
    edit = settled(rules, met("a", "b", before={"remarks": "a"}))
    assert edit.send == {"note"}
    assert (edit.refused["note"].value, edit.refused["note"].reason) == ("b", "owned by shopify")
    unread = settled(rules, met("a", "b", before={}))
    assert unread.refused == {}


def test_the_echo_of_our_own_write_is_no_edit_and_hides_nothing() -> None:
    rules = policy("shopify", Direction.OUT)
    late = settled(rules, met("newer", "ours", before={"remarks": "old"}, echoes={"note"}))
    assert (late.send, late.refused) == ({"note"}, {})


def test_a_value_that_cannot_be_read_is_refused_and_changes_nothing() -> None:
    rules = policy(CRM, Direction.IN, transform="date", options={"format": "%d/%m/%Y"})
    found = settled(rules, met("2026-01-01", "99/99/9999"))
    assert (found.take, set(found.refused)) == ({}, {"note"})
    assert found.refused["note"].value == "99/99/9999"


@pytest.mark.parametrize(("owner", "way"), [(None, Direction.OUT), (None, Direction.IN), ("shopify", Direction.NONE)])
@pytest.mark.req("M12")
def test_where_no_owner_is_written_down_or_it_is_only_looked_at_nothing_moves(owner: Any, way: Direction) -> None:
    found = settled(policy(owner, way), met("a", "b", before={"remarks": "a"}))
    assert (found.apart, found.take, found.send, found.refused) == ({"note"}, {}, set(), {})
    assert found.unclean == {"note"}


def test_what_a_record_does_not_tell_is_neither_read_nor_written() -> None:
    found = settle(policy(CRM, Direction.IN), CRM, Meeting(own={"note": "a"}, told={}, now=NOW), region=None)
    assert found == Settled()


# ---- Fields of several writers --------------------------------------------------------------------------------------


def shared(conflict: Any = "owner wins", **more: Any) -> Shared:
    return Shared(writers=(CRM,), conflict=conflict, same_identity_rule=True, extra_work_accepted_by="user:ann", **more)


@pytest.mark.req("M77")
def test_one_of_several_writers_writes_while_nobody_else_does() -> None:
    rules = policy("shopify", Direction.BOTH, shared())
    assert settled(rules, met("a", "b", before={"remarks": "a"})).take == {"note": "b"}
    waiting = settled(rules, met("new", "a", before={"remarks": "a"}, pending={"note"}))
    assert (waiting.send, waiting.take) == ({"note"}, {}), "ours has changed, and theirs has not"


@pytest.mark.parametrize(
    ("owner", "conflict", "wins", "sends"),
    [
        ("shopify", "owner wins", False, True),
        (CRM, "owner wins", True, False),
        ("shopify", "newest wins", True, False),
        (CRM, "newest wins", True, False),
        ("shopify", "manual", False, False),
        (CRM, "manual", False, False),
    ],
)
@pytest.mark.req("M77")
def test_two_at_once_follow_the_rule_that_was_agreed(owner: str, conflict: str, wins: bool, sends: bool) -> None:
    rules = policy(owner, Direction.BOTH, shared(conflict))
    found = settled(rules, met("ours", "theirs", before={"remarks": "old"}, pending={"note"}))
    assert found.take == ({"note": "theirs"} if wins else {})
    assert found.send == ({"note"} if sends else set())
    assert [each.reason for each in found.refused.values()] == ([] if wins else [BOTH_CHANGED])


@pytest.mark.parametrize("owner", ["shopify", CRM])
@pytest.mark.parametrize("conflict", ["owner wins", "newest wins", "manual"])
@pytest.mark.req("M22", "M77")
def test_what_a_system_makes_of_our_own_write_wins_over_nobody(owner: str, conflict: str) -> None:
    rules = policy(owner, Direction.BOTH, shared(conflict))
    for pending in ((), {"note"}):
        made = settled(rules, met("Mixed", "MIXED", before={"remarks": "old"}, pending=pending, unmet={"note"}))
        assert (made.take, made.send, made.edited) == ({}, {"note"}, set())
        assert (made.refused["note"].value, made.refused["note"].reason) == ("MIXED", NOT_WHAT_WAS_WRITTEN)
    # Where it made nothing of it, it is told once more, and nobody has edited anything.
    ignored = settled(rules, met("Mixed", "old", before={"remarks": "old"}, unmet={"note"}))
    assert (ignored.take, ignored.send, ignored.refused) == ({}, {"note"}, {})


def test_of_a_shared_field_it_is_told_whether_the_system_has_just_changed_it() -> None:
    rules = policy("shopify", Direction.BOTH, shared("newest wins"))
    assert settled(rules, met("a", "b", before={"remarks": "a"})).edited == {"note"}
    assert settled(rules, met("a", "b", before={"remarks": "b"})).edited == set()
    assert settled(rules, met("a", "b")).edited == set()
    unreadable = policy(CRM, Direction.BOTH, shared(), transform="date", options={"format": "DD/MM/YYYY"})
    found = settled(unreadable, met("2026-01-01", "99/99/9999", before={"remarks": "01/01/2026"}))
    assert (found.edited, set(found.refused)) == (set(), {"note"})


@pytest.mark.parametrize("owner", ["shopify", CRM])
def test_what_is_undecided_is_left_as_it_is_on_both_sides(owner: str) -> None:
    rules = policy(owner, Direction.BOTH, shared("newest wins"))
    found = settled(rules, met("a", "b", before={"remarks": "c"}, pending={"note"}, undecided={"note"}))
    assert (found.apart, found.take, found.send, found.refused) == ({"note"}, {}, set(), {})


def test_at_a_first_meeting_only_the_owner_of_a_shared_field_is_taken_up() -> None:
    for owner, taken in (("shopify", {}), (CRM, {"note": "b"})):
        found = settled(policy(owner, Direction.BOTH, shared("newest wins")), met("a", "b", first=True))
        assert (found.take, found.send) == (taken, set() if taken else {"note"})


@pytest.mark.parametrize(
    ("own", "told", "before", "refused"),
    [
        (None, "typed", None, True),
        ("", "typed", "another", True),
        (None, "typed", "typed", False),
        (None, None, "typed", False),
        ("ours", "ours", "typed", False),
    ],
)
@pytest.mark.req("M22")
def test_an_edit_is_refused_though_an_empty_value_empties_nothing(
    own: Any, told: Any, before: Any, refused: bool
) -> None:
    rules = policy("shopify", Direction.OUT, empty="keep")
    found = settled(rules, met(own, told, before={"remarks": before}))
    assert (found.level, found.send, found.unclean) == ({"note"}, set(), set())
    assert {name: (each.value, each.reason) for name, each in found.refused.items()} == (
        {"note": ("typed", "owned by shopify")} if refused else {}
    )
    for rules in (policy("shopify", Direction.IN, empty="keep"), policy(None, Direction.OUT, empty="keep")):
        assert settled(rules, met(own, told, before={"remarks": before})).refused == {}


@pytest.mark.req("M77")
@pytest.mark.parametrize(
    ("owner", "overwrites", "empties"), [("shopify", False, False), ("shopify", True, True), (CRM, False, True)]
)
def test_an_empty_value_overwrites_only_from_the_owner_or_where_that_was_said(
    owner: str, overwrites: bool, empties: bool
) -> None:
    rules = policy(owner, Direction.BOTH, shared(empty_overwrites=overwrites))
    found = settled(rules, met("a", None, before={"remarks": "a"}))
    assert found.take == ({"note": None} if empties else {})
    assert found.send == (set() if empties else {"note"})


# ---- Consents -------------------------------------------------------------------------------------------------------


def consent(owner: str, own: Any, told: Any, **more: Any) -> Settled:
    way = Direction.IN if owner == CRM else Direction.OUT
    maps = {"email_consent": FieldMap(remote="optin", direction=way)}
    rules = Policy(fields={"email_consent": FieldRule(owner=owner)}, systems={CRM: maps})
    return settle(rules, CRM, Meeting(own={"email_consent": own}, told={"optin": told}, now=NOW, **more), region=None)


def said(state: str, at: int | None = 1, source: str | None = "form") -> dict[str, Any]:
    return {"state": state, "level": None, "at": at} | ({"source": source} if source else {})


def test_an_opt_out_is_taken_and_an_opt_in_needs_its_time_its_source_and_a_person() -> None:
    assert consent(CRM, said("subscribed", 1), said("unsubscribed", 2)).take
    assert consent(CRM, said("unsubscribed", 1), said("subscribed", 2)).take
    for told, more in (
        (said("subscribed", None), {}),
        (said("subscribed", 2, None), {}),
        (said("subscribed", 1), {}),
        (said("subscribed", 2), {"bulk": True}),
    ):
        found = consent(CRM, said("unsubscribed", 1), told, **more)
        assert (found.take, set(found.refused)) == ({}, {"email_consent"})


# ---- What is parked, and tags ---------------------------------------------------------------------------------------


def test_a_refused_value_is_parked_in_our_form_where_it_has_one() -> None:
    maps = {
        "phone": FieldMap(remote="mobile", direction=Direction.OUT, transform="e164"),
        "custom.born": FieldMap(
            remote="born", direction=Direction.OUT, transform="date", options={"format": "%d/%m/%Y"}
        ),
    }
    fields = {name: FieldRule(owner="shopify") for name in maps}
    rules = Policy(fields=fields, systems={CRM: maps})
    own = {"phone": "+14155552671", "custom.born": "2000-01-02"}
    told = {"mobile": "(415) 555-2672", "born": "99/99/9999"}
    before = {"mobile": "+14155552671", "born": "02/01/2000"}
    found = settle(rules, CRM, Meeting(own=own, told=told, now=NOW, before=before), region="US")
    assert {name: each.value for name, each in found.refused.items()} == {
        "phone": "+14155552672", "custom.born": "99/99/9999",
    }  # fmt: skip


def test_a_part_of_the_tags_is_settled_without_the_other_parts() -> None:
    maps = {
        "tags": FieldMap(remote="labels", direction=Direction.OUT),
        "tags[vip:*]": FieldMap(remote="levels", direction=Direction.IN),
    }
    fields = {"tags": FieldRule(owner="shopify"), "tags[vip:*]": FieldRule(owner=CRM)}
    rules = Policy(fields=fields, systems={CRM: maps})
    own = {"tags": ["tea"], "tags[vip:*]": ["vip:gold"]}
    told = {"labels": ["tea", "vip:old"], "levels": ["vip:gold", "coffee"]}
    found = settle(rules, CRM, Meeting(own=own, told=told, now=NOW), region=None)
    assert (found.level, found.take, found.send) == ({"tags", "tags[vip:*]"}, {}, set())
    moved = settle(rules, CRM, Meeting(own=own, told=told | {"levels": ["vip:new", "coffee"]}, now=NOW), region=None)
    assert moved.take == {"tags[vip:*]": ["vip:new"]}


SUBSCRIBED = {"state": "subscribed", "level": "single_opt_in", "at": 5}


@pytest.mark.parametrize(
    ("there", "more", "sent", "told"),
    [
        # News, whether dated or not.
        (False, {"before": {"remarks": True}}, False, True),
        (False, {"before": {"remarks": True}, "pending": {"note"}}, False, True),
        # What stood there before may be older than our opt-in, and nobody knows: neither wins.
        (False, {}, False, False),
        (False, {"before": {"remarks": False}}, False, False),
        # The system has not heard yet of ours.
        (False, {"before": {"remarks": False}, "pending": {"email_consent"}}, True, False),
        (None, {"before": {"remarks": True}}, True, False),
    ],
)
def test_an_opt_out_that_a_system_tells_is_never_written_over(
    there: Any, more: dict[str, Any], sent: bool, told: bool
) -> None:
    rule = FieldRule(owner="shopify")
    each = FieldMap(remote="remarks", direction=Direction.OUT, transform="consent_flag")
    rules = Policy(fields={"email_consent": rule}, systems={CRM: {"email_consent": each}})
    found = settled(rules, Meeting(own={"email_consent": SUBSCRIBED}, told={"remarks": there}, now=NOW, **more))
    assert (bool(found.send), bool(found.opted_out)) == (sent, told)
    assert found.unclean == {"email_consent"}


@pytest.mark.parametrize(("at", "told"), [(6, True), (4, False)])
def test_a_dated_opt_out_counts_if_it_is_not_older_than_the_opt_in(at: int, told: bool) -> None:
    each = FieldMap(remote="remarks", direction=Direction.OUT)
    rules = Policy(fields={"email_consent": FieldRule(owner="shopify")}, systems={CRM: {"email_consent": each}})
    there = {"state": "unsubscribed", "at": at}
    found = settled(rules, Meeting(own={"email_consent": SUBSCRIBED}, told={"remarks": there}, now=NOW))
    assert (bool(found.send), bool(found.opted_out)) == (not told, told)
    assert found.opt_outs == ({"email_consent"} if told else set())


def test_an_opt_out_from_the_future_is_told_as_of_now() -> None:
    each = FieldMap(remote="remarks", direction=Direction.OUT)
    rules = Policy(fields={"email_consent": FieldRule(owner="shopify")}, systems={CRM: {"email_consent": each}})
    there = {"state": "unsubscribed", "at": NOW + 5}
    found = settled(rules, Meeting(own={"email_consent": SUBSCRIBED}, told={"remarks": there}, now=NOW))
    assert found.opted_out["email_consent"]["at"] == NOW


def test_the_echo_of_an_opt_out_that_we_wrote_is_nobody_s_opt_out() -> None:
    """Its owner has opted in again since it was written."""
    found = consent("shopify", said("subscribed", 9), said("unsubscribed", None), before={"optin": None})
    assert (set(found.opted_out), found.send) == ({"email_consent"}, set())
    echoed = consent(
        "shopify", said("subscribed", 9), said("unsubscribed", None), before={"optin": None}, echoes={"email_consent"}
    )
    assert (echoed.opted_out, echoed.send) == ({}, {"email_consent"})


def test_what_is_no_consent_cannot_be_opted_out_of() -> None:
    there = {"state": "unsubscribed", "at": 9}
    rules = Policy(
        fields={"custom.mail": FieldRule(owner="shopify")},
        systems={CRM: {"custom.mail": FieldMap(remote="remarks", direction=Direction.OUT)}},
    )
    own = {"custom.mail": {"state": "subscribed", "at": 1}}
    found = settled(rules, Meeting(own=own, told={"remarks": there}, now=NOW))
    assert (found.send, found.opted_out) == ({"custom.mail"}, {})


@pytest.mark.parametrize(("owner", "wins"), [(CRM, True), ("shopify", False)])
def test_where_no_rule_was_agreed_the_owner_wins(owner: str, wins: bool) -> None:
    found = settled(policy(owner, Direction.BOTH), met("ours", "theirs", before={"remarks": "old"}, pending={"note"}))
    assert (found.take, found.send) == (({"note": "theirs"}, set()) if wins else ({}, {"note"}))


@pytest.mark.parametrize(
    ("before", "told", "edited"),
    [
        (["tea", "milk"], ["milk"], True),
        (["tea", "milk"], ["milk", "tea"], False),
        (["tea", "milk", "vip:old"], ["tea", "milk", "vip:new"], False),
    ],
)
@pytest.mark.req("M22")
def test_tags_are_edited_where_those_of_the_field_are_others(before: list[str], told: list[str], edited: bool) -> None:
    maps = {"tags": FieldMap(remote="labels", direction=Direction.OUT)}
    fields = {"tags": FieldRule(owner="shopify"), "tags[vip:*]": FieldRule(owner=CRM)}
    rules = Policy(fields=fields, systems={CRM: maps})
    meeting = Meeting(own={"tags": ["ours"]}, told={"labels": told}, before={"labels": before}, now=NOW)
    found = settle(rules, CRM, meeting, region=None)
    assert (found.send, set(found.refused)) == ({"tags"}, {"tags"} if edited else set())
