"""Order, as pure rules: each row of the tables is one decision."""

import itertools
from typing import Any

import pytest

from onewriter.records import DAY, SECOND, Change, Kind, Path
from onewriter.rules.ordering import Held, Verdict, decide

T = 1_000 * SECOND
ANN = {"first_name": "Ann", "email": "ann@example.com", "phone": None}


SAID = {name: value for name, value in ANN.items() if value is not None}


def digest(value: object) -> bytes:
    return repr(value).encode()


def held(*, read: bool = False, heard: int = T, **changes: Any) -> Held:
    values: dict[str, Any] = {"fields": SAID, "version": T} | changes
    stamps = dict.fromkeys(values["fields"], (values["version"], int(read), heard))
    return Held(**({"stamps": stamps} | values))


def change(**changes: object) -> Change:
    values = {"record_id": 1, "kind": Kind.PRESENT, "path": Path.WEBHOOK, "fields": ANN, "version": T, "heard": T}
    return Change(**(values | changes))  # type: ignore[arg-type]


def read(**changes: object) -> Change:
    return change(**({"path": Path.READ, "heard": T + SECOND} | changes))


def test_what_was_never_heard_of_is_taken_whole() -> None:
    verdict = decide(None, change(), digest)
    assert (verdict.fields, set(verdict.stamps), verdict.refetch) == (SAID, set(SAID), frozenset({"unread"}))


def test_a_first_read_tells_everything_so_nothing_is_read_again() -> None:
    verdict = decide(None, read(fields=ANN | {"tags": ["vip"]}), digest)
    assert (verdict.refetch, verdict.reads_won, verdict.settles) == (frozenset(), True, True)


@pytest.mark.parametrize("path", list(Path))
def test_a_newer_version_wins_by_any_path(path: Path) -> None:
    verdict = decide(held(), change(path=path, version=T + SECOND, fields={"first_name": "Anna"}), digest)
    assert (verdict.fields, set(verdict.stamps)) == ({"first_name": "Anna"}, {"first_name"})


@pytest.mark.parametrize("path", list(Path))
def test_an_older_version_never_wins_by_any_path(path: Path) -> None:
    verdict = decide(held(), change(path=path, version=T - SECOND, fields={"first_name": "Old"}), digest)
    assert (verdict.fields, verdict.stamps) == ({}, {})
    assert verdict.refused == "older than what we hold"


def test_a_read_older_than_what_we_hold_does_not_settle_the_mark() -> None:
    assert not decide(held(), read(version=T - SECOND), digest).settles
    assert decide(held(), read(version=T), digest).settles


def test_what_the_other_did_not_say_is_no_contradiction() -> None:
    verdict = decide(held(), change(path=Path.BULK, fields=SAID | {"locale": "en"}), digest)
    assert (verdict.fields, verdict.refetch) == ({"locale": "en"}, frozenset())


@pytest.mark.parametrize("first", ["Ann", "Bea"])
def test_which_of_two_ties_is_kept_does_not_depend_on_who_came_first(first: str) -> None:
    second = "Bea" if first == "Ann" else "Ann"
    verdict = decide(held(fields={"first_name": first}), change(fields={"first_name": second}), digest)
    kept = verdict.fields.get("first_name", first)
    assert kept == max(("Ann", "Bea"), key=digest)
    assert verdict.refetch == frozenset({"tie"})


def test_of_two_ties_the_one_that_was_triggered_later_is_kept() -> None:
    later = change(fields={"first_name": "Aaa"}, heard=T + 5)
    assert decide(held(fields={"first_name": "Zzz"}), later, digest).fields == {"first_name": "Aaa"}
    earlier = change(fields={"first_name": "Zzz"}, heard=T - 5)
    assert decide(held(fields={"first_name": "Aaa"}), earlier, digest).fields == {}


def test_a_direct_read_ranks_above_deliveries_of_its_second() -> None:
    other = {"first_name": "Bea"}
    assert decide(held(), read(fields=other), digest).fields == other
    verdict = decide(held(read=True, heard=T - SECOND), change(fields=other), digest)
    assert (verdict.fields, verdict.refetch, verdict.refused) == ({}, frozenset({"tie"}), "older than what we hold")


