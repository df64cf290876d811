"""Advice: the first move and what not to do, and what no cause may have done."""

from itertools import product
from typing import Any

import pytest

from onewriter.rules.diagnosis import moves
from onewriter.rules.diagnosis.advice import EDIT, MERGE, WRITING, is_broad, is_consent, limits_of, refusal, warning
from onewriter.rules.diagnosis.evidence import Hand, Side
from onewriter.rules.diagnosis.facts import Relation
from onewriter.rules.diagnosis.judgement import CaseOf, FixTarget, ScopeRow
from onewriter.rules.diagnosis.moves import OF_CAUSE, OF_ROW
from onewriter.rules.diagnosis.returning import returns_because, setting_at_fault
from tests.support.judging import case, evidence, pair, row, rows, rules, track, wrote

MINE = wrote("connector", Hand.CONNECTOR, run="c1", seq=1)


def refused(found: CaseOf, action: str, **more: Any) -> str | None:
    """Why an action on a case is refused."""
    return refusal(limits_of(found), action, **more)


def warned(found: CaseOf, action: str, **more: Any) -> str | None:
    """What somebody is told before an action on a case."""
    return warning(limits_of(found), action, **more)


@pytest.mark.req("M30")
def test_each_of_the_26_causes_has_a_move_and_says_what_to_mend() -> None:
    assert len(OF_CAUSE) == 26
    assert {*OF_ROW} == {*ScopeRow}
    for name in OF_CAUSE:
        advice = case(rows(6), name).advice
        assert advice.fix_target in FixTarget
        assert advice.first_move.endswith(".")
        assert advice.not_to_do.endswith(".")
        assert not {"{", "}"} & {*advice.first_move, *advice.not_to_do}
    assert {move.fix_target for move in OF_CAUSE.values()} == {*FixTarget}


@pytest.mark.req("M30")
@pytest.mark.parametrize(
    ("cause", "target", "action"),
    [
        ("manual_edit_T", FixTarget.RECORD, "resync"), ("import_collision", FixTarget.PROCESS, "pause"),
        ("transform_lossy", FixTarget.RULE, "map"), ("two_writers", FixTarget.RULE, "own"),
        ("permission_missing", FixTarget.RULE, "allow"), ("identity_split", FixTarget.RULE, "key"),
        ("identity_over_merge", FixTarget.RULE, "unlink"), ("in_flight", FixTarget.NOTHING, None),
        ("format_only", FixTarget.NOTHING, None),
    ],
)  # fmt: skip
def test_what_is_to_be_mended(cause: str, target: FixTarget, action: str | None) -> None:
    advice = case(rows(6), cause).advice
    assert (advice.fix_target, advice.action, advice.may_write) == (target, action, True)


# ---- By the row while no cause is sure ------------------------------------------------------------------------------


@pytest.mark.req("M3", "M25")
def test_one_record_is_corrected_and_carried_over_and_no_rule_is_rewritten() -> None:
    advice = case(rows(1), "transform_lossy", "truncation", asserted=False).advice
    assert advice.first_move == "Correct phone of this one customer, then carry the customer over once and look."
    assert advice.not_to_do == "Do not rewrite every mapping rule first."
    assert (advice.fix_target, advice.action, advice.broad) == (FixTarget.RECORD, "resync", False)


@pytest.mark.req("M4")
def test_a_few_records_send_one_to_the_mapping() -> None:
    advice = case(rows(3)).advice
    assert advice.first_move.startswith("Review the mapping and the transform of phone")
    assert advice.not_to_do == "Do not edit records in bulk before the mapping is corrected."
    assert (advice.fix_target, advice.action) == (FixTarget.RULE, "map")


