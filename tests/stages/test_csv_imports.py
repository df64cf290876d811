"""Files of customers: imported by the policy, refused where others own, stopped, repeated, interrupted, taken back."""

import pytest
from sqlalchemy import select

from onewriter.customers import runs
from onewriter.db.tables import field_log
from onewriter.intake.cycle import Cycle
from onewriter.records import SHOPIFY, RunState
from onewriter.records import Path as How
from onewriter.workflows import cycling, files
from tests.support.crm import ANN, CRM
from tests.support.given import NAME, TIER, Files, policy_of

HEAD = ("email", TIER, "note")


def ann(given: Files, number: int = 101, **fields: str) -> bytes:
    return given.beside.customer(number, **(ANN | fields))


def other(given: Files, number: int, mail: str) -> bytes:
    return given.beside.customer(number, first_name="Bo", last_name="Ray", email=mail, phone=None)


def logged(given: Files) -> list[tuple[str, bool]]:
    with given.beside.tea.runtime.database.read() as db:
        wanted = select(field_log.c.path, field_log.c.accepted).where(field_log.c.writer == NAME)
        return [(row.path, row.accepted) for row in db.execute(wanted.order_by(field_log.c.id))]


@pytest.mark.req("M22")
def test_what_the_file_owns_is_taken_and_what_others_own_is_refused_parked_and_logged(given: Files) -> None:
    who = ann(given, note="kept")
    run = given.imported(given.rows(HEAD, ("ANN@example.com", "gold", "from a file")))
    assert (run.state, run.checkpoint["wrote"]) == (RunState.DONE, {TIER: 1})
    assert (given.beside.own(who)[TIER], given.beside.own(who)["note"]) == ("gold", "kept")
    assert given.beside.parked() == [(NAME, "note", "owned by shopify")]
    assert sorted(logged(given)) == [(How.CSV.value, False), (How.CSV.value, True)]
    assert given.beside.marks(NAME) == [], "nobody is told anything by a file"


def test_the_same_file_again_changes_nothing_and_is_logged_no_more(given: Files) -> None:
    ann(given)
    path = given.rows(HEAD, ("ann@example.com", "gold", "words"))
    given.imported(path)
    before = logged(given)
    run = given.imported(path, allow=0)
    assert (run.state, run.counts, logged(given)) == (RunState.DONE, {"unchanged": 1}, before)


def test_who_is_nobody_is_not_made_and_an_empty_cell_of_an_unmapped_field_empties_nothing(given: Files) -> None:
    who = ann(given, note="kept")
    run = given.imported(given.rows(HEAD, ("ann@example.com", "gold", ""), ("nobody@example.com", "tin", "")))
    assert (run.counts["new"], run.counts["linked"]) == (1, 1)
    assert given.beside.own(who)["note"] == "kept"
    assert given.beside.parked() == []


def test_what_a_spreadsheet_has_lost_is_not_taken(given: Files) -> None:
    who = ann(given)
    run = given.imported(given.rows(HEAD, ("ann@example.com", "4.47E+11", "")))
    assert run.checkpoint["troubles"] == {"shortened or broken by a spreadsheet": 1}
    assert TIER not in given.beside.own(who)


@pytest.mark.req("M80")
def test_a_file_that_changes_too_many_stops_before_it_writes_and_goes_on_when_it_is_allowed(given: Files) -> None:
    who = ann(given)
    path = given.rows(HEAD, ("ann@example.com", "gold", ""))
    stopped = given.imported(path, allow=None)
    assert stopped.state is RunState.PARTIAL
    assert "1 of its 1 customers" in str(stopped.reason)
    assert TIER not in given.beside.own(who)
    assert given.imported(path, allow=100).checkpoint["wrote"] == {TIER: 1}
    assert given.beside.own(who)[TIER] == "gold"


def test_a_file_that_changed_since_it_was_given_is_not_imported(given: Files) -> None:
    ann(given)
    path = given.rows(HEAD, ("ann@example.com", "gold", ""))
    run_id = given.queue(path)
    given.rows(HEAD, ("ann@example.com", "tin", ""))
    run = given.carry_out(run_id)
    assert (run.state, "has changed" in str(run.reason)) == (RunState.FAILED, True)
    assert "given" not in run.checkpoint, "where the file was is not kept"


def test_a_cut_file_ends_with_the_row_that_is_wrong_and_writes_nothing(given: Files) -> None:
    who = ann(given)
    run = given.imported(given.rows(HEAD, ("ann@example.com", "gold", ""), ("bo@example.com", "tin")))
    assert (run.state, "Row 3 has 2 cells" in str(run.reason)) == (RunState.FAILED, True)
    assert TIER not in given.beside.own(who)


