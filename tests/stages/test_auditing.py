"""Audits as runs: begun, carried out, done again when their process died, and queued by the clock."""

import pytest

from onewriter.audit import audits
from onewriter.audit.audits import Audit
from onewriter.customers import runs, shops
from onewriter.customers.runs import AlreadyRunning, Run
from onewriter.errors import UnknownSystem
from onewriter.records import HOUR, SHOPIFY, RunState
from onewriter.workflows import auditing, carrying
from tests.support.crm import ANN, CRM, Crm

LOOKS = ["direction", "match key", "coverage", "formatting", "permissions", "logging"]


def queue(beside: Crm, name: str = CRM) -> str:
    with beside.tea.runtime.database.write() as db:
        return auditing.queue(beside.tea.runtime, db, beside.tea.shop_id, name, "user:test", beside.moment)


def of_run(beside: Crm, run_id: str) -> tuple[Run, Audit | None]:
    with beside.tea.runtime.database.read() as db:
        return runs.get(db, run_id), audits.of_run(db, run_id)


def audited(beside: Crm) -> Audit:
    """What an audit that is queued and carried out now comes to."""
    run_id = queue(beside)
    carrying.carry_out(beside.tea.runtime, run_id)
    run, found = of_run(beside, run_id)
    assert (run.state, run.reason) == (RunState.DONE, None)
    assert found is not None
    return found


@pytest.mark.req("M41")
def test_an_audit_says_what_it_compared_and_looks_at_the_boundary_first(beside: Crm) -> None:
    beside.joined(note="first")
    found = audited(beside)
    assert [each["name"] for each in found.constraints] == LOOKS
    assert (found.system, found.counts["pairs"], found.counts["opened"], found.counts["cases"]) == (CRM, 1, 0, 0)
    beside.customer(101, **ANN, note="second")
    again = audited(beside)
    assert (again.counts["differing"], again.counts["real"], again.counts["fields"]["note"]["real"]) == (1, 1, 1)
    assert again.known["writes"], "there is a log"
    assert not again.known["snapshots"]
    with beside.tea.runtime.database.read() as db:
        assert audits.newest(db, beside.tea.shop_id, CRM) == again


@pytest.mark.req("M67")
def test_what_differs_in_form_alone_is_not_counted_as_wrong(beside: Crm) -> None:
    _ann, record = beside.joined()
    beside.edit(record, mail="ANN@Example.com")
    beside.cycle()
    beside.customer(101, **ANN, note="so that it is opened")
    counts = audited(beside).counts
    assert (counts["phantoms"], counts["real"], counts["fields"]["email"]["format"]) == (1, 1, 1)


def test_one_whose_process_died_is_done_again_from_its_beginning(beside: Crm, monkeypatch: pytest.MonkeyPatch) -> None:
    beside.joined()
    run_id, runtime = queue(beside), beside.tea.runtime

    def die(*_given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(audits, "save", die)
        with pytest.raises(KeyboardInterrupt):
            carrying.carry_out(runtime, run_id)
    left, found = of_run(beside, run_id)
    assert (left.state, found) == (RunState.RUNNING, None), "nothing of it is there before its end"
    carrying.carry_out(runtime, run_id)
    ended, found = of_run(beside, run_id)
    assert (ended.state, ended.attempt) == (RunState.DONE, 2)
    assert found is not None


def test_a_second_one_of_the_same_system_is_refused_and_so_is_the_shop_s_own_side(beside: Crm) -> None:
    beside.joined()
    queue(beside)
    with pytest.raises(AlreadyRunning, match="audit crm"):
        queue(beside)
    with pytest.raises(UnknownSystem, match="own side"):
        queue(beside, SHOPIFY)


def test_the_clock_queues_one_a_day_once_there_is_something_to_compare(beside: Crm) -> None:
    runtime, shop_id = beside.tea.runtime, beside.tea.shop_id
    beside.customer(101, **ANN)
    beside.connect()
    assert auditing.queue_due(runtime, shop_id) == 0, "no cycle was completed yet"
    beside.agree()
    assert auditing.queue_due(runtime, shop_id) == 1
    beside.moment += 25 * HOUR
    assert auditing.queue_due(runtime, shop_id) == 0, "the last one is still under way"
    with runtime.database.read() as db:
        [run] = [each for each in runs.newest(db, 20) if runs.family(each.kind) == runs.AUDIT]
        assert shops.by_id(db, shop_id).state == shops.CONNECTED
    carrying.carry_out(runtime, run.id)
    assert auditing.queue_due(runtime, shop_id) == 1
    with runtime.database.read() as db:
        again = runs.newest(db, 1)[0]
    carrying.carry_out(runtime, again.id)
    beside.moment += HOUR
    assert auditing.queue_due(runtime, shop_id) == 0
