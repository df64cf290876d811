"""Checks of writing: the named fields of the named records, and nothing beside them."""

from onewriter.connectors.conformance_stage import Stage, must
from onewriter.connectors.interface import Applied, Conflict, FieldPatch, Rejected, RemoteValue, Unchanged
from onewriter.connectors.workbench import NotApplicable

LANGUAGES = 'kanarie Zoë Ünïcode Łódź 李 عمر 🐦 O\'Neil; "x", %s'
MOST = 50
"""Items of the largest batch that is tried."""


def patch_touches_named_only(stage: Stage) -> None:
    """A patch changes the fields that it names, and every other field stays as it was."""
    beside, record_id, value = stage.put(), stage.put(), stage.value(stage.first)
    stage.applied(stage.set(beside, **{stage.first: stage.value(stage.first)}))
    before, others = dict(stage.held(record_id)), dict(stage.held(beside))
    stage.applied(stage.set(record_id, **{stage.first: value}))
    after = dict(stage.held(record_id))
    must(dict(stage.held(beside)) == others, "a record that was not named has changed")
    must(after.pop(stage.first) == value, "what was called applied is not there")
    before.pop(stage.first)
    must(after == before, f"a field that was not named has changed: {_differing(before, after)}")


def clear_empties(stage: Stage) -> None:
    """A cleared field is empty, and only that one."""
    record_id = stage.put()
    before = dict(stage.held(record_id))
    stage.applied(stage.write(FieldPatch(key=record_id, clear=(stage.first,)))[0])
    after = dict(stage.held(record_id))
    must(after[stage.first] in (None, ""), "a field that was cleared is not empty")
    must(after[stage.second] == before[stage.second], "a field that was not named was emptied")


def set_and_clear_at_once(stage: Stage) -> None:
    """One patch sets one field and clears another."""
    record_id, value = stage.put(), stage.value(stage.first)
    stage.applied(stage.write(FieldPatch(key=record_id, set={stage.first: value}, clear=(stage.second,)))[0])
    after = stage.held(record_id)
    must(after[stage.first] == value and after[stage.second] in (None, ""), "one of the two was not done")


def create_tells_its_id(stage: Stage) -> None:
    """A new record holds what was set, and its id finds it."""
    values = stage.values()
    outcome = stage.made(values)
    must(isinstance(outcome, Applied), "a new record was not applied")
    assert isinstance(outcome, Applied)
    found = list(stage.connector.read_keys([outcome.id]))
    must(len(found) == 1, "the id of a new record does not find it")
    must(found[0].fields[stage.first] == values[stage.first], "a new record does not hold what was set")
    if stage.discovery.capabilities.conditional_write != "none":
        must(found[0].version is not None, "a system with conditional writes must tell versions")


def same_again_is_harmless(stage: Stage) -> None:
    """Writing what the record holds already is applied or unchanged, and changes nothing, asked for again or not."""
    record_id = stage.put()
    before = dict(stage.held(record_id))
    same = {stage.first: before[stage.first]}
    for again in (False, True):
        stage.applied(stage.write(FieldPatch(key=record_id, set=same, again=again))[0])
        must(dict(stage.held(record_id)) == before, "writing the same value changed something")


def outcomes_in_order(stage: Stage) -> None:
    """Many items at once: one outcome each, in order, and each by itself."""
    many = min(stage.discovery.capabilities.batch, MOST)
    beside, *made, behind = [stage.put() for _ in range(many + 2)]
    stage.applied(stage.set(beside, **{stage.first: stage.value(stage.first)}))
    before = [dict(stage.held(each)) for each in (beside, behind)]
    patches = [FieldPatch(key=record_id, set={stage.first: stage.value(stage.first)}) for record_id in made]
    for patch, outcome in zip(patches, stage.write(*patches), strict=True):
        must(stage.applied(outcome).id == patch.key, "an outcome names another record than its patch")
        must(stage.held(str(patch.key))[stage.first] == patch.set[stage.first], "what was called applied is not there")
    must([dict(stage.held(each)) for each in (beside, behind)] == before, "a record that was not named has changed")


def one_record_twice(stage: Stage) -> None:
    """Two items for one record are written one after the other, and the second counts, also one that takes back."""
    if stage.discovery.capabilities.batch == 1:
        raise NotApplicable("the system takes one item at a time")
    record_id = stage.put()
    for takes_back in (False, True):
        last = stage.held(record_id)[stage.first] if takes_back else stage.value(stage.first)
        values = (stage.value(stage.first), last)
        outcomes = stage.write(*(FieldPatch(key=record_id, set={stage.first: each}) for each in values))
        both = all(isinstance(each, Applied | Unchanged) for each in outcomes)
        must(both, "of two items for one record not both were written")
        must(stage.held(record_id)[stage.first] == last, "of two items for one record the second does not count")


