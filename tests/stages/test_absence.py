"""Who is missing: absence in a whole file nominates, a direct read confirms, and a mass of them waits for a person."""

from array import array
from collections.abc import Callable, Sequence

import pytest

from onewriter.audit import absence
from onewriter.audit.absence import MISSING_CUSTOMERS, limit_of
from onewriter.audit.compare import GRACE
from onewriter.audit.direct import Place
from onewriter.audit.reconcile import Reconcile
from onewriter.customers import questions, runs
from onewriter.customers.aliases import UNHEARD_MERGE
from onewriter.customers.questions import Question
from onewriter.records import Instant, RunState
from onewriter.runtime import Runtime
from onewriter.workflows import reconciling
from onewriter.workflows.answers import carry_out_answer
from tests.support.drifting import LATE, LATER_S, NEVER, Drifting, drifting

MASS = limit_of(0) + 1
SOME = 90
"""Customers of a shop in which so many may be deleted."""


def vanish(stage: Drifting, many: int) -> Sequence[int]:
    """Customers that are deleted in the shop, of which nobody tells us."""
    gone = stage.free(many)
    assert len(gone) == many
    with stage.losing():
        for number in gone:
            stage.shop.delete(number)
    return gone


def asked(stage: Drifting, kind: str) -> list[Question]:
    with stage.runtime.database.read() as db:
        return [question for question in questions.waiting(db, 1000) if question.kind == kind]


def answer(stage: Drifting, question: Question, chosen: str) -> str:
    with stage.runtime.database.write() as db:
        answered = questions.answer(db, question.id, chosen, "user:ann", "looked", stage.clock.now)
        return carry_out_answer(db, stage.runtime.vault, answered, stage.clock.now)


# ---- Absence nominates ----------------------------------------------------------------------------------------------


