"""Cells of a customers' file: what its columns mean, what a spreadsheet has done to them, and how they are written.

Shopify's own customer export, and the file that it imports, are known by their headings. A cell is never guessed at: a
number that a spreadsheet has shortened is not told at all, since nobody can say what it was (requirement M80).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from onewriter.records import FIELDS, SHOPIFY, Value
from onewriter.rules import mapping
from onewriter.rules.comparing import tidy
from onewriter.rules.dates import sure_date
from onewriter.rules.policy import (
    ADDRESS_PART,
    ADDRESS_PARTS,
    CONSENTS,
    CUSTOM,
    POINTS,
    SHOPIFY_ID,
    Direction,
    FieldMap,
    Policy,
)
from onewriter.rules.tags import is_tags

SHOPIFY_COLUMNS: Mapping[str, str] = {
    "Customer ID": SHOPIFY_ID,
    "First Name": "first_name",
    "Last Name": "last_name",
    "Email": "email",
    "Accepts Email Marketing": "email_consent",
    "Default Address Company": "address.company",
    "Default Address Address1": "address.address1",
    "Default Address Address2": "address.address2",
    "Default Address City": "address.city",
    "Default Address Province Code": "address.province_code",
    "Default Address Country Code": "address.country_code",
    "Default Address Zip": "address.zip",
    "Default Address Phone": "address.phone",
    "Phone": "phone",
    "Accepts SMS Marketing": "sms_consent",
    "Note": "note",
    "Tags": "tags",
}
"""Shopify's customer export as it is now, in its order; its import has the same headings."""
OLDER_COLUMNS: Mapping[str, str] = {
    "Accepts Marketing": "email_consent",
    "Company": "address.company",
    "Address1": "address.address1",
    "Address2": "address.address2",
    "City": "address.city",
    "Province Code": "address.province_code",
    "Country Code": "address.country_code",
    "Zip": "address.zip",
}
"""What Shopify called some of them before."""
MADE_BY_SHOPIFY = ("Total Spent", "Total Orders", "Tax Exempt")
"""Columns of Shopify's that are no customer's field here."""
IDENTITY = (SHOPIFY_ID, "email", "phone")
"""By what a row is told from others where no column is named for it, the surest first."""

APOSTROPHE, WRAPPED, SPOILT = "an apostrophe before it", "wrapped as a formula", "shortened or broken by a spreadsheet"
ZEROS, DAY_TURNED = "zeros lost at its beginning", "day and month turned"
_BROKEN = re.compile(r"[-+]?\d(?:[.,]\d+)?E[+-]?\d{1,3}|#(?:NAME\?|REF!|N/A|VALUE!|DIV/0!|NUM!|NULL!)|#{4,}", re.I)
_FORMULA_TEXT = re.compile(r'="([^"]*)"')
_RISKY = tuple("=+-@\t\r\n'＝＋－＠")
"""What a spreadsheet takes for the beginning of a formula, and the apostrophe itself, so that it leads back."""
_YES, _NO = frozenset({"yes", "true", "1", "y"}), frozenset({"no", "false", "0", "n"})


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a file that means a field."""

    at: int
    heading: str
    field: str
    map: FieldMap


class Unclear(ValueError):
    """What the columns mean cannot be told; the text says why and what to do."""


# ---- Columns --------------------------------------------------------------------------------------------------------


def columns_of(header: Sequence[str], policy: Policy, system: str, named: Mapping[str, str]) -> list[Column]:
    """The columns that mean a field, in their order; `named` says so by hand (heading: field) and comes first.

    Then come the names in the mapping of the file's system, then Shopify's headings, then our own names of the fields.
    Raises Unclear where a named column is not there, and where two mean one field.
    """
    missing = [name for name in named if name not in header]
    if missing:
        raise Unclear(f"The file has no column {missing[0]}; look at its first line.")
    found: dict[str, Column] = {}
    maps = policy.systems.get(system, {})
    remotes = {each.remote.casefold(): name for name, each in maps.items()}
    for at, heading in enumerate(header):
        name = named.get(heading) or remotes.get(heading.casefold()) or _known(heading, policy)
        if not heading or name is None or name == POINTS:
            continue
        if name in found:
            other = found[name].heading
            raise Unclear(f"The columns {other} and {heading} both mean {name}; rename the one that is not meant.")
        found[name] = Column(at, heading, name, _map_of(heading, name, policy, system, maps.get(name)))
    return list(found.values())


def _known(heading: str, policy: Policy) -> str | None:
    folded = heading.casefold()
    for names in (SHOPIFY_COLUMNS, OLDER_COLUMNS):
        for each, name in names.items():
            if each.casefold() == folded:
                return name
    ours = {*FIELDS, SHOPIFY_ID, *(ADDRESS_PART + part for part in ADDRESS_PARTS), *policy.fields} - {"addresses"}
    return folded if folded in ours else next((name for name in ours if name.casefold() == folded), None)


def _map_of(heading: str, name: str, policy: Policy, system: str, given: FieldMap | None) -> FieldMap:
    """How the file holds the field: as it is mapped, and else as follows from who owns it."""
    each = given or FieldMap(remote=name, direction=_direction(name, policy, system), empty="keep")
    if each.transform != "same":
        return each
    if is_tags(name):
        return replace(each, transform="joined")
    if name in CONSENTS:
        return replace(each, transform="consent_flag" if heading.casefold().startswith("accepts") else "consent_state")
    return each


def _direction(name: str, policy: Policy, system: str) -> Direction:
    owner = policy.owner_of(name)
    if owner is None or name == SHOPIFY_ID:
        return Direction.NONE
    if owner == system:
        # A part of an address is compared, and never written alone.
        return Direction.NONE if name.startswith(ADDRESS_PART) else Direction.IN
    return Direction.OUT


def policy_with(policy: Policy, system: str, columns: Sequence[Column]) -> Policy:
    """The policy with just these columns as the mapping of the file's system; its version stays."""
    maps = {each.field: each.map for each in columns}
    return replace(policy, systems={**policy.systems, system: maps})