def what_is_made_of_it_is_told(stage: Stage) -> None:
    """Where the system makes another value of what was written, that value is told or read back, and not our own."""
    name, record_id = stage.first, stage.put()
    with stage.workbench.altering(name):
        outcome = stage.set(record_id, **{name: str(stage.value(name)).upper()})
        held = stage.held(record_id)[name]
    must(held == str(held).lower(), "the workbench has not had the system alter the value")
    stage.applied(outcome)
    must(next(iter(stage.connector.read_keys([record_id]))).fields[name] == held, "another value is read than is held")


def one_bad_item(stage: Stage) -> None:
    """An item that cannot be written is rejected, and those beside it are written."""
    bad = _unfit(stage)
    made = [stage.put() for _ in range(3)]
    value = [stage.value(stage.first) for _ in made]
    patches = [FieldPatch(key=made[at], set={stage.first: value[at], **(bad if at == 1 else {})}) for at in range(3)]
    size = stage.discovery.capabilities.batch
    outcomes = [each for at in range(0, 3, size) for each in stage.write(*patches[at : at + size])]
    stage.rejected(outcomes[1])
    must(stage.held(made[1])[stage.first] != value[1], "part of a rejected item was written")
    for at in (0, 2):
        stage.applied(outcomes[at])
        must(stage.held(made[at])[stage.first] == value[at], "an item beside a rejected one was not written")


def wrong_type_is_refused(stage: Stage) -> None:
    """A word where a number belongs is rejected with the field, and not stored, cut or turned into something."""
    _refused(stage, stage.named("typed"), "kanarie")


def number_in_text_is_refused(stage: Stage) -> None:
    """A number where a text belongs is rejected too: the system would turn it into a text by rules of its own."""
    _refused(stage, stage.first, 123)


def too_long_is_refused(stage: Stage) -> None:
    """A text above the limit is rejected with the field, and never cut."""
    name = stage.named("limited")
    described = stage.discovery.field_named(name)
    must(described is not None and described.max_length, "the field is said to have a limit, and is described without")
    assert described is not None
    _refused(stage, name, ("kanarie" * (described.max_length or 1))[: (described.max_length or 0) + 1])


def unknown_word_is_refused(stage: Stage) -> None:
    """A word that the system does not know is rejected with the field."""
    _refused(stage, stage.named("words"), "kanarie")


def every_language_is_kept(stage: Stage) -> None:
    """Letters of any language come back as they were, or are rejected."""
    _kept_or_refused(stage, stage.first, LANGUAGES)


def control_character_is_kept_or_refused(stage: Stage) -> None:
    """A NUL comes back as it was, or is rejected: a text is never cut at it."""
    _kept_or_refused(stage, stage.first, "kanarie\x00end")


def lines_are_kept(stage: Stage) -> None:
    """A text of several lines comes back as it was, or is rejected."""
    _kept_or_refused(stage, stage.first, 'kanarie, "one"\nkanarie; two')


def blanks_are_kept(stage: Stage) -> None:
    """Blanks at either end, a tab, and letters of two parts come back as they were, or are rejected."""
    for text in ("kanarie\tend", "kanarie Zoe\u0308"):
        _kept_or_refused(stage, stage.first, text)
    if not stage.workbench.trims(stage.first):
        _kept_or_refused(stage, stage.first, "  kanarie  ")
        return
    outcome = stage.set(stage.put(), **{stage.first: "  kanarie  "})
    must(isinstance(outcome, Rejected) or stage.applied(outcome), "what the system makes of blanks is not told")


def gone_is_told(stage: Stage) -> None:
    """A write to a record that is gone says so, and makes no new one."""
    record_id = stage.put()
    stage.remove(record_id)
    outcome = stage.set(record_id, **{stage.first: stage.value(stage.first)})
    must(isinstance(outcome, Conflict) and outcome.gone, "a write to a record that is gone must say that it is gone")
    must(record_id not in stage.read().records, "a write to a record that is gone made it anew")


def stale_version_is_a_conflict(stage: Stage) -> None:
    """A write that names the version it was made for is not done once somebody else has changed the record."""
    if stage.discovery.capabilities.conditional_write == "none":
        raise NotApplicable("the system has no conditional writes")
    record_id, theirs = stage.put(), stage.value(stage.second)
    version = next(iter(stage.connector.read_keys([record_id]))).version
    must(version is not None, "a system with conditional writes must tell versions")
    stage.workbench.change(record_id, {stage.second: theirs})
    value = stage.value(stage.first)
    outcome = stage.write(FieldPatch(key=record_id, set={stage.first: value}, if_version=version))[0]
    must(isinstance(outcome, Conflict) and not outcome.gone, "a write for an old version must be a conflict")
    held = stage.held(record_id)
    must(held[stage.first] != value, "a write for an old version was done all the same")
    must(held[stage.second] == theirs, "somebody else's change was lost")


