"""Which records are one person, and what is odd about the link between them."""

from collections.abc import Mapping
from typing import Any

import pytest

from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.evidence import Evidence, Hand, LinkOf, Rec, Seen, Write
from onewriter.rules.diagnosis.facts import Compared, Pair
from tests.support.two_systems import SOURCE, TARGET, evidence, put, ruled

ANN, BOB, EVE = "ann@b.com", "bob@b.com", "eve@b.com"
PHONE, OTHER = "+447911123456", "+447911999999"


def person(email: str | None = ANN, phone: str | None = PHONE, **fields: Any) -> dict[str, Any]:
    return {"email": email, "phone": phone, **fields}


def linked(
    *pairs: tuple[Mapping[str, Any] | None, Mapping[str, Any] | None], matched_by: str | None = "email", **said: Any
) -> Evidence:
    """Pairs whose fields are an address and a number, both of the source's."""
    return evidence(*pairs, fields=[ruled("email"), ruled("phone")], matched_by=matched_by, **said)


def pair(found: Compared, source: str = "1") -> Pair:
    """The one odd pair of a source record."""
    odd = [each for each in found.odd if each.link.source == source]
    assert len(odd) == 1
    return odd[0]


def test_a_pair_in_order_is_not_odd() -> None:
    found = compare(linked((person(), person()), (person(BOB, OTHER), person(BOB.upper(), OTHER))))
    assert (found.odd, found.pairs, found.loose_sources, found.loose_targets) == ([], 2, [], [])


def test_two_people_with_one_record_and_one_with_two() -> None:
    known = linked((person(), person()), (person(BOB, OTHER), person(BOB, OTHER)))
    known.links = [LinkOf("1", "c1"), LinkOf("2", "c1"), LinkOf("2", "c2")]
    found = compare(known)
    assert pair(found).other_sources == ("2",)
    assert [(each.link.target, each.other_sources, each.other_targets) for each in found.odd[1:]] == [
        ("c1", ("1",), ("c2",)), ("c2", (), ("c1",)),
    ]  # fmt: skip
    assert (pair(found).compared, pair(found).differing) == (2, 0)
    assert (found.odd[1].compared, found.odd[1].differing) == (2, 2)


def test_a_link_that_is_told_twice_or_leads_to_nothing_is_shared_with_nobody() -> None:
    known = linked((person(), person()))
    known.links = [LinkOf("1", "c1"), LinkOf("1", "c1"), LinkOf("gone", "c1"), LinkOf("1", "gone")]
    found = compare(known)
    assert (found.odd, found.pairs) == ([], 1)


def test_records_that_are_linked_with_nothing_are_loose_unless_they_are_gone() -> None:
    known = put(linked((person(), person())), SOURCE, Rec("7", person(BOB, None)), Rec("8", {}, deleted=1))
    put(known, TARGET, Rec("c7", person(EVE, None)), Rec("c8", {}, redacted=True))
    found = compare(known)
    assert (found.loose_sources, found.loose_targets) == (["7"], ["c7"])


# ---- Twins ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fields", [person("ANN@b.com", None), person(None, "+44 7911 123456"), person(ANN, OTHER)])
def test_a_loose_record_with_a_key_of_the_source_is_a_twin(fields: dict[str, Any]) -> None:
    found = compare(put(linked((person(), person())), TARGET, Rec("c9", fields)))
    assert pair(found).twins == ("c9",)


def test_who_only_looks_like_a_twin_is_none() -> None:
    known = put(
        linked((person(), person()), (person(BOB, None), person(BOB, None))), TARGET, Rec("c9", person(EVE, None))
    )
    put(known, TARGET, Rec("c8", person(), deleted=1))
    assert compare(known).odd == []
    house = put(linked((person(), person())), TARGET, *(Rec(f"h{place}", person(None, PHONE)) for place in range(5)))
    assert compare(house).odd == []


def test_a_twin_is_newer_by_its_age_or_by_what_it_says() -> None:
    def newer(twin: Rec, linked_at: int | None = 5, linked_phone: str = PHONE) -> bool | None:
        known = put(linked((person(), person(phone=linked_phone))), TARGET, twin)
        put(known, TARGET, Rec("c1", person(phone=linked_phone), created=linked_at))
        return pair(compare(known)).newer_twin

    assert newer(Rec("c9", person(), created=9)) is True
    assert newer(Rec("c9", person(), created=2)) is False
    assert newer(Rec("c9", person(), created=2), linked_phone=OTHER) is True
    assert newer(Rec("c9", person(phone=None)), linked_at=None, linked_phone=OTHER) is None