# ---- One cell -------------------------------------------------------------------------------------------------------


def repaired(cell: str) -> tuple[str | None, str | None]:
    """What a cell meant before a spreadsheet wrote it, and what was done to it; no text where that is lost."""
    text = cell.strip()
    if _BROKEN.fullmatch(text):
        return None, SPOILT
    wrapped = _FORMULA_TEXT.fullmatch(text)
    if wrapped is not None:
        return wrapped[1], WRAPPED
    if cell[:1] == "'" and (cell[1:2] in _RISKY or _BROKEN.fullmatch(cell[1:].strip())) and cell[1:]:
        return cell[1:], APOSTROPHE
    return cell, None


def told(column: Column, text: str) -> Any:
    """What a repaired cell tells of its field, in the form that the mapping of the column reads."""
    if not text.strip():
        return None
    if column.field == SHOPIFY_ID:
        return text.strip().rpartition("/")[2]
    if column.map.transform == "consent_flag":
        word = text.strip().casefold()
        return True if word in _YES else False if word in _NO else text
    return text


def changed_here(own: Value, value: Any) -> str | None:
    """What a spreadsheet must have done to a value that is not the customer's own any more; None for any other."""
    if not isinstance(own, str) or not isinstance(value, str):
        return None
    if own != value and own.startswith("0") and own.isdigit() and own.lstrip("0") == value:
        return ZEROS
    mine, theirs = sure_date(own), sure_date(value)
    if mine is not None and theirs is not None and mine != theirs and mine.year == theirs.year:
        return DAY_TURNED if (mine.month, mine.day) == (theirs.day, theirs.month) else None
    return None


def form_of(name: str, own: Value, value: Any) -> str | None:
    """How two texts that say the same differ in form; None where they do not (requirement M80: phantoms)."""
    if not isinstance(own, str) or not isinstance(value, str) or own == value:
        return None
    if name in ("phone", ADDRESS_PART + "phone") and tidy(value) != own:
        return "phone form"
    if own.casefold() == value.casefold():
        return "case"
    if tidy(own) == tidy(value):
        return "blanks"
    return "case and blanks" if tidy(own).casefold() == tidy(value).casefold() else "form"


# ---- Writing --------------------------------------------------------------------------------------------------------


def guarded(text: str) -> str:
    """The text as a spreadsheet does not run it: with an apostrophe, which `repaired` takes away again."""
    return f"'{text}" if text.startswith(_RISKY) or _BROKEN.fullmatch(text.strip()) else text


def cell_of(column: Column, own: Mapping[str, Value]) -> str | None:
    """A customer's value as a cell of that column; None where it cannot be written so that it leads back."""
    value = mapping.own_value(column.field, own)
    held = mapping.outward(column.field, column.map, value)
    if isinstance(held, mapping.Unfit):
        return None
    if held is None:
        return ""
    if isinstance(held, bool):
        return "yes" if held else "no"
    return guarded(held) if isinstance(held, str) else guarded(str(held)) if isinstance(held, int) else None


def export_headings(style: str, policy: Policy, fields: Sequence[str]) -> list[str]:
    """The headings of an export: Shopify's own, or our names; `fields` are those that were asked for, or all."""
    own = [name for name in FIELDS if name != "addresses"]
    parts = [ADDRESS_PART + part for part in ADDRESS_PARTS]
    custom = sorted(name for name in policy.fields if name.startswith(CUSTOM))
    every = [SHOPIFY_ID, *own, *parts, *custom]
    if style == SHOPIFY:
        headings = {name: heading for heading, name in SHOPIFY_COLUMNS.items()}
        wanted = list(fields) or list(SHOPIFY_COLUMNS.values())
    else:
        headings, wanted = {}, list(fields) or every
    wanted = [SHOPIFY_ID, *(name for name in wanted if name != SHOPIFY_ID)]
    return [headings.get(name, name) for name in wanted]