def present_version_is_written(stage: Stage) -> None:
    """A write that names the present version is done, and the version that it tells serves for the next."""
    if stage.discovery.capabilities.conditional_write == "none":
        raise NotApplicable("the system has no conditional writes")
    record_id = stage.put()
    version = next(iter(stage.connector.read_keys([record_id]))).version
    for _ in range(2):
        value = stage.value(stage.first)
        outcome = stage.write(FieldPatch(key=record_id, set={stage.first: value}, if_version=version))[0]
        stage.applied(outcome)
        must(stage.held(record_id)[stage.first] == value, "what was called applied is not there")
        version = next(iter(stage.connector.read_keys([record_id]))).version
        must(
            not isinstance(outcome, Applied) or outcome.version in (None, version), "the version that was told is wrong"
        )


def others_fields_stay(stage: Stage) -> None:
    """What somebody changed in another field, since we read the record, is still there after our write."""
    record_id, theirs = stage.put(), stage.value(stage.second)
    list(stage.connector.read_keys([record_id]))
    stage.workbench.change(record_id, {stage.second: theirs})
    stage.applied(stage.set(record_id, **{stage.first: stage.value(stage.first)}))
    must(stage.held(record_id)[stage.second] == theirs, "somebody else's change was lost")


def _unfit(stage: Stage) -> dict[str, RemoteValue]:
    """A value that the system cannot take, whatever it is."""
    described = stage.discovery.field_named(stage.ground.limited or "")
    if stage.ground.typed is not None:
        return {stage.ground.typed: "kanarie"}
    if described is not None and described.max_length:
        return {described.name: "kanarie" * described.max_length}
    return {"no_such_field": "kanarie"}


def _refused(stage: Stage, name: str, value: RemoteValue) -> None:
    """Write a value that cannot be well; it must be rejected with the field, and nothing written."""
    record_id = stage.put()
    before = dict(stage.held(record_id))
    outcome = stage.rejected(stage.set(record_id, **{name: value}))
    must(outcome.field == name, "the refusal must name the field at fault")
    must(dict(stage.held(record_id)) == before, "something of a rejected patch was written")


def _kept_or_refused(stage: Stage, name: str, value: str) -> None:
    record_id = stage.put()
    before = stage.held(record_id)[name]
    outcome = stage.set(record_id, **{name: value})
    if isinstance(outcome, Rejected):
        must(outcome.field == name, "the refusal must name the field at fault")
        must(stage.held(record_id)[name] == before, "something of a rejected patch was written")
        return
    stage.applied(outcome)
    found = next(iter(stage.connector.read_keys([record_id]))).fields[name]
    must(found == value, "a text did not come back as it was written")


def _differing(before: dict[str, RemoteValue], after: dict[str, RemoteValue]) -> str:
    return ", ".join(sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name)))


CHECKS = (
    ("patch touches the named fields only", "a field of another owner would be overwritten", patch_touches_named_only),
    ("clearing empties that field only", "other fields would be emptied (a merge that sets NULL)", clear_empties),
    ("one patch sets and clears", "half of a change would be written", set_and_clear_at_once),
    ("new record tells its id", "the new record could not be linked, and be made again", create_tells_its_id),
    ("same value again is harmless", "each cycle would change each customer", same_again_is_harmless),
    ("one outcome an item, in order", "a refusal would be booked to another customer", outcomes_in_order),
    ("two items of one record are both written", "the later of two changes would be lost", one_record_twice),
    ("bad item does not stop the good ones", "one customer's bad value would hold up the rest", one_bad_item),
    ("value of a wrong type is refused", "a word would be stored where a number belongs", wrong_type_is_refused),
    ("number is not turned into a text", "123 would come back as '123' and never match", number_in_text_is_refused),
    ("text above the limit is refused, not cut", "a name would be cut, and cut back here", too_long_is_refused),
    ("unknown word is refused", "a status would be set that nobody knows", unknown_word_is_refused),
    ("every language is kept or refused", "names would come back broken", every_language_is_kept),
    ("NUL is kept or refused", "a text would be cut in the middle", control_character_is_kept_or_refused),
    ("lines are kept or refused", "a note would come back broken", lines_are_kept),
    ("blanks are kept or refused", "a text would differ for ever, and be sent each time", blanks_are_kept),
    ("what the system makes of a value is told", "both sides would seem in step", what_is_made_of_it_is_told),
    ("record that is gone is told", "somebody who was deleted would be made anew", gone_is_told),
    ("stale version is a conflict", "a change made there meanwhile would be lost", stale_version_is_a_conflict),
    ("present version is written", "conditional writes would never be done", present_version_is_written),
    ("others' fields survive a write", "a change made there meanwhile would be lost", others_fields_stay),
)