@pytest.mark.req("M5")
def test_many_records_send_one_to_the_owner_unless_a_rule_made_the_values() -> None:
    many = case(rows(5), "two_writers", "transform_lossy", asserted=False)
    assert many.advice.first_move.startswith("Find out which system owns phone")
    assert many.advice.action == "own"
    cut = case(rows(5, relations={Relation.PREFIX: "20"}))
    assert (cut.scope_row, cut.advice.action) == (ScopeRow.OWNERSHIP, "map")
    agreed = case(rows(5), "default_value", "type_enum_coercion", asserted=False)
    assert (agreed.scope_row, agreed.advice.action) == (ScopeRow.OWNERSHIP, "map")


@pytest.mark.req("M6")
def test_what_comes_back_gets_one_owner_and_is_not_corrected_again() -> None:
    advice = case(rows(1, flips=1)).advice
    assert advice.first_move.startswith("Give phone one owner: change its source of truth.")
    assert advice.not_to_do == "Do not keep correcting the same record by hand."


def test_a_tighter_key_says_which_of_two_opposites_is_meant() -> None:
    split = case([row(with_pair=pair(twins=("t9",)))])
    merged = case([row(with_pair=pair(other_sources=("s9",)))])
    either = case([row(with_pair=pair(twins=("t9",), other_sources=("s9",)))])
    assert "canonicalising" in split.advice.first_move
    assert "veto" not in split.advice.first_move
    assert "veto" in merged.advice.first_move
    assert "canonicalising" not in merged.advice.first_move
    assert {"canonicalising", "veto"} <= {*either.advice.first_move.replace(":", " ").split()}
    assert split.advice.not_to_do.startswith("Do not merge first")
    assert "canonicalising" in OF_CAUSE["identity_split"].first_move
    assert "veto" in OF_CAUSE["identity_over_merge"].first_move


@pytest.mark.req("M29")
def test_an_import_is_brought_into_order_and_old_records_are_left() -> None:
    advice = case(rows(6, copy_write=wrote("import", Hand.IMPORT, run="file"))).advice
    assert advice.first_move.startswith("Bring the import into order")
    assert advice.not_to_do == "Do not chase old records."
    assert advice.fix_target is FixTarget.PROCESS


def test_a_brace_in_somebodys_setting_breaks_nothing() -> None:
    advice = case(rows(3, of=rules("custom.{x}"))).advice
    assert "custom.{x}" in advice.first_move


# ---- What no cause overrules ----------------------------------------------------------------------------------------


def writes(found: CaseOf) -> bool:
    """Whether anything would be written about this case, by its advice or with a reason."""
    allowed = [action for action in WRITING if refused(found, action, override="I say so.", is_mended=True) is None]
    return found.advice.may_write or bool(allowed) or found.advice.action in WRITING


@pytest.mark.parametrize(("cause", "asserted"), [*product(OF_CAUSE, (True, False)), ("", False)])
def test_nothing_is_ever_written_to_the_redacted_or_deleted(cause: str, asserted: bool) -> None:
    gone = [
        pair(is_redacted=True),
        pair(deleted=5),
        pair(is_redacted=True, merged_into="s2"),
        pair(twins=("t9",), deleted=5),
    ]
    for one, many, kind in product(gone, (False, True), ("identity", "consent", None)):
        of = [row(1, with_pair=one, of=rules(kind=kind)), *(rows(8)[2:] if many else [])]
        found = case(of, *([cause] if cause else []), asserted=asserted)
        assert not writes(found)
        assert found.survivor.side is None
        assert "arry nothing over" in found.advice.first_move or "carry nothing over" in found.advice.first_move


@pytest.mark.parametrize(("cause", "asserted"), [*product(OF_CAUSE, (True, False)), ("", False)])
def test_nothing_is_ever_written_to_a_consent_without_an_owner(cause: str, asserted: bool) -> None:
    named = [rules("email_consent", kind="consent", owner=None), rules("accepts_marketing", owner=None)]
    for of, count in product(named, (1, 3, 6)):
        found = case(rows(count, of=of), *([cause] if cause else []), asserted=asserted)
        assert not writes(found)
        assert found.advice.action == "own"
        assert found.advice.first_move.startswith("Stop: write down who owns")