# ---- Keys -----------------------------------------------------------------------------------------------------------


def test_a_link_holds_while_both_share_what_linked_them() -> None:
    known = linked((person(), person("ANN@b.com")), (person(EVE), person(BOB)), (person(None), person(BOB)))
    found = compare(known)
    assert [each.key_held for each in found.odd] == [False, False]
    assert [each.link.source for each in found.odd] == ["2", "3"]
    assert compare(linked((person(EVE), person(BOB)), matched_by="customer_id")).odd == []
    assert compare(linked((person(EVE), person(BOB)), matched_by=None)).odd == []
    either = linked((person(EVE), person(BOB)), matched_by=None, match_keys=("email", "phone"))
    assert compare(either).odd == []
    neither = linked((person(EVE), person(BOB, OTHER)), matched_by=None, match_keys=("email", "phone"))
    assert pair(compare(neither)).key_held is False
    by_id = linked((person(EVE), person(BOB, OTHER)), matched_by=None, match_keys=("shop_id", "email", "phone"))
    assert compare(by_id).odd == []


def test_the_key_of_another_name_is_found() -> None:
    known = linked((person(), person(phone=OTHER)), matched_by="mobile")
    assert pair(compare(known)).key_held is False


def test_who_had_the_key_once_and_who_has_it_now() -> None:
    known = linked(
        (person(phone=OTHER), person()), (person(BOB, "+44 7911 123456"), person(BOB, OTHER)), matched_by="phone"
    )
    known.history = [Seen(1, SOURCE, "1", {"phone": PHONE})]
    found = pair(compare(known))
    assert (found.key_held, found.key_was_held, found.key_holders) == (False, True, ("2",))
    known.history = [Seen(1, SOURCE, "1", {"phone": "+447911000000"})]
    assert pair(compare(known)).key_was_held is False
    known.history = None
    assert pair(compare(known)).key_was_held is None
    known.writes = [
        Write(
            at=1, seq=1, side=SOURCE, id="1", field="phone", writer="customer", hand=Hand.PERSON, old=PHONE, new=OTHER
        )
    ]
    assert pair(compare(known)).key_was_held is True


# ---- Without links --------------------------------------------------------------------------------------------------


def test_without_links_records_are_linked_by_what_only_they_have() -> None:
    known = linked(
        (person(), person("ANN@b.com")),
        (person(BOB, OTHER), person("else@b.com", "+44 7911 999999")),
        (person(EVE, None), person(EVE, None)),
        (person(EVE, None), None),
        links=None,
    )
    found = compare(known)
    assert found.pairs == 2
    assert (found.loose_sources, found.loose_targets) == (["3", "4"], ["c3"])


# ---- Merges ---------------------------------------------------------------------------------------------------------


def merge(id_: str, field: str, old: Any, new: Any, run: str | None = None) -> Write:
    return Write(
        at=1,
        seq=1,
        side=SOURCE,
        id=id_,
        field=field,
        writer="shopify:merge",
        hand=Hand.MERGE,
        run=run,
        old=old,
        new=new,
    )


GONE = (None, person(BOB, OTHER))


@pytest.mark.parametrize(
    "log",
    [
        [merge("1", "merged_from", None, ["2"])],
        [merge("2", "merged_into", None, "1")],
        [merge("1", "id", "2", "1")],
        [merge("1", "note", None, "x", "m1"), merge("2", "note", "x", None, "m1")],
        [merge("1", "phone", None, OTHER)],
    ],
)
def test_a_merge_is_told_in_more_than_one_way(log: list[Write]) -> None:
    found = compare(linked((person(), person()), GONE, writes=log))
    assert pair(found, "2").merged_into == "1"
    assert pair(found, "1").merged_from == ("2",)


def test_a_record_that_is_gone_may_name_the_one_that_was_kept() -> None:
    known = put(linked((person(), person()), GONE), SOURCE, Rec("2", {"merged_into_id": 1}, deleted=5))
    assert pair(compare(known), "2").merged_into == "1"


@pytest.mark.parametrize(
    "log",
    [
        [merge("1", "merged_from", None, ["3"])],
        [merge("1", "phone", None, PHONE)],
        [],
    ],
)
def test_a_record_that_is_gone_was_not_always_merged(log: list[Write]) -> None:
    found = compare(linked((person(), person()), GONE, (person(EVE, None), person(EVE, None)), writes=log))
    assert [each for each in found.odd if each.merged_into or each.merged_from] == []


def test_what_two_records_lack_links_nobody() -> None:
    known = linked((person(None, None), person(None, None)), (person(), person()), links=None)
    assert compare(known).pairs == 1