@pytest.mark.req("K16")
def test_who_is_gone_from_a_whole_file_and_from_a_direct_read_is_deleted(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        gone = vanish(stage, MASS - 1)
        run = stage.reconcile()
        assert stage.found(run) == sorted([(number, "not deleted here", None, NEVER, True) for number in gone], key=str)
        assert (run.counts["absent"], "held_back" in run.counts, run.state) == (MASS - 1, False, RunState.DONE)
        assert stage.held() == stage.truth()
        profile = stage.profile(gone[0])
        assert (profile.state, profile.confirmed) == ("deleted", profile.deleted)
        assert profile.own, "what was held of the customer stays"


@pytest.mark.req("K16")
@pytest.mark.parametrize("fault", [{"partial": True}, {"refuse": True}, {"wrong_count": 5}])
def test_a_file_that_is_not_whole_deletes_nobody(runtime: Runtime, fault: dict[str, object]) -> None:
    with drifting(runtime, 40) as stage:
        gone = vanish(stage, 1)
        with stage.losing():
            stage.shop.add_tags(stage.shop.ids[-1], ["gold"])
        stage.shop.set_faults(fault)
        stage.patient = True
        run = stage.reconcile()
        assert (run.state, "absent" in run.counts, run.counts["healed"]) == (RunState.PARTIAL, False, 1)
        assert "nobody could be looked for who is missing" in (run.reason or "")
        assert set(stage.held()) - set(stage.truth()) == set(gone)
        stage.shop.set_faults({"partial": False, "refuse": False, "wrong_count": 0})
        assert stage.reconcile().counts["absent"] == 1
        assert stage.held() == stage.truth()


def test_who_came_after_the_file_was_written_is_not_missing(runtime: Runtime) -> None:
    with drifting(runtime, 8, bulk_seconds=40.0) as stage:
        stage.clock.plan(20.0, lambda: stage.shop.create(first_name="Late"))
        stage.clock.plan(21.0, stage.hear)
        stage.clock.plan(22.0, stage.drain)
        run = stage.reconcile()
        assert (run.state, stage.found(run), stage.wire.reads) == (RunState.DONE, [], 0)
        stage.follow()
        assert stage.held() == stage.truth()


def test_an_error_confirms_nothing(runtime: Runtime) -> None:
    with drifting(runtime, 10) as stage:
        (gone,) = vanish(stage, 1)
        stage.wire.refused = {gone}
        run = stage.reconcile()
        assert (run.state, run.counts["unread"], "absent" in run.counts) == (RunState.PARTIAL, 1, False)
        stage.wire.refused = set()
        stage.follow()
        assert gone in stage.held(), "a mark would delete it, and however many others, without asking"
        assert stage.reconcile().counts["absent"] == 1


def test_who_is_deleted_after_its_row_was_written_is_found_gone_by_the_read(runtime: Runtime) -> None:
    with drifting(runtime, 10, bulk_seconds=400.0) as stage:
        number = stage.free(1)[0]
        with stage.losing():
            stage.shop.update(number, note="so that the row is looked at")
        stage.shop.faults.lose = 1.0
        stage.clock.plan(200.0, lambda: stage.shop.delete(number))
        run = stage.reconcile()
        assert stage.found(run) == [(number, "not deleted here", None, NEVER, True)]
        assert stage.held() == stage.truth()


def test_the_file_of_an_empty_shop_is_whole(runtime: Runtime) -> None:
    with drifting(runtime, 0) as stage:
        made = stage.shop.create(first_name="Only")
        stage.follow()
        assert list(stage.held()) == [made.id]
        vanish(stage, 1)
        run = stage.reconcile()
        assert stage.found(run) == [(made.id, "not deleted here", None, NEVER, True)]
        assert (run.state, stage.held()) == (RunState.DONE, {})


@pytest.mark.parametrize(
    "listed",
    [[], [3, 1, 2], [1, 2, 3], [9, 9, 1], list(range(1, 30))],
    ids=["none", "mixed", "ordered", "twice", "all"],
)
def test_the_absent_are_those_who_are_not_listed(
    runtime: Runtime, listed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(absence, "IDS_AT_ONCE", 3)
    with drifting(runtime, 8) as stage:
        ids = list(stage.shop.ids)
        named = [ids[place % len(ids)] for place in listed]
        found = absence.absent(runtime.database, stage.shop_id, array("q", named), stage.clock.now)
        assert list(found) == [number for number in ids if number not in named]
        assert list(absence.absent(runtime.database, stage.shop_id, array("q"), 0)) == []


# ---- A mass waits for a person --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("active", "limit"), [(0, 20), (2_000, 20), (2_099, 20), (2_100, 21), (1_000_000, 10_000)])
def test_the_limit_is_twenty_or_one_in_a_hundred(active: int, limit: int) -> None:
    assert limit_of(active) == limit


@pytest.mark.req("K16")
def test_a_mass_of_absences_is_held_back_and_only_that(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        before = set(stage.held())
        gone = vanish(stage, MASS)
        with stage.losing():
            stage.shop.add_tags(stage.shop.ids[-1], ["gold"])
        run = stage.reconcile()
        assert set(stage.held()) == before, "nobody is deleted"
        assert (run.counts["absent"], run.counts["held_back"], run.counts["healed"]) == (MASS, MASS, 1)
        assert {number for number, kind, *_rest, healed in stage.found(run) if not healed} == set(gone)
        (question,) = asked(stage, MISSING_CUSTOMERS)
        assert question.evidence == {"missing": MASS, "active": SOME, "limit": 20, "run": run.id}
        assert set(question.answers) == {"delete", "keep"}
        assert question.otherwise == "nothing is deleted"
        stage.follow()
        assert set(stage.held()) == before, "nothing is read before a person has spoken"
        again = stage.reconcile()
        assert (again.counts["held_back"], len(asked(stage, MISSING_CUSTOMERS))) == (MASS, 1)


@pytest.mark.req("K16")
def test_who_is_still_gone_is_deleted_when_a_person_says_so(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        vanish(stage, MASS)
        run = stage.reconcile()
        (question,) = asked(stage, MISSING_CUSTOMERS)
        assert answer(stage, question, "delete") == f"{MASS} customers are read again, and deleted if they are gone"
        stage.follow()
        assert stage.held() == stage.truth()
        stage.reconcile(runs.RECENT)
        assert all(healed for *_finding, healed in stage.found(run))
        assert asked(stage, MISSING_CUSTOMERS) == []
        assert "absent" not in stage.reconcile().counts


@pytest.mark.req("K16")
def test_everybody_is_kept_when_a_person_says_so_and_asked_about_again(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        before = set(stage.held())
        vanish(stage, MASS)
        stage.reconcile()
        (question,) = asked(stage, MISSING_CUSTOMERS)
        assert answer(stage, question, "keep") == f"{MASS} customers are kept"
        stage.follow()
        assert (set(stage.held()), stage.held_back()) == (before, 0)
        stage.reconcile()
        assert (len(asked(stage, MISSING_CUSTOMERS)), stage.held_back()) == (1, MASS)


def test_who_waits_for_a_person_is_not_deleted_by_a_smaller_run(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        gone = vanish(stage, MASS)
        stage.reconcile()
        # One of them was told after all, so that no more are missing than may be.
        stage.shop.announce("customers/delete", {"id": gone[0]})
        stage.follow()
        run = stage.reconcile()
        assert (run.counts["absent"], run.counts["held_back"]) == (MASS - 1, MASS - 1)
        assert len(asked(stage, MISSING_CUSTOMERS)) == 1


def test_the_question_goes_when_everybody_was_told_of_after_all(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        gone = vanish(stage, MASS)
        stage.reconcile()
        for number in gone:
            stage.shop.announce("customers/delete", {"id": number})
        stage.follow()
        assert len(asked(stage, MISSING_CUSTOMERS)) == 1
        run = stage.reconcile()
        assert (run.state, "absent" in run.counts) == (RunState.DONE, False)
        assert (asked(stage, MISSING_CUSTOMERS), stage.held_back()) == ([], 0)


def test_the_question_that_waits_tells_the_newest_figures(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        vanish(stage, MASS)
        stage.reconcile()
        vanish(stage, 2)
        run = stage.reconcile()
        (question,) = asked(stage, MISSING_CUSTOMERS)
        assert (question.evidence["missing"], question.evidence["run"]) == (MASS + 2, run.id)
        assert f" {MASS + 2} of {SOME} customers" in question.text


def test_a_run_that_is_killed_behind_its_question_counts_nobody_twice(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        vanish(stage, MASS)
        run_id = stage.queue()
        place = Place(
            runtime.database, stage.vault, runtime.client(stage.shop_id), clock_until(stage, MISSING_CUSTOMERS)
        )
        with pytest.raises(Killed):
            Reconcile(place, reconciling.mending(stage.vault), 48, 30, GRACE).run(stage.begin(run_id))
        run = stage.carry_out(run_id)
        assert (run.counts["different"], run.counts["absent"], run.counts["held_back"]) == (MASS, MASS, MASS)
        assert (len(stage.found(run)), stage.held_back(), len(asked(stage, MISSING_CUSTOMERS))) == (MASS, MASS, 1)


class Killed(Exception):
    """The process ended here."""


def clock_until(stage: Drifting, kind: str) -> Callable[[], Instant]:
    """A clock that kills whoever looks at it once such a question is asked."""

    def look() -> Instant:
        if asked(stage, kind):
            raise Killed
        return stage.clock.now

    return look


def test_a_dry_run_asks_nothing(runtime: Runtime) -> None:
    with drifting(runtime, SOME) as stage:
        vanish(stage, MASS)
        run = stage.reconcile(dry=True)
        assert (run.counts["absent"], stage.held_back(), asked(stage, MISSING_CUSTOMERS)) == (MASS, 0, [])


# ---- Merges that nobody told ----------------------------------------------------------------------------------------


def merge(stage: Drifting, *, lost: bool = True) -> tuple[int, int]:
    """A merge of two customers with addresses; the one that is gone, and the one that was kept."""
    one, two = [record.id for record in stage.shop.snapshot() if record.addresses and record.email][:2]
    if not lost:
        stage.clock.pass_by(LATER_S)
        merged = stage.shop.merge(one, two)
        stage.shop.tick()
        stage.follow()
        return merged.deleted, merged.kept
    with stage.losing():
        merged = stage.shop.merge(one, two)
        stage.clock.pass_by(60.0)
        stage.shop.tick()
    return merged.deleted, merged.kept


@pytest.mark.req("K16")
@pytest.mark.parametrize("chosen", ["merge", "separate"])
def test_a_merge_that_was_never_told_is_proposed(runtime: Runtime, chosen: str) -> None:
    with drifting(runtime, 20) as stage:
        deleted, kept = merge(stage)
        names = stage.own_id(deleted), stage.own_id(kept)
        run = stage.reconcile()
        assert run.counts["merges_proposed"] == 1
        (question,) = asked(stage, UNHEARD_MERGE)
        assert (question.evidence["deleted"], question.evidence["kept"]) == names
        assert all(str(number) not in str(question) for number in (deleted, kept)), "no id of Shopify's"
        assert stage.held() == stage.truth()
        answer(stage, question, chosen)
        stage.follow()
        assert stage.profile(deleted).state == ("merged" if chosen == "merge" else "deleted")
        assert asked(stage, UNHEARD_MERGE) == []


@pytest.mark.req("K16")
@pytest.mark.parametrize("topic", ["customers/delete", "customers/merge"])
def test_who_was_gone_before_we_were_told_was_told_late(runtime: Runtime, topic: str) -> None:
    with drifting(runtime, 20) as stage:
        stage.clock.pass_by(LATER_S)
        one, two = [record.id for record in stage.shop.snapshot() if record.addresses and record.email][:2]
        gone = stage.shop.merge(one, two).deleted
        stage.clock.pass_by(LATER_S)
        stage.shop.tick()
        run = stage.reconcile()
        assert (gone, "not deleted here", None, NEVER, True) in stage.found(run)
        stage.waiting[:] = [sent for sent in stage.waiting if sent.topic == topic]
        stage.follow()
        stage.reconcile(runs.RECENT)
        assert (gone, "not deleted here", None, LATE, True) in stage.found(run)


def test_a_merge_is_proposed_though_the_kept_customer_was_told(runtime: Runtime) -> None:
    with drifting(runtime, 20) as stage:
        deleted, kept = merge(stage)
        stage.shop.update(kept, note="of the kept one we hear")
        stage.follow()
        assert stage.reconcile().counts["merges_proposed"] == 1
        (question,) = asked(stage, UNHEARD_MERGE)
        assert question.subject == stage.own_id(deleted)


def test_a_merge_that_was_told_is_not_proposed(runtime: Runtime) -> None:
    with drifting(runtime, 20) as stage:
        deleted, _kept = merge(stage, lost=False)
        assert deleted not in stage.held()
        run = stage.reconcile()
        assert (stage.found(run), asked(stage, UNHEARD_MERGE)) == ([], [])


def test_a_merge_whose_delivery_waits_is_under_way(runtime: Runtime) -> None:
    with drifting(runtime, 20) as stage:
        stage.clock.pass_by(LATER_S)
        one, two = [record.id for record in stage.shop.snapshot() if record.addresses and record.email][:2]
        merged = stage.shop.merge(one, two)
        stage.clock.pass_by(60.0)
        stage.shop.tick()
        stage.waiting[:] = [sent for sent in stage.waiting if sent.topic == "customers/merge"]
        stage.clock.pass_by(LATER_S)
        stage.hear()
        run = stage.reconcile()
        assert (stage.found(run), run.counts["in_flight"], asked(stage, UNHEARD_MERGE)) == ([], 2, [])
        stage.follow()
        assert stage.profile(merged.deleted).state == "merged"
        assert stage.held() == stage.truth()


def test_a_deletion_is_no_merge(runtime: Runtime) -> None:
    with drifting(runtime, 20) as stage:
        vanish(stage, 3)
        stage.reconcile()
        assert asked(stage, UNHEARD_MERGE) == []