class Killed(BaseException):
    """Stands for the death of the process."""


def test_an_import_that_was_killed_is_taken_over_and_comes_to_the_same(
    given: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [other(given, 200 + at, f"p{at}@example.com") for at in range(120)]
    path = given.rows(HEAD, *((f"p{at}@example.com", f"t{at}", "") for at in range(120)))
    run_id = given.queue(path)
    whole = Cycle._take
    pieces: list[int] = []

    def dying(self: Cycle, told: list[object]) -> None:
        if pieces:
            raise Killed
        pieces.append(len(told))
        whole(self, told)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Cycle, "_take", dying)
        with pytest.raises(Killed):
            given.carry_out(run_id)
    given.beside.connect(policy_of(), creates=False)
    with pytest.raises(files.Waits):
        given.beside.cycle()
    run = given.carry_out(run_id)
    assert (run.state, run.attempt, run.checkpoint["wrote"]) == (RunState.DONE, 2, {TIER: 120})
    assert given.beside.take_over().over, "what waited for the import goes on when another worker has ended it"
    assert 0 < run.counts["unchanged"] < 120, "what was taken up before the death is passed over"
    assert [given.beside.own(who)[TIER] for who in people[:3]] == ["t0", "t1", "t2"]


def test_an_import_is_taken_back_but_for_what_was_changed_since(given: Files) -> None:
    first, second = ann(given), other(given, 102, "bo@example.com")
    given.imported(given.rows(HEAD, ("ann@example.com", "tin", ""), ("bo@example.com", "tin", "")))
    run = given.imported(given.rows(HEAD, ("ann@example.com", "gold", ""), ("bo@example.com", "gold", "")))
    given.imported(given.rows(HEAD, ("bo@example.com", "iron", "")))
    undone = given.beside.undo(run)
    assert undone.counts == {"undone": 1, "changed since": 1}
    assert (given.beside.own(first)[TIER], given.beside.own(second)[TIER]) == ("tin", "iron")
    again = given.imported(given.rows(HEAD, ("bo@example.com", "zinc", "")))
    assert again.checkpoint["wrote"] == {TIER: 1}
    assert given.beside.own(first)[TIER] == "tin", "another file brings back nothing of what was taken back"


def test_an_opt_out_counts_from_a_file_and_an_opt_in_needs_ownership(given: Files) -> None:
    state = {"state": "subscribed", "level": "single_opt_in", "at": given.beside.moment}
    ann(given, email_consent=state)  # type: ignore[arg-type]
    other(given, 102, "bo@example.com")
    head = ("Email", "Accepts Email Marketing")
    given.imported(given.rows(head, ("ann@example.com", "no"), ("bo@example.com", "yes")))
    assert given.beside.parked() == [(NAME, "email_consent", "owned by shopify")]
    assert given.beside.marks(SHOPIFY) == ["email_consent"], "the owner is told of the opt-out, and of nothing else"


@pytest.mark.req("M29")
def test_no_cycle_begins_while_a_file_is_imported_and_a_file_waits_for_a_cycle(
    given: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    beside = given.beside
    ann(given)
    beside.connect(policy_of(), creates=False)
    path = given.rows(HEAD, ("ann@example.com", "gold", ""))
    shop, runtime = beside.tea.shop_id, beside.tea.runtime
    met: list[str] = []
    whole = Cycle.bring_in

    def meeting(self: Cycle, **asked: object) -> object:
        with runtime.database.write() as db:
            run_id = cycling.queue(runtime, db, shop, CRM, "user:test", beside.moment)
        with pytest.raises(files.Waits, match="being imported"):
            beside.carry_out(run_id)
        assert cycling.queue_due(runtime) == 0, "by the clock none is even queued"
        met.append(run_id)
        return whole(self, **asked)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(Cycle, "bring_in", meeting)
        assert given.imported(path).state is RunState.DONE
    assert beside.carry_out(met[0]).over, "it goes on when the import has ended"

    waiting = given.queue(given.rows(HEAD, ("ann@example.com", "tin", "")))
    with runtime.database.write() as db:
        run = runs.begin(db, cycling.queue(runtime, db, shop, CRM, "user:test", beside.moment), beside.moment)
    files.hold_cycle(runtime, run)
    with pytest.raises(files.Waits, match="cycle is under way"):
        given.carry_out(waiting)
    beside.carry_out(run.id)
    assert given.carry_out(waiting).state is RunState.DONE
