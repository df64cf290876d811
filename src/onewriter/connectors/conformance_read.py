"""Checks of reading: nothing that changed is missed, whatever the system's clock, clients and people do."""

from onewriter.connectors.conformance_stage import Stage, must
from onewriter.connectors.interface import FieldPatch
from onewriter.connectors.workbench import NotApplicable, Workbench
from onewriter.errors import OnewriterError, SystemChanged


def everything_comes(stage: Stage) -> None:
    """A reading without a state brings every record with the wanted fields."""
    made = {stage.put(values): values for values in (stage.values() for _ in range(7))}
    reading = stage.read()
    for record_id, values in made.items():
        fields = reading.last(record_id)
        must(set(fields) <= set(stage.ground.all), "a record came with a field of a person that nobody wanted")
        same = all(fields.get(name) == value for name, value in values.items() if name in stage.ground.all)
        must(same, "a record came with other values than it has")
        must(len(reading.records[record_id]) == 1, "one record came twice in one reading of everything")


def change_comes(stage: Stage) -> None:
    """A change after a reading comes with the next one, from where the first ended."""
    record_id = stage.put()
    state, value = stage.read().state, stage.value(stage.first)
    _change(stage, record_id, value)
    must(
        stage.read(state).last(record_id)[stage.first] == value, "the reading brought the value from before the change"
    )


def new_record_comes(stage: Stage) -> None:
    """A record that was made after a reading comes with the next one."""
    state = stage.read().state
    record_id = stage.put()
    stage.read(state).last(record_id)


def same_state_again(stage: Stage) -> None:
    """A reading that broke off is done again from the same state, and brings it all again."""
    record_id = stage.put()
    state = stage.read().state
    _change(stage, record_id, stage.value(stage.first))
    first, again = stage.read(state), stage.read(state)
    must(set(first.records) <= set(again.records), "the second reading from one state brought less than the first")
    must(record_id in again.records, "a change comes only once from one state")


def late_commit_is_seen(stage: Stage) -> None:
    """A transaction that took its time of change early and commits late, behind the cursor, is still seen."""
    slow, quick = stage.put(), stage.put()
    state, value = stage.read().state, stage.value(stage.first)
    with stage.workbench.late_commit(slow, {stage.first: value}):
        _change(stage, quick, stage.value(stage.first))
        between = stage.read(state)
    after = stage.read(between.state)
    must(slow in after.records, "a change that was committed behind the cursor was never seen")
    must(after.last(slow)[stage.first] == value, "the record came without the change")


def one_second_two_changes(stage: Stage) -> None:
    """Of two changes within the system's granularity, with a reading between them, the second is seen too."""
    record_id = stage.put()
    state = stage.read().state
    _change(stage, record_id, stage.value(stage.first))
    between = stage.read(state)
    value = stage.value(stage.first)
    _change(stage, record_id, value)
    fields = stage.read(between.state).last(record_id)
    must(fields[stage.first] == value, "the second of two changes in one second was not seen")


def empty_has_one_form(stage: Stage) -> None:
    """Whatever a system holds for nothing, an empty text is read as None."""
    record_id = stage.put()
    stage.applied(stage.write(FieldPatch(key=record_id, clear=(stage.first,)))[0])
    fields = stage.read().last(record_id)
    must(stage.first in fields, "an empty field was not told at all, which would mean that nothing is known of it")
    must(fields[stage.first] is None, "an empty field was read as something else than None")


def removed_is_noticed(stage: Stage) -> None:
    """A deleted record is told as deleted, or is absent from a reading of everything."""
    record_id = stage.put()
    state = stage.read().state
    stage.remove(record_id)
    if stage.discovery.capabilities.deletes_visible and not _deletes_by_mark(stage):
        must(record_id in stage.read(state).deleted, "the system says that it tells of deletions, and did not")
    must(record_id not in stage.read().records, "a deleted record is still read")


def archived_is_noticed(stage: Stage) -> None:
    """A record that people hid is told as deleted, or read on, or absent from a full reading."""
    record_id, value = stage.put(), stage.value(stage.first)
    state = stage.read().state
    stage.archive(record_id)
    reading = stage.read(state)
    if record_id in reading.deleted:
        must(record_id not in stage.read().records, "an archived record is told as deleted and read all the same")
        return
    if record_id not in stage.read().records:
        return
    stage.workbench.change(record_id, {stage.first: value})
    must(
        stage.read(reading.state).last(record_id)[stage.first] == value, "an archived record is read with an old value"
    )


def child_moves_parent(stage: Stage) -> None:
    """What belongs to a record and is kept elsewhere brings the record when it changes."""
    record_id = stage.put()
    state = stage.read().state
    stage.workbench.change_child(record_id)
    stage.read(state).last(record_id)


def never_updated_comes(stage: Stage) -> None:
    """A new record whose time of change is still empty comes with the next reading."""
    state = stage.read().state
    record_id = stage.workbench.never_updated(stage.values())
    stage.read(state).last(record_id)


