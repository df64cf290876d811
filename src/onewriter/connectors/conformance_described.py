"""Checks of how a system describes itself: its configuration, its rights, its fields."""

from collections.abc import Mapping
from typing import Any

from onewriter.connectors.conformance_stage import NOBODY, Stage, must
from onewriter.connectors.interface import FieldPatch, Problem, Rejected, Wanted
from onewriter.errors import OnewriterError, SystemChanged, SystemRefused, SystemUnreachable

SECRET_WORDS = ("password", "secret", "token", "api_key", "apikey")


def spec_is_a_schema(stage: Stage) -> None:
    """The spec is one object, and what sounds like a secret is marked as one."""
    spec = stage.kind.spec()
    must(spec.get("type") == "object", "the spec must be a schema of one object")
    properties: Mapping[str, Any] = spec.get("properties", {})
    must(properties, "the spec must name its properties")
    bare = [
        name
        for name, schema in properties.items()
        if any(word in name.lower() for word in SECRET_WORDS) and not schema.get("writeOnly")
    ]
    must(not bare, f"what sounds like a secret must be marked writeOnly: {', '.join(bare)}")
    unknown = set(stage.configuration) - set(properties)
    must(not unknown, f"the spec does not name {', '.join(sorted(unknown))}")


def check_is_quiet(stage: Stage) -> None:
    """With everything as it should be, nothing is wrong."""
    found = stage.problems(stage.connector)
    must(not found, f"the check tells of {len(found)} problems where none was planted: {_kinds(found)}")


def discovery_is_true(stage: Stage) -> None:
    """The fields have names of their own, and what is told of them fits together."""
    names = [each.name for each in stage.discovery.fields]
    must(len(names) == len(set(names)), "two fields have one name")
    must(set(stage.ground.all) <= set(names), "a field that is worked with is not among the fields of the system")
    must(stage.discovery.capabilities.batch >= 1, "a batch takes one item at least")
    must(all(each.max_length is None or each.max_length > 0 for each in stage.discovery.fields), "a length is above 0")


def unknown_wanted_is_told(stage: Stage) -> None:
    """A mapping that names a field which the system has not is found by the check, before anything is read."""
    with stage.opened(stage.wanted(NOBODY)) as connector:
        try:
            found = stage.problems(connector)
        except SystemChanged:
            return
    must(any(each.field == NOBODY for each in found), "the check does not name the field that the system has not")


def unknown_field_is_refused(stage: Stage) -> None:
    """A write to a field that the system has not is rejected, and nothing else of the patch is written."""
    record_id, value = stage.put(), stage.value(stage.first)
    outcome = stage.write(FieldPatch(key=record_id, set={stage.first: value, NOBODY: stage.value(stage.first)}))[0]
    must(stage.rejected(outcome).field == NOBODY, "the refusal must name the field that the system has not")
    must(stage.held(record_id)[stage.first] != value, "part of a patch that was rejected was written all the same")


def wrong_credentials_are_told(stage: Stage) -> None:
    """A wrong password is told as what it is, by the check and by a reading."""
    configuration = stage.workbench.wrong_credentials()
    with stage.opened(stage.wanted(), configuration) as connector:
        try:
            found = stage.problems(connector)
        except SystemRefused:
            found = [Problem("credentials", "")]
        must(any(each.kind == "credentials" for each in found), f"the check does not say so: {_kinds(found)}")
        try:
            stage.read(connector=connector)
        except SystemRefused:
            return
    must(False, "a reading with wrong credentials must raise SystemRefused")


def missing_right_is_told(stage: Stage) -> None:
    """Credentials that may only read are told by the check, which writes nothing to find out."""
    record_id = stage.put()
    before = dict(stage.held(record_id))
    with stage.opened(stage.wanted(), stage.workbench.read_only()) as connector:
        found = stage.problems(connector)
        must(any(each.kind == "permission" for each in found), f"the check does not say so: {_kinds(found)}")
        try:
            outcome = stage.write(
                FieldPatch(key=record_id, set={stage.first: stage.value(stage.first)}), connector=connector
            )[0]
            must(isinstance(outcome, Rejected), "a write without the right to it must be rejected")
        except SystemRefused:
            pass
    must(dict(stage.held(record_id)) == before, "something was written without the right to it")


def nowhere_is_unreachable(stage: Stage) -> None:
    """A system that does not answer is a passing trouble, and no refusal."""
    with stage.opened(stage.wanted(), stage.workbench.unreachable()) as connector:
        try:
            stage.read(connector=connector)
        except SystemUnreachable:
            return
        except OnewriterError as error:
            must(False, f"it must raise SystemUnreachable and raised {type(error).__name__}")
    must(False, "a reading of a system that does not answer must raise SystemUnreachable")


def clock_is_told(stage: Stage) -> None:
    """A clock that is off makes the order of changes a guess, so that the check tells of it."""
    with stage.workbench.clock_off(), stage.opened(stage.wanted()) as connector:
        found = stage.problems(connector)
    must(any(each.kind == "clock" for each in found), f"the check does not say so: {_kinds(found)}")


def close_twice(stage: Stage) -> None:
    """Closing what is closed does nothing."""
    connector = stage.kind.open(stage.configuration, Wanted(read=stage.ground.texts))
    stage.read(connector=connector)
    connector.close()
    connector.close()


def _kinds(found: object) -> str:
    """Of what kinds the problems are."""
    kinds = [f"{each.kind} {each.field or ''}".strip() for each in found if isinstance(each, Problem)]  # type: ignore[attr-defined]
    return ", ".join(kinds) or "nothing"


CHECKS = (
    ("spec is a schema", "a secret would be shown, or a setting not be asked for", spec_is_a_schema),
    ("check is quiet when all is well", "people would learn to ignore the check", check_is_quiet),
    ("fields are described", "a value that does not fit would be sent", discovery_is_true),
    ("wanted field that is not there is told", "a mapping would seem to work and never do", unknown_wanted_is_told),
    ("unknown field is refused, never ignored", "a value would be lost and called written", unknown_field_is_refused),
    ("wrong credentials are told", "a wrong password would look like an empty system", wrong_credentials_are_told),
    ("missing right is told without a write", "a mapping would fail at the first customer", missing_right_is_told),
    ("no answer is not a refusal", "a short outage would stop a system until somebody looks", nowhere_is_unreachable),
    ("clock that is off is told", "changes would be taken in the wrong order", clock_is_told),
    ("closing twice is harmless", "a cycle would fail at its end", close_twice),
)
