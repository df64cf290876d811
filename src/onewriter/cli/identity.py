"""`onewriter identity`: what the identity rules decide, and why, with neither a shop nor a database."""

from pathlib import Path
from typing import Any

import click

from onewriter.cli.identity_files import People, pairs, record_of
from onewriter.cli.inputs import as_json, region_code
from onewriter.cli.output import answer, details, emit, say, table
from onewriter.errors import NotUnderstood
from onewriter.rules.identity import (
    VALUE_KINDS,
    Decision,
    IdentityRule,
    Matches,
    Refused,
    compare_values,
    decide,
    match_prepared,
    prepare,
    read_email,
    read_id,
    read_phone,
    rule_of,
)
from onewriter.rules.masking import mask
from onewriter.rules.policy import KeyRule

SHOWN_MAX = 20
"""Rows of each table that people see; --json has them all."""

file_type = click.Path(exists=True, dir_okay=False, path_type=Path)


@click.group("identity")
def group() -> None:
    """Explain who is taken for whom, on values and files of yours.

    Neither needs a shop or a database, and nothing is kept. The rules are those by which records of connected systems
    are linked to customers.
    """


@group.command("compare")
@click.argument("values", nargs=-1, metavar="[A B]")
@click.option("--kind", type=click.Choice(VALUE_KINDS), help="What A and B are.")
@click.option("--region-a", metavar="CODE", help="The country of A, such as CH, for a number without its own.")
@click.option("--region-b", metavar="CODE", help="The country of B.")
@click.option("--a", "fields_a", multiple=True, metavar="NAME=VALUE", help="A field of record A; repeatable.")
@click.option("--b", "fields_b", multiple=True, metavar="NAME=VALUE", help="A field of record B; repeatable.")
@click.option("--pairs", "pairs_file", type=file_type, help="Compare every pair of values of this CSV file.")
@as_json
def compare(
    values: tuple[str, ...], kind: str | None, region_a: str | None, region_b: str | None,
    fields_a: tuple[str, ...], fields_b: tuple[str, ...], pairs_file: Path | None, as_json: bool,
) -> None:  # fmt: skip
    """Say whether two values are one key, or two records one person, and why.

    Two values: `onewriter identity compare --kind phone '044 668 18 00' +41446681800 --region-a CH`. A pair of values
    asks whether they are the same key, so whatever needs names to be decided is `review`.

    Two records: name their fields, as in `--a email=ann@example.com --a first_name=Ann --b ...`, or give two JSON files
    as A and B. The fields are the columns that `onewriter identity match` reads.

    Many pairs: --pairs reads the columns kind, raw_a, region_a, raw_b and region_b, and prints one JSON line a pair, in
    order, with or without --json.
    """
    given = (pairs_file is not None, bool(fields_a or fields_b), bool(values))
    if sum(given) != 1:
        raise click.UsageError("Give two values with --kind, or two records with --a and --b, or a file with --pairs")
    if pairs_file is not None:
        for kind_of, raw_a, code_a, raw_b, code_b in pairs(pairs_file):
            emit({"kind": kind_of} | _told(compare_values(kind_of, raw_a, code_a, raw_b, code_b)))
        return
    if kind is None:
        one, other = record_of("A", values[:1], fields_a), record_of("B", values[1:], fields_b)
        _tell_records(one, other, len(values), as_json)
        return
    if len(values) != 2:
        raise click.UsageError("--kind goes with two values, A and B")
    regions = _region("--region-a", region_a), _region("--region-b", region_b)
    _tell_values(kind, values, regions, as_json)


def _region(option: str, given: str | None) -> str | None:
    try:
        return region_code(given)
    except click.UsageError:
        raise click.UsageError(f"{option} must be an ISO country code of two letters, such as CH") from None


def _told(decision: Decision) -> dict[str, Any]:
    return {
        "decision": decision.decision, "key": decision.key, "reason": decision.reason,
        "vetoes": list(decision.vetoes), "repairs": list(decision.repairs),
    }  # fmt: skip


def _tell_values(kind: str, values: tuple[str, ...], regions: tuple[str | None, str | None], as_json: bool) -> None:
    found = next(each for each in VALUE_KINDS if each == kind)
    decision = compare_values(found, values[0], regions[0], values[1], regions[1])
    read = [_read(kind, value, region) for value, region in zip(values, regions, strict=True)]
    document = {"kind": kind} | _told(decision) | {"a": read[0], "b": read[1]}
    answer(as_json, document, lambda: _explain(decision, *read))


