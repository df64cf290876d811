"""Stores are made as they say, and scored by what was said of them."""

from dataclasses import replace

import pytest

from onewriter.bench.diagnosing import FAMILIES, LEVELS, Judged, at_level, score
from onewriter.bench.stores.making import FAULTS, made, store
from onewriter.rules.diagnosis.evidence import Hand, Side


def test_every_cause_has_stores_and_a_family() -> None:
    assert set(FAULTS) == set(FAMILIES)
    assert len(FAULTS) == 26


@pytest.mark.parametrize("cause", FAULTS)
def test_the_same_seed_is_the_same_store(cause: str) -> None:
    assert store(4, cause) == store(4, cause) != store(5, cause)


def test_a_level_has_no_more_than_it_says() -> None:
    whole = store(1, "two_writers").evidence
    values, snapshots, configuration, log = (at_level(whole, level) for level in LEVELS)
    assert values.history is None
    assert snapshots.history is not None
    assert all(rules.owner is None for rules in (snapshots.fields or {}).values())
    assert configuration.fields == whole.fields
    assert configuration.writes is None
    assert configuration.runs is None
    assert log == whole


def test_what_is_cut_is_a_part_of_what_was_said() -> None:
    cut = store(2, "truncation")
    rules = (cut.evidence.fields or {})[cut.field]
    sides = cut.evidence.records
    pairs = [
        (
            sides[Side.SOURCE][link.source].fields[rules.source_field],
            sides[Side.TARGET][link.target].fields[rules.target_field],
        )
        for link in cut.evidence.links or ()
    ]
    differing = [(one, other) for one, other in pairs if one and other and one != other]
    assert differing
    assert sum(one.startswith(other) or other.startswith(one) for one, other in differing) >= 0.9 * len(differing)


def test_what_was_redacted_is_empty_at_the_source_alone() -> None:
    erased = store(3, "deleted_redacted")
    source = erased.evidence.records[Side.SOURCE]
    assert erased.records
    assert all(source[number].redacted for number in erased.records)
    assert not any(value for number in erased.records for value in source[number].fields.values())
    assert any(line.hand is Hand.REDACTION for line in erased.evidence.writes or ())


def test_who_says_nothing_scores_nothing_and_format_is_counted() -> None:
    each = store(1, "manual_edit_T")
    silent = score([each], lambda _evidence: Judged([], each.forms))
    assert silent.levels["log"].share("top1") == 0
    assert not silent.holds
    assert silent.levels["log"].confusion == {("manual_edit_T", "(no case)"): 1}
    assert (silent.form_precision, silent.form_recall) == (1.0, 1.0)
    told = score([replace(each, cause="format_only")], lambda _evidence: Judged([], frozenset({("1", each.field)})))
    assert told.levels["log"].share("top1") == 1


def test_causes_come_in_turn() -> None:
    assert [each.cause for each in made(1, 27)] == [*FAULTS, "manual_edit_T"]
