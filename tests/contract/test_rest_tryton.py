"""The kind `rest` on a real Tryton server: its whole conformance, and what is Tryton's own."""

import pytest

from onewriter.connectors import conformance
from onewriter.connectors.interface import Applied, FieldPatch, Record, Rejected, State, Wanted
from onewriter.connectors.rest import RestSystem
from onewriter.errors import SystemChanged
from tests.support.rest_wire import RestStage, RestWire
from tests.support.tryton import CHILD, Tryton
from tests.support.tryton_bench import TrytonBench, configured

# Making its database takes seconds, and many on a machine that is busy.
pytestmark = [pytest.mark.contract, pytest.mark.time_limit(300)]

FIELDS = ("name", "email", "phone", "city")


@pytest.fixture
def stage() -> RestStage:
    """The wire to the server."""
    return RestStage(RestWire(lambda request: request.method == "PUT" or request.url.path.endswith("/party.party")))


@pytest.fixture
def system(tryton: Tryton, stage: RestStage) -> RestSystem:
    """A system that is open for four fields."""
    return stage.kind.open(configured(tryton.url, overlap_s=0), Wanted(FIELDS, FIELDS))


def read(system: RestSystem, state: State | None = None) -> tuple[dict[str, Record], State]:
    """All that a reading brings, and where it ended."""
    *records, end = system.read(state)
    assert isinstance(end, State)
    return {record.id: record for record in records if isinstance(record, Record)}, end


def test_every_check_passes_on_a_real_server(tryton: Tryton, stage: RestStage) -> None:
    found = list(conformance.run(stage.kind, configured(tryton.url), TrytonBench(tryton, stage)))
    assert [result for result in found if result.verdict == "failed"] == []
    idle = {result.name for result in found if result.verdict == "not applicable"}
    assert len(found) - len(idle) >= 35, idle


def test_a_changed_email_moves_its_party(tryton: Tryton, system: RestSystem) -> None:
    """Tryton's own quirk: the party's time of change stays, and only the child's moves."""
    mine, other = tryton.made("Ann", email="ann@example.org"), tryton.made("Bob", email="bob@example.org")
    before = tryton.party(mine, "write_date")["write_date"]
    _, state = read(system)
    tryton.asked("PUT", f"{CHILD}/{tryton.mechanisms(mine)['email'][0]}", {"value": "anna@example.org"})
    assert tryton.party(mine, "write_date")["write_date"] == before
    changed, after = read(system, state)
    assert changed[mine].fields["email"] == "anna@example.org"
    assert changed[mine].changed is not None
    assert after.value["since"] >= state.value["since"]
    assert other not in read(system, State({"since": after.value["since"] + 5_000_000}))[0]


def test_a_field_of_a_child_is_written_where_it_stands(tryton: Tryton, system: RestSystem) -> None:
    mine = tryton.made("Ann", email="ann@example.org", phone="+33 1 23 45 67 89")
    before = tryton.mechanisms(mine)
    patch = FieldPatch(key=mine, set={"name": "Anna", "email": "new@example.org", "city": "Paris"})
    assert system.write([patch]) == [Applied(mine)]
    after = tryton.mechanisms(mine)
    assert after["email"] == (before["email"][0], "new@example.org"), "the same child, with another value"
    assert after["phone"] == before["phone"]
    (found,) = system.read_keys([mine])
    assert dict(found.fields) == {
        "name": "Anna",
        "email": "new@example.org",
        "phone": "+33 1 23 45 67 89",
        "city": "Paris",
    }


def test_emptying_a_child_deletes_it_but_never_one_of_several(tryton: Tryton, system: RestSystem) -> None:
    mine = tryton.made("Ann", email="ann@example.org")
    assert system.write([FieldPatch(key=mine, clear=("email",))]) == [Applied(mine)]
    assert tryton.mechanisms(mine) == {}
    for value in ("one@example.org", "two@example.org"):
        tryton.asked("POST", CHILD, {"party": int(mine), "type": "email", "value": value})
    (outcome,) = system.write([FieldPatch(key=mine, clear=("email",), set={"name": "Anna"})])
    assert isinstance(outcome, Rejected)
    assert outcome.field == "email"
    assert tryton.party(mine, "name")["name"] == "Ann", "nothing of a rejected patch is written"


def test_no_address_of_a_person_is_in_an_address_of_the_server(
    tryton: Tryton, stage: RestStage, system: RestSystem
) -> None:
    mine = tryton.made("Ann", email="url@example.org")
    assert [record.id for record in system.read_keys(["url@example.org"], by="email")] == [mine]
    assert all("example" not in str(request.url) for request in stage.wire.seen)


def test_a_failure_that_names_a_field_is_no_outage(tryton: Tryton, stage: RestStage, system: RestSystem) -> None:
    """Tryton answers 500 to a field that it has not; tried again, it would do so for ever."""
    with stage.renamed('"name"', '"gone_name"'), pytest.raises(SystemChanged, match="name"):
        read(system)
