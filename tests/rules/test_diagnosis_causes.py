"""The causes: each is told from its neighbours in shops of which the truth is known; and the page has them all."""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pytest

from onewriter.bench.diagnosing import FLOORS, Judged, Made, Tally, at_level, said_of
from onewriter.bench.stores.making import made
from onewriter.rules.diagnosis.causes.catalogue import CATALOGUE
from onewriter.rules.diagnosis.comparison import compare
from onewriter.rules.diagnosis.diagnosing import diagnose
from onewriter.rules.diagnosis.evidence import Evidence, Report
from onewriter.rules.diagnosis.moves import OF_CAUSE
from onewriter.rules.diagnosis.ranking import TOLD_BY_A_LOG, explain
from tests.support.tree import ROOT
from tests.support.two_systems import evidence, ruled

NAMES = [cause.name for cause in CATALOGUE]
SEED = 31


def said(shop: Made, level: str = "log") -> tuple[list[str], bool]:
    known = at_level(shop.evidence, level)
    phantoms = frozenset((row.pair.link.source, row.rules.name) for row in compare(known).phantoms)
    causes, is_asserted, _ = said_of(shop, Judged(diagnose(known).cases, phantoms))
    return causes, is_asserted


def test_the_page_has_each_cause_with_its_number_and_so_has_the_advice() -> None:
    page = (ROOT / "docs" / "causes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| (\d+) \| `(\w+)`", page, re.MULTILINE) == [
        (str(each.number), each.name) for each in CATALOGUE
    ]
    assert set(NAMES) == {*OF_CAUSE}
    assert [each.number for each in CATALOGUE] == list(range(1, 27))


@pytest.mark.parametrize("cause", NAMES)
def test_a_cause_is_named_where_it_was_planted(cause: str) -> None:
    shops = list(made(SEED, 3, cause))
    right = sum(said(shop)[0][:1] == [cause] for shop in shops)
    assert right >= 2, [said(shop)[0] for shop in shops]


@pytest.mark.req("M70")
def test_the_floors_hold_with_a_log() -> None:
    tally = Tally()
    for shop in made(SEED + 1, 104):
        causes, is_asserted = said(shop)
        is_right = causes[:1] == [shop.cause]
        tally.stores += 1
        tally.top1 += is_right
        tally.top2 += shop.cause in causes[:2]
        tally.asserted += is_asserted
        tally.asserted_right += is_asserted and is_right
    assert {name: tally.share(name) for name, floor in FLOORS.items() if tally.share(name) < floor} == {}


@pytest.mark.req("M47")
def test_without_a_log_what_only_a_log_tells_is_never_asserted() -> None:
    asserted: Counter[str] = Counter()
    for shop in made(SEED, 52):
        for case in diagnose(at_level(shop.evidence, "configuration")).cases:
            asserted[case.group.causes[0].cause if case.group.asserted else ""] += 1
    assert not {*asserted} & TOLD_BY_A_LOG
    assert len(asserted) > 5


# ---- The kind of a field (M16 to M18) -------------------------------------------------------------------------------


def weights(known: Evidence) -> Mapping[str, float]:
    [group] = explain(known, compare(known))
    return {each.cause: each.weight for each in group.causes}


def worded(kind: str | None, name: str = "note", **more: Any) -> Evidence:
    pairs = [({name: word}, {name: "other"}) for word in ("red", "blue") * 4]
    return evidence(*pairs, fields=[ruled(name, kind=kind, **more)])


@pytest.mark.req("M16")
def test_tags_and_other_fields_of_work_point_to_the_mapping() -> None:
    plain, workflow = weights(worded("profile")), weights(worded("workflow"))
    assert workflow["type_enum_coercion"] > plain["type_enum_coercion"]


@pytest.mark.req("M17")
def test_addresses_and_numbers_point_to_identity_and_who_overwrites_them() -> None:
    def fought(kind: str) -> Evidence:
        known = evidence(*[({"note": "old"}, {"note": "old"})] * 3, fields=[ruled("note", kind=kind)])
        return _reported(known)

    assert weights(fought("identity"))["wrong_direction"] > weights(fought("profile"))["wrong_direction"]


@pytest.mark.req("M18")
def test_a_consent_points_to_its_states() -> None:
    told = weights(worded("consent", "email_consent"))
    assert next(iter(told)) == "consent_state_machine"
    assert "consent_state_machine" not in weights(worded("profile"))


def _reported(known: Evidence) -> Evidence:
    known.reports = [Report(str(place), "note", "new") for place in (1, 2, 3)]
    return known