def test_of_two_reads_of_one_second_the_one_that_began_later_wins() -> None:
    ours = held(read=True, heard=T + 5)
    assert decide(ours, read(heard=T + 6, fields={"first_name": "Bea"}), digest).fields == {"first_name": "Bea"}
    late = decide(ours, read(heard=T + 4, fields={"first_name": "Bea"}), digest)
    assert (late.fields, late.settles) == ({}, False)


def test_a_null_in_a_delivery_never_clears_but_asks_for_a_read() -> None:
    verdict = decide(held(), change(version=T + 1, fields=ANN | {"email": None}), digest)
    assert ("email" in verdict.fields, "email" in verdict.stamps, verdict.refetch) == (
        False,
        False,
        frozenset({"null"}),
    )
    assert decide(held(), read(version=T + 1, fields=SAID | {"email": None}), digest).fields == {"email": None}


def test_what_a_newer_delivery_called_null_is_filled_by_an_older_one_and_read_again() -> None:
    ours = held(fields={"first_name": "Anna"}, version=T + SECOND)
    verdict = decide(ours, change(fields={"first_name": "Ann", "email": "ann@example.com"}), digest)
    assert (verdict.fields, verdict.refetch) == ({"email": "ann@example.com"}, frozenset({"null", "consent"}))
    assert verdict.refused == "older than what we hold"


def test_a_field_left_behind_takes_the_newest_that_was_said_of_it() -> None:
    stamps = {"first_name": (T + 9, 0, T + 9), "email": (T, 0, T)}
    ours = Held(fields={"first_name": "Anna", "email": "a@example.com"}, version=T + 9, stamps=stamps)
    verdict = decide(ours, change(version=T + 5, fields={"first_name": "Ann", "email": "b@example.com"}), digest)
    assert verdict.fields == {"email": "b@example.com"}


def test_a_denied_field_is_never_taken_for_empty() -> None:
    denied = read(version=T + 1, fields=SAID | {"email": None}, denied=frozenset({"email"}))
    assert decide(held(), denied, digest).fields == {}


def test_tags_and_consents_follow_the_read_that_began_later_whatever_the_version() -> None:
    ours = held(fields=ANN | {"tags": ["a"]}, read_began=T + 5)
    later = read(version=T, heard=T + 6, fields=ANN | {"tags": ["b"]})
    assert decide(ours, later, digest).fields == {"tags": ["b"]}
    earlier = read(version=T + SECOND, heard=T + 4, fields=ANN | {"tags": ["b"]})
    assert "tags" not in decide(ours, earlier, digest).fields


def test_a_delivery_says_nothing_of_tags_even_if_it_carries_them() -> None:
    verdict = decide(held(fields=ANN | {"tags": ["a"]}), change(version=T + 1, fields=ANN | {"tags": []}), digest)
    assert "tags" not in verdict.fields


def test_a_deletion_hides_and_must_be_confirmed() -> None:
    verdict = decide(held(), change(kind=Kind.DELETED, fields={}, version=None, heard=T + 9), digest)
    assert (verdict.hide, verdict.refetch) == (T + 9, frozenset({"deletion"}))


@pytest.mark.parametrize(("at", "hide"), [(T + 1, T + 1), (T + 3, None)])
def test_the_earliest_time_of_a_deletion_counts(at: int, hide: int | None) -> None:
    verdict = decide(held(deleted=T + 2), change(kind=Kind.DELETED, fields={}, version=None, heard=at), digest)
    assert verdict.hide == hide


def test_an_absence_confirms_a_deletion_and_hides_what_was_not_hidden() -> None:
    gone = change(kind=Kind.ABSENT, path=Path.READ, fields={}, version=None, heard=T + 9)
    assert decide(held(deleted=T + 2), gone, digest) == Verdict(confirm=True, settles=True)
    assert decide(held(), gone, digest) == Verdict(hide=T + 9, confirm=True, settles=True)
    assert decide(held(deleted=T + 2, confirmed=True), gone, digest) == Verdict(settles=True)
    assert decide(None, gone, digest) == Verdict(settles=True)