def _read(kind: str, value: str, region: str | None) -> dict[str, Any]:
    """The canonical forms of one value, as the decision saw it."""
    if kind == "name":
        return {}
    if kind == "id":
        return {"tight": read_id(value)}
    found = read_email(value) if kind == "email" else read_phone(value, region)
    return {
        "tight": found.tight, "soft": found.soft, "strength": found.strength, "repairs": list(found.repairs),
        "problem": found.problem,
    }  # fmt: skip


def _explain(decision: Decision, one: dict[str, Any], other: dict[str, Any]) -> None:
    say(f"{decision.decision}: {decision.reason}")
    for name, read in (("A", one), ("B", other)):
        if read:
            say()
            say(name)
            details({key: ", ".join(value) if isinstance(value, list) else value for key, value in read.items()})


def _tell_records(one: Any, other: Any, files: int, as_json: bool) -> None:
    if files not in (0, 2):
        raise click.UsageError("Give two values with --kind, or two JSON files of records")
    first, second = prepare(one), prepare(other)
    decision = decide(first, second, IdentityRule())
    document = _told(decision) | {"a": _keys(first), "b": _keys(second)}
    answer(as_json, document, lambda: _explain(decision, _keys(first), _keys(second)))


def _keys(record: Any) -> dict[str, Any]:
    return {
        "ids": list(record.ids), "email": record.email.tight, "phone": record.phone.tight,
        "name": [*record.name.given, *record.name.surname],
    }  # fmt: skip


@group.command("match")
@click.argument("file", type=file_type)
@click.option("--region", metavar="CODE", help="The shop's country, for numbers of records that name no country.")
@click.option("--keys", default="id,email,phone", show_default=True, help="The keys, the strongest first.")
@as_json
def match_file(file: Path, region: str | None, keys: str, as_json: bool) -> None:
    """Say which records of a CSV file are one person, which are to be looked at, and which values link nobody.

    The file's first line names its columns: record_id, system, account, shopify_id, system_id, email, phone,
    first_name, last_name, address1, city, zip, country, dob, created_at. Any may be missing, and others are passed
    over; without record_id the rows are counted from 1. `account` says what kind of record it is: account, guest, crm,
    pos.

    Names are never a key: they only speak for or against what an id, an address or a number says.
    """
    try:
        rule = rule_of(KeyRule(keys=tuple(key.strip() for key in keys.split(","))))
    except NotUnderstood as error:
        raise click.UsageError(str(error)) from None
    country = region_code(region)
    people = People(file)
    found = match_prepared((prepare(person, country) for person in people), rule)
    answer(as_json, _document(found, people.count), lambda: _summary(found, people.count))


def _document(found: Matches, records: int) -> dict[str, Any]:
    return {
        "records": records,
        "clusters": [list(cluster) for cluster in found.clusters],
        "review": [_edge(edge) for edge in found.review],
        "refused": [
            {"key": each.key, "value": _masked(each), "records": list(each.records), "reason": each.reason}
            for each in found.refused
        ],
        "links": [_edge(edge) for edge in found.links],
    }


def _edge(edge: Any) -> dict[str, Any]:
    return {"records": [edge.one, edge.other], "key": edge.key, "reason": edge.reason}


def _masked(refused: Refused) -> Any:
    """Enough of the value to know it again; some systems call a person by the address."""
    if refused.key != "id":
        return mask(refused.key.removeprefix("soft "), refused.value)
    system, _, number = refused.value.partition(":")
    return f"{system}:{mask('email', number)}" if "@" in number else refused.value


def _summary(found: Matches, records: int) -> None:
    members = sum(map(len, found.clusters))
    several = "person has" if len(found.clusters) == 1 else "people have"
    say(f"{records} records: {len(found.clusters)} {several} more than one, {members} in all.")
    say(f"{len(found.review)} pairs are to be looked at, and {len(found.refused)} values link nobody; --json has all.")
    _some("One person", ("RECORDS",), [(", ".join(cluster),) for cluster in found.clusters])
    review = [(edge.one, edge.other, edge.key, edge.reason) for edge in found.review]
    _some("To be looked at", ("A", "B", "KEY", "REASON"), review)
    refused = [(each.key, _masked(each), len(each.records), each.reason) for each in found.refused]
    _some("Values that link nobody", ("KEY", "VALUE", "RECORDS", "REASON"), refused)


def _some(title: str, columns: tuple[str, ...], rows: list[Any]) -> None:
    if rows:
        say()
        say(f"{title}:" if len(rows) <= SHOWN_MAX else f"{title}, the first {SHOWN_MAX} of {len(rows)}:")
        table(columns, rows[:SHOWN_MAX])
