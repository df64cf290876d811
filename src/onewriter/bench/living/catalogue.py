"""The 26 faults, each as a shop would come by it."""

from collections.abc import Mapping
from random import Random
from typing import Any

from onewriter.bench.living.faults import (
    Fault,
    Planted,
    imported,
    job,
    numbers,
    out,
    spoil,
    watched,
    write,
)  # fmt: skip
from onewriter.bench.living.shop import CRM, LivingShop
from onewriter.bench.living.values import account, date, fresh
from onewriter.records import DAY, SHOPIFY
from onewriter.rules.diagnosis.evidence import LinkOf, Report
from onewriter.rules.policy import Direction, FieldMap, FieldRule, Shared

MOJIBAKE = ("é", "ë", "ï", "ü", "ø", "ñ", "ç", "í", "ó", "ö", "Ó", "É", "á", "ř", "ž")
AS_NUMBER = "CAST(CAST({0} AS INTEGER) AS TEXT)"
OPTED_IN = "replace({0}, 'pending', 'subscribed')"
ANYWHERE = ("first_name", "last_name", "note", "phone", "locale")


def _by_hand(shop: LivingShop, it: Planted) -> None:
    it.hit = it.rng.sample(list(it.people), it.rng.randint(1, 3))
    write(shop, it, "user:bo", {each: fresh(it.rng, it.field, each) for each in it.hit})


def _by_file(shop: LivingShop, it: Planted) -> None:
    it.hit = it.some(0.15, 0.7)
    imported(shop, it, {each: fresh(it.rng, it.field, each) for each in it.hit})


def _cut(shop: LivingShop, it: Planted) -> None:
    spoil(f"substr({{0}}, 1, {it.rng.choice((3, 4, 5) if it.field != 'note' else (10, 12, 20))})")(shop, it)


def _bucket(shop: LivingShop, it: Planted) -> None:
    kept = it.rng.choice(("en", "de", "fr"))
    spoil(f"CASE {{0}} WHEN '{kept}' THEN '{kept}' WHEN 'es' THEN 'es' ELSE 'other' END")(shop, it)


def _garbled(shop: LivingShop, it: Planted) -> None:
    made = "{0}"
    for letter in MOJIBAKE:
        made = f"replace({made}, '{letter}', '{letter.encode().decode('cp1252', 'replace')}')"
    spoil(made)(shop, it)


def _denied(shop: LivingShop, it: Planted) -> None:
    shop.crm.script(
        f"CREATE TRIGGER denied BEFORE UPDATE OF {it.column} ON people WHEN (SELECT who FROM session) IS NULL "
        f"BEGIN SELECT RAISE(ABORT, 'permission denied for column {it.column}'); END;"
    )
    it.hit = it.some(0.3, 0.9)
    for each in it.hit:
        shop.edit("customer", each, **{it.field: fresh(it.rng, it.field, each)})


def _again_old(shop: LivingShop, it: Planted) -> None:
    """Two edits in the shop; a queue delivers the first one after the second has been carried."""
    it.hit = it.some(0.1, 0.4)
    for each in it.hit:
        first = fresh(it.rng, it.field, each)
        it.memory[each] = first
        shop.edit("customer", each, **{it.field: first})
    shop.cycle()
    for each in it.hit:
        shop.edit("customer", each, **{it.field: fresh(it.rng, it.field, each) + "!"})


def _late(shop: LivingShop, it: Planted) -> None:
    write(shop, it, "connector", it.memory)


def _unheard(shop: LivingShop, it: Planted) -> None:
    it.hit = it.rng.sample(list(it.people), it.rng.randint(1, 5))
    for each in it.hit:
        shop.edit("customer", each, heard=False, **{it.field: fresh(it.rng, it.field, each)})


def _broken_off(shop: LivingShop, it: Planted) -> None:
    """Everybody's value changes in the shop, and the import that should bring it stops in the middle."""
    for each in it.people:
        shop.edit("import", each, run="shop1", **{it.field: fresh(it.rng, it.field, each)})
    cut = int(len(it.people) * it.rng.uniform(0.3, 0.7))
    it.hit = list(it.people)[cut:]
    done = {each: shop.held[each][it.field] for each in list(it.people)[:cut]}
    imported(shop, it, done, state="partial")