def test_a_hidden_record_is_filled_by_what_happened_before_and_by_nothing_after() -> None:
    hidden = held(deleted=T + 10 * SECOND)
    before = change(version=T + 9 * SECOND, fields={"first_name": "Anna"})
    assert decide(hidden, before, digest).fields == {"first_name": "Anna"}
    after = change(version=T + 11 * SECOND, fields={"first_name": "Ghost"})
    assert decide(hidden, after, digest) == Verdict(refused="after the deletion")


def test_nobody_is_read_again_once_the_deletion_is_confirmed() -> None:
    hidden = held(deleted=T + 10, confirmed=True)
    assert decide(hidden, change(fields={"first_name": "Bea"}, heard=T + 5), digest).refetch == frozenset()


def test_only_a_read_that_began_after_the_deletion_undoes_it() -> None:
    hidden = held(deleted=T + 10)
    assert decide(hidden, read(heard=T + 11), digest).unhide
    early = decide(hidden, read(heard=T + 10, fields=ANN | {"locale": "en"}), digest)
    assert (early.unhide, early.settles, early.fields["locale"]) == (False, False, "en")


def test_a_tombstone_hides_what_turns_up_and_a_later_read_takes_it_away() -> None:
    verdict = decide(None, change(), digest, T + 10)
    assert (verdict.hide, verdict.fields) == (T + 10, SAID)
    assert decide(None, change(version=T + 11), digest, T + 10) == Verdict(refused="after the deletion")
    found = decide(None, read(heard=T + 11), digest, T + 10)
    assert (found.hide, found.unhide, found.fields) == (None, True, ANN)


def test_every_order_of_three_versions_ends_with_the_newest() -> None:
    versions = [change(version=T + n, fields={"first_name": str(n)}) for n in range(3)]
    for order in itertools.permutations(versions):
        state: Held | None = None
        for each in order:
            verdict = decide(state, each, digest)
            if state is None or verdict.stamps:
                state = held(fields=dict(verdict.fields), version=each.version, heard=each.heard)
        assert state is not None
        assert state.fields == {"first_name": "2"}


# ---- Doorbells, merges and consents ---------------------------------------------------------------------------------


def doorbell() -> Change:
    return Change(1, Kind.RUNG, Path.WEBHOOK, {}, None, T)


@pytest.mark.req("K28")
@pytest.mark.parametrize(
    ("ours", "tombstone", "reasons"),
    [
        (None, None, {"doorbell"}),
        (held(), None, {"doorbell"}),
        (held(deleted=T), None, {"doorbell"}),
        (held(deleted=T, confirmed=True), None, set()),
        (None, T, set()),
    ],
    ids=["unknown", "known", "said to be deleted", "known to be gone", "buried"],
)
def test_a_doorbell_asks_for_a_read_of_whoever_may_be_there(
    ours: Held | None, tombstone: int | None, reasons: set[str]
) -> None:
    verdict = decide(ours, doorbell(), digest, tombstone)
    assert verdict == Verdict(refetch=frozenset(reasons))


@pytest.mark.req("K38")
def test_a_merge_asks_for_a_read_and_a_failed_one_for_nothing() -> None:
    told = Change(1, Kind.MERGED, Path.WEBHOOK, {}, None, T, into=2)
    assert decide(held(), told, digest) == Verdict(refetch=frozenset({"merge"}))
    failed = Change(1, Kind.NOT_MERGED, Path.WEBHOOK, {}, None, T, into=2)
    assert decide(held(), failed, digest) == Verdict(refused="the merge failed")


@pytest.mark.parametrize("name", ["email", "phone"])
def test_another_address_has_another_consent_so_it_is_read(name: str) -> None:
    ours = held(fields={"email": "ann@example.com", "phone": "+44"})
    fresh = change(version=T + SECOND, fields={name: "another"})
    assert decide(ours, fresh, digest).refetch == frozenset({"consent"})
    same = change(version=T + SECOND, fields={name: ours.fields[name]})
    assert decide(ours, same, digest).refetch == frozenset()
    late = change(version=T - SECOND, fields={name: "another"})
    assert decide(ours, late, digest).refetch == frozenset({"consent"}), "it was another one for a while"
    assert decide(ours, read(version=T + SECOND, fields={name: "another"}), digest).refetch == frozenset()


