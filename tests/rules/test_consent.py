"""Consent: the most restrictive wins, and nobody is subscribed by a system that may not, in bulk, or without a date."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from onewriter.records import SHOPIFY
from onewriter.rules.consent import Refused, Taken, step, writable_to_shopify
from onewriter.rules.transforms import STATES, Unfit


def consent(state: str, at: int | None = None, source: str | None = None, level: str | None = None) -> dict[str, Any]:
    said: dict[str, Any] = {"state": state, "level": level, "at": at}
    return said | ({"source": source} if source is not None else {})


def told(held: Any, said: Any, *, by: str = "crm", is_owner: bool = True, bulk: bool = False) -> Taken | Refused:
    return step(held, said, by=by, is_owner=is_owner, bulk=bulk, now=NOW)


consents = st.builds(
    consent, st.sampled_from(STATES), st.none() | st.integers(0, 9), st.sampled_from([None, "form"]),
    st.sampled_from([None, "single_opt_in"]),
)  # fmt: skip
NOW = 1_000
MAY_SEND = ("subscribed", "pending")


@pytest.mark.parametrize("held", [None, consent("not_subscribed"), consent("unsubscribed", 5), consent("pending", 5)])
def test_an_opt_in_of_the_owner_counts_when_it_is_new_single_dated_and_says_where_from(held: Any) -> None:
    said = consent("subscribed", 6, "form")
    assert told(held, said) == Taken(said)


@pytest.mark.parametrize(
    ("said", "changed", "word"),
    [
        (consent("subscribed", 6, "form"), {"is_owner": False}, "an opt-in counts only from the owner of the consent"),
        (consent("subscribed", 6, "form"), {"bulk": True}, "nobody is subscribed in bulk"),
        (consent("subscribed", None, "form"), {}, "an opt-in without its time"),
        (consent("subscribed", 6), {}, "an opt-in without its source"),
        (consent("subscribed", 6, ""), {}, "an opt-in without its source"),
        (consent("subscribed", 5, "form"), {}, "an opt-in that is no newer than what is held"),
        (consent("subscribed", 4, "form"), {}, "an opt-in that is no newer than what is held"),
        (consent("pending", 4, "form"), {}, "an opt-in that is no newer than what is held"),
        (
            consent("not_subscribed", 6, "form"),
            {},
            "an opt-out is not taken back by saying that nobody was asked",
        ),
        ({"state": "yes"}, {}, "not one of the words for a consent"),
        ("subscribed", {}, "not one of the words for a consent"),
        (None, {}, "a consent is never emptied; an opt-out must be told as one"),
    ],
)
def test_every_other_opt_in_is_refused_with_the_reason(said: Any, changed: dict[str, Any], word: str) -> None:
    refused = told(consent("unsubscribed", 5), said, **changed)
    assert refused == Refused(word)


def test_shopify_tells_no_source_and_needs_none() -> None:
    said = consent("subscribed", 6, level="single_opt_in")
    assert told(consent("unsubscribed", 5), said, by=SHOPIFY) == Taken(said)


@pytest.mark.parametrize("is_owner", [True, False])
@pytest.mark.parametrize("bulk", [True, False])
@pytest.mark.parametrize("at", [None, 5, 6])
def test_an_opt_out_counts_from_everybody(is_owner: bool, bulk: bool, at: int | None) -> None:
    said = consent("unsubscribed", at)
    assert told(consent("subscribed", 5), said, is_owner=is_owner, bulk=bulk) == Taken(said)
    assert told(None, said, is_owner=is_owner, bulk=bulk) == Taken(said)


def test_an_opt_out_of_before_the_opt_in_is_no_news() -> None:
    refused = told(consent("subscribed", 5), consent("unsubscribed", 4), is_owner=False)
    assert refused == Refused("older than the opt-in that came after it")
    assert isinstance(told(consent("subscribed"), consent("unsubscribed", 4)), Taken)


def test_an_opt_in_from_the_future_counts_as_of_now_and_keeps_nobody_from_opting_out() -> None:
    assert told(consent("unsubscribed", 5), consent("subscribed", NOW + 9, "form")) == Taken(
        consent("subscribed", NOW, "form")
    )
    # One that was taken in before its date was looked at; whoever opts out then, whenever that was, has opted out.
    kept = consent("subscribed", NOW + 9, "form")
    for at in (None, 5, NOW, NOW + 1):
        for is_owner in (True, False):
            out = told(kept, consent("unsubscribed", at), is_owner=is_owner)
            assert out == Taken(consent("unsubscribed", None if at is None else min(at, NOW)))
    # And an opt-out from the future does not keep anybody out until then.
    assert told(consent("unsubscribed", NOW - 1), consent("subscribed", NOW, "form")) == Taken(
        consent("subscribed", NOW, "form")
    )
    assert told(consent("subscribed", NOW), consent("unsubscribed", NOW)) == Taken(consent("unsubscribed", NOW))
    assert isinstance(told(consent("subscribed", NOW), consent("unsubscribed", NOW - 1)), Refused)


def test_that_nobody_was_asked_there_takes_nothing_back_but_from_the_owner() -> None:
    held, said = consent("subscribed", 5), consent("not_subscribed")
    assert isinstance(told(held, said, is_owner=False), Refused)
    assert told(held, said) == Taken(said)


@pytest.mark.parametrize("end", ["redacted", "invalid"])
def test_what_only_shopify_ends_is_never_left(end: str) -> None:
    for state in STATES:
        settled = told(consent(end, 5), consent(state, 9, "form"))
        assert settled == Taken(consent(end, 9, "form")) if state == end else isinstance(settled, Refused)


def test_of_two_that_say_the_same_the_owners_newer_details_are_kept() -> None:
    held = consent("subscribed", 5, "form", "single_opt_in")
    assert told(held, consent("subscribed", 7)) == Taken(consent("subscribed", 7, "form", "single_opt_in"))
    assert told(held, consent("subscribed", 3, "shop")) == Taken(held)
    assert told(held, consent("subscribed", 9, "crm"), is_owner=False) == Taken(held)
    assert told(None, consent("not_subscribed"), is_owner=False) == Taken(consent("not_subscribed"))
    assert told(None, None) == Taken(None)


@given(st.none() | consents, st.none() | consents, st.booleans(), st.booleans())
@settings(max_examples=50)
def test_nobody_may_be_written_to_who_could_not_before_but_by_the_owner(
    held: Any, said: Any, is_owner: bool, bulk: bool
) -> None:
    settled = told(held, said, is_owner=is_owner, bulk=bulk)
    if not isinstance(settled, Taken) or settled.value is None or settled.value["state"] not in MAY_SEND:
        return
    could_before = held is not None and held["state"] in MAY_SEND
    assert could_before or (is_owner and not bulk and said["at"] is not None and said["source"] is not None)


@pytest.mark.parametrize(
    ("value", "word"),
    [
        (consent("subscribed", 5, level="single_opt_in"), None),
        (consent("subscribed", 5, level="confirmed_opt_in"), None),
        (consent("subscribed", 5, level="unknown"), None),
        (consent("unsubscribed"), None),
        (consent("pending", 5, level="confirmed_opt_in"), None),
        (consent("subscribed", 5), "Shopify takes an opt-in only with its level"),
        (consent("pending", 5, level="single_opt_in"), "Shopify takes a pending consent only with a confirmed opt-in"),
        (
            consent("not_subscribed"),
            "Shopify cannot be told that nobody was asked; an opt-out must be told as unsubscribed",
        ),
        (consent("redacted"), "only Shopify itself makes a consent redacted"),
        (consent("invalid"), "only Shopify itself makes a consent invalid"),
        ({"state": "yes"}, "not a consent, and Shopify cannot empty one"),
        (None, "not a consent, and Shopify cannot empty one"),
    ],
)
def test_shopify_takes_three_states_only(value: Any, word: str | None) -> None:
    written = writable_to_shopify(value)
    if word is None:
        assert written == value
    else:
        assert written == Unfit(word)


@pytest.mark.parametrize("at", [10**18, -5, 0, True, "2020"])
def test_a_time_that_cannot_be_is_none(at: Any) -> None:
    """It would keep everybody from ever opting out again."""
    opt_in = {"state": "subscribed", "level": "single_opt_in", "at": at, "source": "form"}
    assert isinstance(step(None, opt_in, by="crm", is_owner=True, bulk=False, now=NOW), Refused)
    opt_out = {"state": "unsubscribed", "level": None, "at": 5}
    assert isinstance(step(opt_in, opt_out, by="shopify", is_owner=False, bulk=False, now=NOW), Taken)
