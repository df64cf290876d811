"""Tags: each belongs to one field, and changing one kind of them leaves the others alone."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.rules.tags import change, differences, home_of, is_tags, join_tags, split_tags

VIP = "tags[vip:*]"
GOLD = "tags[vip:gold:*]"

some_tags = st.lists(st.sampled_from(["vip:a", "VIP:b", "vip:gold:x", "new", "staff", "Vip:gold:y"]), max_size=6)


def test_the_longest_prefix_decides_and_capitals_do_not() -> None:
    assert home_of("vip:gold:x", [VIP, GOLD]) == GOLD
    assert home_of("VIP:silver", [GOLD, VIP]) == VIP
    assert home_of("staff", [VIP]) == "tags"
    assert home_of("vi", [VIP]) == "tags"


def test_tags_are_split_by_the_field_they_belong_to() -> None:
    assert split_tags(["staff", "vip:b", "vip:a", "staff"], [VIP, GOLD]) == {
        "tags": ["staff"], VIP: ["vip:a", "vip:b"], GOLD: None,
    }  # fmt: skip
    assert split_tags(None, []) == {"tags": None}
    assert join_tags({"tags": ["b"], VIP: ["vip:a"], GOLD: None, "note": "c"}) == ["b", "vip:a"]
    assert join_tags({"tags": None}) is None


@given(some_tags)
@settings(max_examples=40)
def test_what_was_split_is_joined_again(tags: list[str]) -> None:
    assert join_tags(dict(split_tags(tags, [VIP, GOLD]))) == (sorted(set(tags)) or None)


@pytest.mark.parametrize(
    ("held", "wanted", "namespace", "expected"),
    [
        (["a", "vip:1"], ["vip:2"], VIP, (["vip:2"], ["vip:1"])),
        (["a", "vip:1"], ["b"], None, (["b"], ["a"])),
        (["a", "vip:1"], None, VIP, ([], ["vip:1"])),
        (None, ["b", "a"], None, (["a", "b"], [])),
        (["VIP:1"], ["vip:1"], VIP, ([], [])),
        (["vip:gold:x", "vip:1"], None, VIP, ([], ["vip:1"])),
    ],
)
def test_a_change_of_one_part_names_nothing_of_another(
    held: list[str] | None, wanted: list[str] | None, namespace: str | None, expected: tuple[list[str], list[str]]
) -> None:
    assert change(held, wanted, namespace, [VIP, GOLD]) == expected


@given(some_tags, some_tags)
@settings(max_examples=40)
def test_after_a_change_the_part_is_as_wanted_and_the_rest_as_it_was(held: list[str], wanted: list[str]) -> None:
    mine = [tag for tag in wanted if home_of(tag, [VIP]) == VIP]
    add, remove = change(held, mine, VIP, [VIP])
    after = {tag.casefold() for tag in {*held, *add} - {*remove}}
    others = {tag.casefold() for tag in held if home_of(tag, [VIP]) != VIP}
    assert after == others | {tag.casefold() for tag in mine}


def test_of_two_spellings_one_is_added() -> None:
    assert differences([], ["a", "A"], lambda tag: True) == (["A"], [])


def test_only_tags_are_tags() -> None:
    assert [is_tags(name) for name in ("tags", VIP, "tags[*]", "note")] == [True, True, False, False]
