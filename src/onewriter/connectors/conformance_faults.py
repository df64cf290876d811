"""Checks of what happens when something breaks, and of what the connector says about it."""

from typing import Any

from onewriter.connectors.conformance_read import many_come
from onewriter.connectors.conformance_stage import CANARY, Failed, Stage, must
from onewriter.connectors.interface import Ambiguous, Applied, FieldPatch, RetryAfter, Unchanged, Wanted
from onewriter.connectors.workbench import NotApplicable
from onewriter.errors import SystemThrottled, SystemUnreachable

SHORTEST = 6
"""Characters below which a setting is a word like any other, and could stand in a message by chance."""


def lost_answer_is_ambiguous(stage: Stage) -> None:
    """A write whose answer is lost may have been done: it is ambiguous, and reading back tells."""
    record_id, value = stage.put(), stage.value(stage.first)
    with stage.workbench.answer_lost():
        outcome = stage.set(record_id, **{stage.first: value})
    must(isinstance(outcome, Ambiguous), "a write whose answer was lost must be ambiguous")
    found = list(stage.connector.read_keys([record_id]))
    must(len(found) == 1, "the record cannot be read back after an answer was lost")
    must(found[0].fields[stage.first] == stage.held(record_id)[stage.first], "what is read back is not what is there")
    stage.applied(stage.set(record_id, **{stage.first: value}))
    must(stage.held(record_id)[stage.first] == value, "writing once more after an answer was lost did not help")


def lost_answer_to_a_create(stage: Stage) -> None:
    """A record that was made although its answer was lost is found by what it is looked up by, once."""
    lookup, values = stage.named("lookup"), stage.values()
    if not stage.discovery.capabilities.creates:
        raise NotApplicable("the connector makes no records")
    with stage.workbench.answer_lost():
        outcome = stage.made(values, "kept-key")
    must(isinstance(outcome, Ambiguous), "a new record whose answer was lost must be ambiguous")
    found = list(stage.connector.read_keys([values[lookup]], by=lookup))
    must(len(found) <= 1, "a new record whose answer was lost was made more than once")
    must(found, "a new record whose answer was lost is not found by what it is looked up by")


def locked_is_soon_told(stage: Stage) -> None:
    """A record that somebody else holds is left for later; nothing is written, and nobody waits for ever."""
    record_id, value = stage.put(), stage.value(stage.first)
    with stage.workbench.locked(record_id):
        try:
            outcome = stage.set(record_id, **{stage.first: value})
        except (SystemThrottled, SystemUnreachable):
            outcome = RetryAfter(1.0)
    must(isinstance(outcome, RetryAfter), "a write to a record that somebody holds must be left for later")
    must(stage.held(record_id)[stage.first] != value, "a write that was left for later was done all the same")
    stage.applied(stage.set(record_id, **{stage.first: value}))


def whole_batch(stage: Stage) -> None:
    """As many items as the system says it takes at once are taken at once."""
    size = stage.discovery.capabilities.batch
    if size == 1:
        raise NotApplicable("the system takes one item at a time")
    record_id = stage.put()
    value = stage.held(record_id)[stage.first]
    patches = [FieldPatch(key=record_id, set={stage.first: value})] * (min(size, 1000) - 1)
    last = stage.value(stage.first)
    outcomes = stage.write(*patches, FieldPatch(key=record_id, set={stage.first: last}))
    must(all(isinstance(each, Applied | Unchanged) for each in outcomes), "a full batch was not taken")
    must(stage.held(record_id)[stage.first] == last, "the last item of a full batch was not written")
    must(not stage.write(), "no items have no outcomes")


def texts_hold_no_values(stage: Stage) -> None:
    """No message and no reason holds a value of a customer's or a secret of the configuration."""
    with stage.opened(Wanted(read=stage.ground.texts)) as connector:
        texts = [*stage.texts, repr(connector)]
    must(not any(CANARY in text.lower() for text in texts), "a message or a reason holds a value of a customer's")
    for secret in _secrets(stage):
        if any(secret in text for text in texts):
            raise Failed("a message or a representation holds a secret of the configuration")


def _secrets(stage: Stage) -> list[str]:
    """The secrets of the configuration."""
    properties: dict[str, Any] = dict(stage.kind.spec().get("properties", {}))
    marked = [name for name, schema in properties.items() if schema.get("writeOnly")]
    found = [stage.configuration.get(name) for name in marked]
    return [value for value in found if isinstance(value, str) and len(value) >= SHORTEST]


CHECKS = (
    (
        "lost answer is ambiguous until read back",
        "a change would be lost or done twice",
        lost_answer_is_ambiguous,
    ),
    ("lost answer to a new record is looked up", "a customer would be made twice", lost_answer_to_a_create),
    ("record held by somebody else is left for later", "a cycle would hang or lose a change", locked_is_soon_told),
    ("full batch is taken", "a large change would fail as a whole", whole_batch),
    ("reading of many is complete", "customers of the later pages would be taken for deleted", many_come),
    ("messages hold no values and no secrets", "personal data would stand in logs", texts_hold_no_values),
)