# ---- What a verdict leaves alone, and the edges of each comparison ---------------------------------------------------


def test_a_verdict_says_no_more_than_it_decides() -> None:
    quiet = decide(held(deleted=T, confirmed=True), doorbell(), digest)
    assert (quiet.reads_won, quiet.settles, quiet.unhide, quiet.confirm) == (False, False, False, False)
    assert (quiet.hide, quiet.refused, quiet.newest, dict(quiet.fields)) == (None, None, None, {})


def test_the_first_word_of_a_customer_carries_its_stamp() -> None:
    verdict = decide(None, change(heard=T + 5), digest)
    assert verdict.newest == (T, 0, T + 5)
    assert set(verdict.stamps.values()) == {(T, 0, T + 5)}
    assert (verdict.unhide, verdict.hide, verdict.reads_won) == (False, None, False)


@pytest.mark.parametrize(
    ("first", "tombstone", "settles"),
    [
        (read(), None, True),
        (read(denied=frozenset({"email"})), None, False),
        (change(path=Path.BULK), None, False),
        (read(heard=T - 2 * SECOND, version=T - 2 * SECOND), T, False),
    ],
    ids=["a whole read", "a read with a part denied", "a bulk row", "a read from before the deletion"],
)
def test_only_a_whole_direct_read_answers_every_question(first: Change, tombstone: int | None, settles: bool) -> None:
    assert decide(None, first, digest, tombstone).settles is settles


def test_a_delivery_is_never_believed_about_tags_and_consents() -> None:
    claims = change(version=T + SECOND, fields={"tags": ["vip"], "email_consent": {"state": "subscribed"}})
    for ours in (None, held()):
        verdict = decide(ours, claims, digest)
        assert (dict(verdict.fields), verdict.reads_won) == ({}, False)


@pytest.mark.req("K28")
@pytest.mark.parametrize(
    ("began", "taken", "won"),
    [(T + 1, ["new"], True), (T, None, False), (T - 1, None, False)],
    ids=["later", "at the same instant", "earlier"],
)
def test_of_two_reads_the_one_that_began_later_tells_the_tags(began: int, taken: list[str] | None, won: bool) -> None:
    ours = held(fields=SAID | {"tags": ["old"]}, read_began=T)
    verdict = decide(ours, read(heard=began, fields={"tags": ["new"]}), digest)
    assert (verdict.fields.get("tags"), verdict.reads_won) == (taken, won)


def test_of_two_reads_of_one_instant_the_same_one_is_kept_in_any_order() -> None:
    for first, second in (("old", "new"), ("new", "old")):
        ours = held(fields=SAID | {"tags": [first]}, read_began=T)
        verdict = decide(ours, read(heard=T, fields={"tags": [second]}), digest)
        assert verdict.fields.get("tags", [first]) == ["old"], "the greater digest"


@pytest.mark.parametrize(("at", "hide", "why"), [(T - 1, T - 1, None), (T, None, "already deleted")])
def test_of_two_deletions_the_earlier_one_starts_the_clock(at: int, hide: int | None, why: str | None) -> None:
    told = Change(1, Kind.DELETED, Path.WEBHOOK, {}, None, at)
    verdict = decide(held(deleted=T), told, digest)
    assert (verdict.hide, verdict.refused) == (hide, why)


def test_a_delivery_that_was_denied_a_field_asks_for_a_read_and_a_bulk_row_does_not() -> None:
    veiled = change(version=T + SECOND, fields={"first_name": "Ann"}, denied=frozenset({"addresses"}))
    assert decide(held(), veiled, digest).refetch == frozenset({"null"})
    row = change(path=Path.BULK, version=T + SECOND, fields={"first_name": "Ann"}, denied=frozenset({"addresses"}))
    assert decide(held(), row, digest).refetch == frozenset()