def test_a_consent_is_known_by_its_kind_and_else_by_its_name() -> None:
    assert is_consent(rules("x", kind="consent"))
    assert is_consent(rules("sms_opt_in"))
    assert is_consent(rules("a", target_field="Newsletter"))
    assert not is_consent(rules("newsletter", kind="workflow"))
    assert not is_consent(rules("phone"))
    assert case(rows(3, of=rules("email_consent", kind="consent"))).advice.may_write


def test_who_was_merged_is_not_taken_for_erased_and_who_is_only_gone_is_looked_at_first() -> None:
    merged = case([row(with_pair=pair(deleted=5, merged_into="s2"))], "merge_not_propagated")
    assert merged.advice.first_move.startswith("Tell crm of the merge")
    gone = [row(with_pair=pair(deleted=5))]
    assert "1 of 1 customer. See first why they are gone" in case(gone).advice.first_move
    assert "1 of 1 customer. Erase what is left" in case(gone, "deleted_redacted").advice.first_move
    some = case([row(1, with_pair=pair(1, is_redacted=True)), *rows(8)[1:]])
    assert some.advice.first_move.startswith("Redacted or deleted: 1 of 8 customers. Erase what is left of them")
    assert some.advice.first_move.endswith("Look at the others by themselves.")


def test_nothing_is_done_before_the_scope_is_known() -> None:
    found = case(rows(3), "transform_lossy")
    assert refused(found, "map") is None
    found.scope = ""
    assert "How far it reaches is not known" in str(refused(found, "map", override="I say so."))


def test_nothing_broad_is_done_about_one_record_without_a_reason() -> None:
    found = case(rows(1), "transform_lossy")
    assert found.advice.broad
    for action in ("map", "own", "pause", "key", "allow"):
        assert is_broad(action)
        assert "One customer is concerned" in str(refused(found, action))
        assert "One customer is concerned" in str(refused(found, action, override=" "))
        assert refused(found, action, override="It will be the same for all.") is None
    assert refused(found, "resync") is None
    assert refused(case(rows(2), "transform_lossy"), "map") is None


def test_records_are_not_edited_in_bulk_before_the_mapping_is_right() -> None:
    found = case(rows(2), "transform_lossy")
    assert str(refused(found, EDIT)).startswith("Mend the mapping first: Do not edit records in bulk")
    assert refused(found, "resync") is not None
    assert refused(found, EDIT, is_mended=True) is None
    assert refused(found, EDIT, override="Only until Monday.") is None
    assert refused(case(rows(1), "transform_lossy"), EDIT) is None
    assert refused(case(rows(6), "missed_webhook"), EDIT) is None
    assert refused(case(rows(3)), EDIT) is not None
    assert refused(case(rows(6)), EDIT) is None
    assert refused(case(rows(6), "truncation", "default_value", asserted=False), EDIT) is not None
    assert refused(case(rows(6, relations={Relation.LOSSY: "ascii"})), EDIT) is not None


def test_an_edit_before_the_mapping_is_warned_of() -> None:
    found = case(rows(1), "truncation")
    assert str(warned(found, EDIT)).startswith("The mapping is still wrong, so that the next cycle undoes")
    assert warned(found, EDIT, is_mended=True) is None
    assert warned(found, "map") is None
    assert warned(case(rows(1), "manual_edit_T"), EDIT) is None


def test_a_second_edit_by_hand_is_warned_of() -> None:
    found = case(rows(1), "manual_edit_T")
    assert str(warned(found, EDIT, hand_edits=1)).startswith("It was corrected by hand 1 times already, and came back.")


def test_nothing_is_merged_before_the_key_was_reviewed() -> None:
    doubled = case([row(with_pair=pair(twins=("t9",)))])
    assert str(refused(doubled, MERGE)).startswith("Review the match key first")
    assert refused(doubled, MERGE, is_mended=True) is None
    assert refused(case(rows(6), "identity_split"), MERGE) is not None
    assert refused(case(rows(6), "missed_webhook"), MERGE) is None