def _reverted(shop: LivingShop, it: Planted) -> None:
    """People correct it in the shop, and the connector takes each correction back."""
    if not it.hit:
        it.hit = it.some(0.1, 0.4)
        it.memory = {each: fresh(it.rng, it.field, each) for each in it.hit}
        it.reports = [Report(str(each), it.field, it.memory[each]) for each in it.hit[:2]]
    for each in it.hit:
        shop.edit("user:ann", each, **{it.field: it.memory[each]})


def _split(shop: LivingShop, it: Planted) -> None:
    """The other connector does not find the record by its key, makes a second one, and carries on with that."""
    people, records = shop.crm.people(), numbers(shop)
    it.hit = it.rng.sample(list(it.people), it.rng.randint(1, 5))
    for each in it.hit:
        old = people[records[each]]
        value = fresh(it.rng, it.field, each)
        mail = it.rng.choice((str(old["mail"]).upper(), f" {old['mail']} ", str(old["mail"]).title()))
        shop.edit("customer", each, **{it.field: value})
        shop.crm.put("connector", mail=mail, **{it.column: value})


def _joined(shop: LivingShop, it: Planted) -> None:
    """Somebody in the CRM joins the records of two people; both customers hang on one."""
    first, second = it.rng.sample(list(it.people), 2)
    records = numbers(shop)
    it.hit = [first, second]
    kept, lost = records[first], records[second]
    people = shop.crm.people()
    taken = {column: people[lost][column] for column in ("first", "last", "remarks", "lang", "mobile")}
    shop.crm.edit("user:bo", kept, **taken)
    shop.crm.drop(lost)
    it.links = [LinkOf(str(second), str(kept), "phone")]


def _recycled(shop: LivingShop, it: Planted) -> None:
    """A customer's number becomes somebody else's, whose record the CRM takes for the first one's."""
    first = it.rng.choice(list(it.people))
    number = shop.held[first]["phone"]
    shop.edit("customer", first, phone=fresh(it.rng, "phone", first))
    new = max(it.people) + 1
    shop.edit("customer", new, **{**shop.held[first], "phone": number, "email": f"heir{new}@example.com",
                                  "first_name": "Heir", "last_name": "Newcomer", "note": "came lately"})  # fmt: skip
    shop.crm.edit("app:till", numbers(shop)[first], mobile=number, first="Heir", last="Newcomer", remarks="came lately")
    it.hit = [first]
    it.links = [LinkOf(str(first), str(numbers(shop)[first]), "phone")]


def _gone(shop: LivingShop, it: Planted) -> None:
    it.hit = it.rng.sample(list(it.people), it.rng.randint(1, 4))
    for each in it.hit:
        shop.delete(each, redacted=it.rng.random() < 0.6)


def _skewed(shop: LivingShop, it: Planted) -> None:
    """The CRM's clock is ahead: an older edit there bears the later time, and wins over a newer one in the shop."""
    shop.skew = it.rng.choice((1, 2, 5)) * DAY
    shop.crm.set_clock(shop.stamp)
    it.hit = it.some(0.1, 0.4)
    write(shop, it, "user:bo", {each: fresh(it.rng, it.field, each) for each in it.hit})
    for each in it.hit:
        value = fresh(it.rng, it.field, each)
        shop.edit("customer", each, **{it.field: value})
        it.reports.append(Report(str(each), it.field, value))
    del it.reports[it.rng.randint(0, 2) :]


def _blanked(shop: LivingShop, it: Planted) -> None:
    it.hit = it.some(0.15, 0.8)
    write(shop, it, it.rng.choice(("connector", "app:erp")), dict.fromkeys(it.hit))


def _merged(shop: LivingShop, it: Planted) -> None:
    gone, kept = it.rng.sample(list(it.people), 2)
    it.hit = [kept, gone]
    shop.edit("shopify:merge", kept, **{it.field: shop.held[gone][it.field]}, heard=False)
    shop.merge(gone, kept)


def _young(shop: LivingShop, it: Planted) -> None:
    it.hit = it.rng.sample(list(it.people), it.rng.randint(1, 6))
    for each in it.hit:
        shop.edit("customer", each, **{it.field: fresh(it.rng, it.field, each)})