def keys_find(stage: Stage) -> None:
    """Records are read by their ids, and who is not there is left out."""
    made = [stage.put() for _ in range(3)]
    found = [record.id for record in stage.connector.read_keys([*made, _unused(stage)])]
    must(sorted(found) == sorted(made), "reading by ids did not bring just those records")
    must(not list(stage.connector.read_keys([])), "reading no ids brought records")


def lookup_finds_all(stage: Stage) -> None:
    """Looking a value up brings each record that has it: duplicates are told and not chosen from."""
    lookup = stage.named("lookup")
    shared = stage.value(lookup)
    made = [stage.put({**stage.values(), lookup: shared})]
    try:
        made.append(stage.inserted({**stage.values(), lookup: shared}))
    except NotApplicable:
        stage.put()
    found = [record.id for record in stage.connector.read_keys([shared], by=lookup)]
    must(sorted(found) == sorted(made), "looking a value up did not bring just the records that have it")
    must(not list(stage.connector.read_keys([stage.value(lookup)], by=lookup)), "a value of nobody's brought somebody")


def made_again_is_found(stage: Stage) -> None:
    """A record that was deleted and made again is found by what it is looked up by, under the id that it has now."""
    lookup, values = stage.named("lookup"), stage.values()
    first = stage.inserted(values)
    stage.remove(first)
    again = stage.inserted(values)
    found = [record.id for record in stage.connector.read_keys([values[lookup]], by=lookup)]
    must(found == [again], "a record that was made again is not found")


def schema_change_is_told(stage: Stage) -> None:
    """A wanted field that is gone stops the reading; it is never read as empty."""
    stage.put()
    with stage.workbench.field_gone(stage.first), stage.opened(stage.wanted()) as connector:
        try:
            stage.read(connector=connector)
        except SystemChanged:
            return
    must(False, "a field that is gone must raise SystemChanged")


def many_come(stage: Stage) -> None:
    """A reading of more records than come at once brings each of them, and those of every check before, once."""
    for _ in range(2 * stage.workbench.page() + 1 - len(stage.there)):
        stage.put()
    must(stage.there, "there is nothing to read")
    reading = stage.read()
    missing = len(stage.there.keys() - reading.records.keys())
    must(not missing, f"a reading of everything left out {missing} of {len(stage.there)} records")
    must(all(len(reading.records[each]) == 1 for each in stage.there), "a record came twice in a reading of everything")


def cut_reading_raises(stage: Stage) -> None:
    """A reading that breaks off in the middle raises, so that nobody is taken for deleted."""
    for _ in range(5):
        stage.put()
    with stage.workbench.cut_while_reading():
        try:
            stage.read()
        except OnewriterError:
            return
    must(False, "a reading that came half must raise")


def _change(stage: Stage, record_id: str, value: object) -> None:
    """Change a record as its system's people do, or through the connector where nobody else can."""
    try:
        stage.workbench.change(record_id, {stage.first: value})
    except NotApplicable:
        stage.applied(stage.set(record_id, **{stage.first: value}))


def _deletes_by_mark(stage: Stage) -> bool:
    """True where deleting is marking, so that a row which is really gone leaves no trace."""
    return type(stage.workbench).archive is not Workbench.archive


def _unused(stage: Stage) -> str:
    """The id of a record that was there, or a number that no test system reaches."""
    try:
        record_id = stage.put()
        stage.remove(record_id)
    except NotApplicable:
        return "2147483000"
    return record_id


CHECKS = (
    ("reading everything is complete", "customers would be missing, or taken for deleted", everything_comes),
    ("change comes by the cursor", "a change would wait for the next full reading", change_comes),
    ("new record comes by the cursor", "a new customer would wait for the next full reading", new_record_comes),
    ("reading again from one state misses nothing", "a cycle that broke off would lose changes", same_state_again),
    ("late commit behind the cursor is seen", "a change would never be seen (Odoo's write_date)", late_commit_is_seen),
    ("two changes in one second are both seen", "the second change would never be seen", one_second_two_changes),
    ("empty is read as None", "an empty field would be copied as a word such as False", empty_has_one_form),
    ("deleted record is noticed", "a customer who is gone there would stay for ever", removed_is_noticed),
    ("archived record is noticed", "a hidden customer would silently stop changing", archived_is_noticed),
    ("change of a child brings its record", "a new e-mail kept beside the record would be missed", child_moves_parent),
    ("record without a time of change comes", "new customers would be missed until edited", never_updated_comes),
    ("reading by ids", "what was written could not be read back", keys_find),
    ("looking up brings every duplicate", "one of two customers would be taken by chance", lookup_finds_all),
    ("record made again is found", "a customer would be linked to a record that is gone", made_again_is_found),
    (
        "field that is gone stops the reading",
        "each customer's field would seem emptied",
        schema_change_is_told,
    ),
    ("reading that breaks off raises", "the rest of the customers would be taken for deleted", cut_reading_raises),
)
