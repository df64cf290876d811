"""One form, whichever way a value comes: through a cycle of a database, from a file, by hand (requirement M45)."""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from onewriter.customers import systems
from onewriter.records import FIELDS, SHOPIFY, RunState
from onewriter.rules.policy import MANUAL, Direction, FieldMap, FieldRule, Policy
from tests.support.crm import CRM, REMOTE, Crm
from tests.support.owners import held, set_by_hand

FILES = "files"
SHOPIFY_SAYS = {"first_name": "A", "last_name": "B", "email": "a@example.com", "phone": "+447700900000", "note": "C"}
NAMES = tuple(SHOPIFY_SAYS)

SAMPLES: tuple[tuple[Mapping[str, str], Mapping[str, Any]], ...] = (
    (
        {"email": " Ann.LEE@Example.COM ", "phone": "07700 900-222", "first_name": "  Zoe\u0308 ",
         "last_name": "O'Neil", "note": "two  words\n"},
        {"email": "ann.lee@example.com", "phone": "+447700900222", "first_name": "Zo\u00eb", "last_name": "O'Neil",
         "note": "two  words"},
    ),
    (
        {"email": "mailto:Bo@Example.org", "phone": "+44 (0)7700 900 333", "first_name": "BO", "last_name": "von Ek",
         "note": "=1+1"},
        {"email": "bo@example.org", "phone": "+447700900333", "first_name": "BO", "last_name": "von Ek",
         "note": "=1+1"},
    ),
    (
        {"email": "", "phone": "", "first_name": "\u674e", "last_name": "   ", "note": "caf\u00e9, \"quoted\""},
        {"email": None, "phone": None, "first_name": "\u674e", "last_name": None, "note": "caf\u00e9, \"quoted\""},
    ),
)  # fmt: skip
"""What is told, and what every path makes of it."""


def owned_by(owner: str) -> Policy:
    """A policy in which these fields are one system's, which knows the customer by its Shopify id."""
    owners = dict.fromkeys(FIELDS, SHOPIFY) | dict.fromkeys(NAMES, owner)
    maps = {name: FieldMap(remote=REMOTE[name], direction=Direction.IN) for name in NAMES}
    maps["shopify_id"] = FieldMap(remote="shop_no", direction=Direction.NONE)
    fields = {name: FieldRule(owner=each) for name, each in owners.items()}
    return Policy(fields=fields, systems={} if owner == MANUAL else {owner: maps})


def by_database(beside: Crm, tmp_path: Path, told: Mapping[str, str]) -> None:
    beside.put(shop_no="101", **{REMOTE[name]: value for name, value in told.items()})
    beside.connect(owned_by(CRM), creates=False)
    assert beside.agree().state is RunState.DONE


def by_file(beside: Crm, tmp_path: Path, told: Mapping[str, str]) -> None:
    folder = tmp_path / "exported"
    folder.mkdir()
    row = {"no": "7", "shop_no": "101"} | {REMOTE[name]: value for name, value in told.items()}
    with (folder / "people.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, row)
        writer.writeheader()
        writer.writerow(row)
    configuration = {"folder": str(folder), "read": "people.csv", "key": "no", "settle_s": 0}
    with beside.tea.runtime.database.write() as db:
        values: dict[str, Any] = {"kind": "csv", "state": "active", "creates": False, "full_hours": 24, "allowed": {}}
        values |= {"agreed_version": 0, "added_at": beside.moment, "added_by": "user:test"}
        box = systems.seal_configuration(beside.tea.vault, FILES, configuration)
        systems.add(db, beside.tea.shop_id, FILES, values | {"box": box, "changed_at": beside.moment})
    beside.set(owned_by(FILES))
    beside.system = FILES
    first = beside.cycle()
    assert "question" in str(first.reason), first.reason
    beside.answer("go on")
    assert beside.cycle().state is RunState.DONE


def by_hand(beside: Crm, tmp_path: Path, told: Mapping[str, str]) -> None:
    beside.set(owned_by(MANUAL))
    set_by_hand(beside.tea, 101, beside.moment, **told)


@pytest.mark.req("M45")
@pytest.mark.parametrize("way", [by_database, by_file, by_hand])
@pytest.mark.parametrize(("told", "kept"), SAMPLES, ids=["format", "prefixes", "empty"])
def test_the_same_value_is_the_same_whichever_way_it_comes(
    beside: Crm, tmp_path: Path, way: Any, told: Mapping[str, str], kept: Mapping[str, Any]
) -> None:
    beside.customer(101, **SHOPIFY_SAYS)
    way(beside, tmp_path, told)
    own = held(beside.tea, 101).own
    assert {name: own.get(name) for name in NAMES} == kept