def _newest(name: str) -> Mapping[str, FieldRule]:
    shared = Shared(
        writers=(CRM,), conflict="newest wins", same_identity_rule=True, extra_work_accepted_by="bench", why="both sell"
    )
    return {name: FieldRule(owner=SHOPIFY, shared=shared)}


def _both(name: str) -> Mapping[str, FieldMap]:
    return {name: FieldMap(remote="remarks" if name == "note" else name, direction=Direction.BOTH)}


def _owned(name: str) -> Mapping[str, FieldRule]:
    return {name: FieldRule(owner=CRM)}


def _in(name: str) -> Mapping[str, FieldMap]:
    return {name: FieldMap(remote=out(name)[name].remote, direction=Direction.IN)}


def _wrong_place(name: str) -> Mapping[str, FieldMap]:
    """The note is given to the field of the last name, and the last name to nobody."""
    return {
        "note": FieldMap(remote="last", direction=Direction.OUT),
        "last_name": FieldMap(remote="remarks", direction=Direction.NONE),
    }


def _as_said(name: str) -> Mapping[str, FieldMap]:
    return {**out("last_name"), "note": FieldMap(remote="remarks", direction=Direction.NONE)}


def _upper(rng: Random, value: Any) -> Any:
    return f"{value or ''} ({rng.choice(('vip', 'b2b', 'old'))})"


FAULTS: tuple[Fault, ...] = (
    Fault(cause="manual_edit_T", fields=ANYWHERE, ends=_by_hand),
    Fault(cause="import_collision", fields=ANYWHERE, ends=_by_file),
    Fault(cause="mapping_wrong_target", fields=("last_name",), maps=_wrong_place, told=_as_said),
    Fault(cause="transform_lossy", fields=("first_name",), maps=lambda name: out(name, transform="ascii")),
    Fault(cause="transform_lossy", fields=("last_name", "note"), maps=lambda name: out(name, transform="first_word")),
    Fault(cause="format_only", fields=("email",), begins=spoil("upper({0})")),
    Fault(cause="format_only", fields=("phone",), begins=spoil("substr({0}, 1, 3) || ' ' || substr({0}, 4)")),
    Fault(cause="two_writers", fields=ANYWHERE, nightly=job("app:mailer", lambda rng, old: fresh(rng, "note", 1))),
    Fault(cause="wrong_direction", fields=("first_name", "note"), maps=_in, rules=_owned, told=_in, starts=_reverted),
    Fault(cause="stale_out_of_order", fields=("note", "first_name"), starts=_again_old, ends=_late),
    Fault(cause="missed_webhook", fields=ANYWHERE, starts=_unheard),
    Fault(cause="partial_import", fields=("note", "last_name"), maps=watched, starts=_broken_off),
    Fault(cause="permission_missing", fields=ANYWHERE, starts=_denied),
    Fault(cause="field_not_covered", fields=("note", "locale"), maps=watched),
    Fault(cause="truncation", fields=("last_name", "note"), begins=_cut),
    Fault(cause="type_enum_coercion", fields=("locale",), begins=_bucket),
    Fault(cause="type_enum_coercion", fields=("note",), begins=spoil(AS_NUMBER), value=account),
    Fault(cause="timezone_locale", fields=("note",), begins=spoil("date({0}, '-1 day')"), value=date),
    Fault(cause="encoding_mojibake", fields=("first_name", "last_name"), begins=_garbled),
    Fault(cause="identity_split", fields=("note", "last_name"), maps=watched, starts=_split),
    Fault(cause="identity_over_merge", fields=("note",), ends=_joined),
    Fault(cause="recycled_key", fields=("last_name",), ends=_recycled),
    Fault(cause="consent_state_machine", fields=("email_consent",), begins=spoil(OPTED_IN)),
    Fault(cause="deleted_redacted", fields=("note",), starts=_gone),
    Fault(cause="clock_skew", fields=("note",), maps=_both, rules=_newest, starts=_skewed),
    Fault(cause="null_overwrite", fields=ANYWHERE, ends=_blanked),
    Fault(cause="default_value", fields=("last_name", "note"), begins=spoil("'Customer'")),
    Fault(cause="merge_not_propagated", fields=("note",), starts=_merged),
    Fault(cause="in_flight", fields=ANYWHERE, ends=_young),
)  # fmt: skip
"""Each cause once at least; where it has several faces, once for each."""
