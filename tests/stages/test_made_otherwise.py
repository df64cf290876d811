"""A system that makes something else of what it is told: nobody typed that, so that it wins over nobody's word."""

import pytest

from onewriter.intake import afterwards
from onewriter.records import SHOPIFY, RunState
from onewriter.rules.policy import Conflict, Direction, FieldMap
from tests.support.crm import ANN, CRM, Crm, once_before, policy_of, shared_note
from tests.support.faulty import Died
from tests.support.owners import lines, parked_of, set_by_hand
from tests.support.shops import later

LOUD = "upper(new.remarks)"
SHORT = "substr(new.remarks, 1, 5)"
OTHER = "'* ' || new.remarks"
MIXED = "Mixed Case"
REASON = f"{CRM} made another value of it"


def make(beside: Crm, of_it: str) -> None:
    """Have the CRM keep something else than what is written to its remarks, by whomever."""
    for number, when in enumerate(("INSERT ON people", "UPDATE OF remarks ON people")):
        beside.sql(
            f"CREATE TRIGGER made{number} AFTER {when} BEGIN UPDATE people SET remarks = {of_it} WHERE id = new.id; END"
        )


def told_later(beside: Crm, **fields: str) -> None:
    """Shopify says something newer."""
    beside.moment = later(beside.moment, 60)
    beside.customer(101, **ANN | fields)


@pytest.mark.req("M22", "M77")
@pytest.mark.parametrize("made", [LOUD, SHORT, OTHER])
@pytest.mark.parametrize(
    ("conflict", "owner", "writers"),
    [("owner wins", CRM, (SHOPIFY,)), ("newest wins", SHOPIFY, (CRM,))],
)
def test_what_a_shared_system_makes_of_our_write_never_wins(
    beside: Crm, made: str, conflict: Conflict, owner: str, writers: tuple[str, ...]
) -> None:
    customer, number = beside.joined(shared_note(conflict, owner, writers), note="one")
    make(beside, made)
    told_later(beside, note=MIXED)
    for _each in range(2):
        assert beside.cycle().state is RunState.DONE
    assert beside.cycle(full=True).checkpoint["wrote"] == {"in": {}, "out": {}}
    assert beside.own(customer)["note"] == MIXED
    assert beside.parked() == [(CRM, "note", REASON)], "nobody's edit is parked beside it"
    # What somebody types there now is an edit, and ends what it could not be told.
    beside.moment = later(beside.moment, 60)
    beside.edit(number, remarks="TYPED")
    kept = beside.record(number)["remarks"]
    beside.cycle()
    assert (beside.own(customer)["note"], beside.parked()) == (kept, [])


@pytest.mark.req("M22")
def test_what_a_shared_system_makes_of_a_new_record_never_wins(beside: Crm) -> None:
    make(beside, LOUD)
    customer, number = beside.joined(shared_note("newest wins", SHOPIFY, (CRM,)), note=MIXED)
    beside.cycle(full=True)
    assert (beside.own(customer)["note"], beside.record(number)["remarks"]) == (MIXED, MIXED.upper())
    assert beside.parked() == [(CRM, "note", REASON)]


@pytest.mark.req("M22")
@pytest.mark.parametrize(("there", "stands"), [(MIXED.upper(), MIXED), ("TYPED", "TYPED")])
def test_after_a_death_what_looks_like_our_own_write_is_no_edit(
    beside: Crm, faults: list[str], there: str, stands: str
) -> None:
    customer, number = beside.joined(shared_note("newest wins"), note="one")
    make(beside, LOUD)
    told_later(beside, note=MIXED)
    faults[:] = ["dies after"]
    with pytest.raises(Died):
        beside.cycle()
    beside.moment = later(beside.moment, 60)
    beside.edit(number, remarks=there)
    assert beside.take_over().state is RunState.DONE
    beside.cycle()
    assert beside.own(customer)["note"] == stands


@pytest.mark.req("M22")
def test_what_was_read_back_straight_after_our_write_is_no_edit_whatever_it_looks_like(
    beside: Crm, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, _number = beside.joined(shared_note("newest wins"), note="one")
    make(beside, OTHER)
    told_later(beside, note=MIXED)

    def die() -> None:
        raise Died

    once_before(monkeypatch, afterwards.Afterwards, "_make_sure", die)
    with pytest.raises(Died):
        beside.cycle()
    assert beside.take_over().state is RunState.DONE
    assert (beside.own(customer)["note"], beside.parked()) == (MIXED, [(CRM, "note", REASON)])


@pytest.mark.req("M48")
def test_a_proposal_of_which_its_owner_makes_something_else_is_parked_and_the_owner_s_word_stands(beside: Crm) -> None:
    customer, _number = beside.joined()
    beside.sql(
        "CREATE TRIGGER made AFTER UPDATE OF tier ON people BEGIN "
        "UPDATE people SET tier = upper(new.tier) WHERE id = new.id; END"
    )
    set_by_hand(beside.tea, 101, beside.moment, **{"custom.tier": "gold"})
    for _each in range(2):
        assert beside.cycle().state is RunState.DONE
    assert (beside.own(customer)["custom.tier"], beside.parked()) == ("GOLD", [(CRM, "custom.tier", REASON)])


@pytest.mark.req("M22", "M23")
def test_an_edit_beside_an_empty_value_of_its_owner_is_refused_though_it_may_stand(beside: Crm) -> None:
    keeping = FieldMap(remote="first", direction=Direction.OUT, empty="keep")
    _customer, number = beside.joined(policy_of(first_name=keeping))
    told_later(beside, first_name="")
    beside.cycle()
    beside.moment = later(beside.moment, 60)
    beside.edit(number, first="Typed")
    assert beside.cycle().counts["refused"] == 1
    assert beside.record(number)["first"] == "Typed", "an empty value empties nothing there"
    assert parked_of(beside.tea) == [(CRM, "in", "first_name", "Typed")]
    newest = lines(beside.tea, 101, "first_name")[0]
    assert (newest["writer"], newest["accepted"]) == (CRM, False)
    beside.cycle(full=True)
    assert len(beside.parked()) == 1
