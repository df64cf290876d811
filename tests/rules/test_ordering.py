"""Order, as pure rules: each row of the tables is one decision."""

import itertools
from typing import Any

import pytest

from onewriter.records import SECOND, Change, Kind, Path
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
    assert (verdict.fields, verdict.refetch) == ({"email": "ann@example.com"}, frozenset({"null"}))
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