# ---- Who writes it back ---------------------------------------------------------------------------------------------


@pytest.mark.req("M15")
@pytest.mark.parametrize(
    ("direction", "undone", "told"),
    [
        ("target_to_source", None, "The direction of phone is from crm to shopify: it favours crm, and shopify should"),
        ("source_to_target", True, "said to be from shopify to crm, and the connector writes it the other way"),
        (None, True, "not at hand; the connector takes it from crm, so its source of truth favours crm"),
        ("both", None, "both ways: it favours whoever wrote last, and shopify should win"),
        ("source_to_target", None, None),
    ],
)
def test_the_setting_that_favours_the_wrong_one_is_named(
    direction: str | None, undone: bool | None, told: str | None
) -> None:
    found = setting_at_fault(rows(3, of=rules(direction=direction), edit_undone=undone), evidence())
    assert found is None if told is None else told in str(found)
    if told is not None:
        assert told in case(rows(3, of=rules(direction=direction), edit_undone=undone, flips=1)).advice.first_move


@pytest.mark.req("M15")
def test_an_empty_value_that_clears_is_a_setting_at_fault() -> None:
    emptied = rows(3, of=rules(empty="clear"), relations={Relation.EMPTY_COPY: None})
    assert "An empty value clears phone" in str(setting_at_fault(emptied, evidence()))
    assert "An empty value" in str(setting_at_fault([*emptied, *rows(3, of=rules(empty="clear"))], evidence()))
    assert setting_at_fault(rows(3, of=rules(empty="clear")), evidence()) is None
    assert setting_at_fault(rows(3, of=rules(direction=None)), evidence()) is None
    some_undone = [*rows(2, edit_undone=True), *rows(3)[:2]]
    assert "writes it the other way" in str(setting_at_fault(some_undone, evidence()))


@pytest.mark.req("M79")
def test_the_other_writer_is_named_or_the_connector_is() -> None:
    app, nameless = wrote("app:sales", Hand.APP), wrote("api", Hand.UNKNOWN)
    by_app = rows(1, copy_track=track(MINE, nameless, nameless, nameless, app, app))
    assert returns_because(by_app, evidence(writes=[MINE])) == (
        "Besides the connector, app:sales writes phone in crm: 2 times in the log."
    )
    by_nobody = returns_because(rows(1, copy_track=track(MINE, nameless)), evidence(writes=[MINE]))
    assert by_nobody.startswith("A machine without a name writes phone in crm (once in the log)")
    undone = rows(1, edit_undone=True, copy_track=track(MINE, nameless))
    assert "the connector writes it the other way" in returns_because(undone, evidence(writes=[MINE]))
    person = rows(1, copy_track=track(MINE, wrote("user:ann", Hand.PERSON)))
    assert "ann" not in returns_because(person, evidence(writes=[MINE]))
    assert "Besides" not in case(by_app, "transform_lossy", writes=[app]).advice.first_move
    alone = rows(1, copy_track=track(MINE))
    assert returns_because(alone, evidence(writes=[MINE])).endswith("so the connector points at the wrong source.")
    assert returns_because(alone, evidence()).startswith("No log tells who writes it back")
    theirs = [row(1, origin=Side.TARGET, copy_track=track(app))]
    assert "app:sales writes phone in shopify" in returns_because(theirs, evidence(writes=[app]))
    assert "app:sales writes phone in crm" in case(by_app, "two_writers", writes=[app]).advice.first_move


def test_what_is_told_has_no_jargon() -> None:
    told = " ".join(f"{each.first_move} {each.not_to_do}" for each in (*OF_CAUSE.values(), *OF_ROW.values())).lower()
    assert not {word for word in ("digest", "webhook", "idempot", "canonicaliser", "upsert", "orphan") if word in told}
    assert moves.VETO in OF_CAUSE["recycled_key"].first_move