@pytest.mark.parametrize(
    ("fields", "stamps", "refused"),
    [
        ({"first_name": "Old"}, {}, "older than what we hold"),
        ({"first_name": "Ann"}, {}, "older than what we hold"),
        ({"last_name": "Leigh"}, {"last_name": (T - SECOND, 0, T)}, None),
        ({"first_name": "Old", "last_name": "Leigh"}, {"last_name": (T - SECOND, 0, T)}, "older than what we hold"),
    ],
    ids=["lost", "said again", "only what nobody had said", "one lost, one won"],
)
def test_what_was_not_taken_of_an_older_delivery_is_said(
    fields: dict[str, str], stamps: dict[str, Any], refused: str | None
) -> None:
    verdict = decide(held(), change(version=T - SECOND, fields=fields), digest)
    assert (verdict.stamps, verdict.refused) == (stamps, refused)


def test_a_field_first_said_in_the_same_second_needs_no_read() -> None:
    verdict = decide(held(fields={"first_name": "Ann"}), change(fields={"note": "vip"}), digest)
    assert (verdict.fields, verdict.refetch) == ({"note": "vip"}, frozenset())


def test_a_null_of_the_same_second_asks_for_a_read() -> None:
    assert decide(held(), change(fields={"first_name": None}), digest).refetch == frozenset({"null"})
    older = change(version=T - SECOND, fields={"first_name": None})
    assert decide(held(), older, digest).refetch == frozenset(), "the newer value was said after it"


@pytest.mark.req("K37")
def test_a_deletion_of_somebody_long_gone_is_recorded_and_asks_for_nothing() -> None:
    told = Change(1, Kind.DELETED, Path.WEBHOOK, {}, None, T + DAY)
    assert decide(None, told, digest, tombstone=T) == Verdict(refused="already deleted")
    assert decide(None, told, digest) == Verdict(hide=T + DAY, refetch=frozenset({"deletion"}))


@pytest.mark.req("K22")
def test_a_direct_read_ranks_above_a_delivery_of_the_same_second_however_late_that_was_told() -> None:
    told = held(fields={"note": "told"}, heard=T + 9 * SECOND)
    assert decide(told, read(fields={"note": "read"}), digest).fields == {"note": "read"}
    known = held(fields={"note": "read"}, read=True, heard=T + SECOND)
    late = decide(known, change(fields={"note": "told"}, heard=T + 9 * SECOND), digest)
    assert (dict(late.fields), late.refetch) == ({}, frozenset({"tie"}))


def test_the_same_word_again_moves_nothing() -> None:
    verdict = decide(held(), change(fields=SAID), digest)
    assert (verdict.fields, verdict.stamps, verdict.newest) == ({}, {}, (T, 0, T))
    assert verdict.refetch == frozenset()


@pytest.mark.req("K24")
def test_what_happened_in_the_second_of_the_deletion_still_fills_the_hidden_record() -> None:
    ours = held(version=T - SECOND, deleted=T)
    assert decide(ours, change(version=T, fields={"note": "last"}), digest).fields == {"note": "last"}
    assert decide(ours, change(version=T + 1, fields={"note": "after"}), digest).refused == "after the deletion"


@pytest.mark.parametrize(("began", "settles"), [(T - 1, False), (T, True), (T + 1, True)])
def test_a_read_that_began_before_another_one_answers_nothing(began: int, settles: bool) -> None:
    ours = held(fields={"first_name": "Ann", "tags": ["vip"]}, read=True, read_began=T)
    assert decide(ours, read(heard=began, fields={"first_name": "Ann", "tags": ["old"]}), digest).settles is settles


def test_a_read_that_found_nobody_says_nothing_against_a_later_one_that_did() -> None:
    gone = change(kind=Kind.ABSENT, path=Path.READ, fields={}, version=None, heard=T)
    assert decide(held(read_began=T + 1), gone, digest) == Verdict(refused="older than what we hold")
    assert decide(held(read_began=T), gone, digest).hide == T


def test_what_no_delivery_carries_is_no_null_when_an_older_row_tells_it() -> None:
    row = change(path=Path.BULK, version=T - SECOND, fields={"locale": "en"})
    verdict = decide(held(), row, digest)
    assert (verdict.fields, verdict.refetch) == ({"locale": "en"}, frozenset())
