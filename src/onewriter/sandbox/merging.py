"""What merging two customers means at Shopify: who survives, what becomes of the data, what stands in the way."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeVar

from onewriter.sandbox import normalise
from onewriter.sandbox.consents import kept_in_step
from onewriter.sandbox.customer import Address, Customer, Metafield
from onewriter.sandbox.normalise import NOTE_MAX, TAGS_MAX, Mistake, Refused
from onewriter.sandbox.payloads import Body

CONSENT_RANK = {"SUBSCRIBED": 2, "PENDING": 1}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Override:
    """Whose value is kept, by customer id, where the rule is not wanted. `note` and `tags` replace what both had."""

    email_of: int | None = None
    first_name_of: int | None = None
    last_name_of: int | None = None
    phone_of: int | None = None
    default_address_of: int | None = None
    note: str | None = None
    tags: tuple[str, ...] | None = None


NO_OVERRIDE = Override()


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a merge cannot be. `field` is Shopify's name for it, in the lower case of webhooks."""

    customer_ids: tuple[int, ...]
    field: str
    message: str

    @property
    def body(self) -> Body:
        return {"customer_ids": list(self.customer_ids), "field": self.field, "message": self.message}


def survivor(one: Customer, two: Customer, override: Override = NO_OVERRIDE) -> Customer:
    """Who is kept. The order of the two counts only where nothing else decides."""
    if override.email_of is not None:
        return one if override.email_of == one.id else two
    if not (one.email and two.email):
        return one if one.email and not two.email else two
    if (one.state == "ENABLED") != (two.state == "ENABLED"):
        return one if one.state == "ENABLED" else two
    by_consent = [CONSENT_RANK.get(each.email_consent.state, 0) for each in (one, two)]
    if by_consent[0] != by_consent[1]:
        return one if by_consent[0] > by_consent[1] else two
    return one if one.state == "INVITED" != two.state else two


def united(kept: Customer, deleted: Customer, override: Override, part_ids: Iterator[int], now: float) -> Customer:
    """The kept customer with what it takes over; ids of addresses stay, metafields that come along get new ones."""
    phone = _chosen(kept, deleted, override.phone_of)
    metafields = kept.metafields + _new_metafields(kept, deleted, part_ids, int(now))
    return kept_in_step(
        replace(
            kept,
            first_name=_chosen(kept, deleted, override.first_name_of).first_name,
            last_name=_chosen(kept, deleted, override.last_name_of).last_name,
            phone=phone.phone,
            sms_consent=phone.sms_consent,
            whatsapp_consent=phone.whatsapp_consent,
            note=_note(kept, deleted, override),
            tags=_tags(kept, deleted, override),
            addresses=_addresses(kept, deleted, override),
            metafields=metafields,
            orders=kept.orders + deleted.orders,
            spent_cents=kept.spent_cents + deleted.spent_cents,
        )
    )


def _chosen(kept: Customer, deleted: Customer, wanted: int | None) -> Customer:
    return deleted if wanted == deleted.id else kept


def _note(kept: Customer, deleted: Customer, override: Override) -> str | None:
    if override.note is not None:
        return override.note or None
    return " ".join(note for note in (kept.note, deleted.note) if note) or None


def _tags(kept: Customer, deleted: Customer, override: Override) -> tuple[str, ...]:
    """All tags once, the kept customer's spelling first; more than may be kept is the caller's to refuse."""
    if override.tags is not None:
        return normalise.tags(override.tags)
    return normalise.all_tags((*kept.tags, *deleted.tags))


def _addresses(kept: Customer, deleted: Customer, override: Override) -> tuple[Address, ...]:
    first, second = (deleted, kept) if override.default_address_of == deleted.id else (kept, deleted)
    if first is kept or not first.addresses:
        return kept.addresses + deleted.addresses
    return first.addresses[:1] + second.addresses + first.addresses[1:]


def _new_metafields(kept: Customer, deleted: Customer, part_ids: Iterator[int], now: int) -> tuple[Metafield, ...]:
    held = {(each.namespace, each.key) for each in kept.metafields}
    return tuple(
        replace(each, id=next(part_ids), created_at=now, updated_at=now)
        for each in deleted.metafields
        if (each.namespace, each.key) not in held
    )


# ---- What stands in the way


def check_override(one: Customer, two: Customer, override: Override) -> None:
    """Refuse an override that names neither of the two, or the email of one that has none."""
    named = (override.email_of, override.first_name_of, override.last_name_of, override.phone_of)
    for number in (*named, override.default_address_of):
        if number is not None and number not in (one.id, two.id):
            message = "Override fields must name one of the customers that are merged"
            raise Refused(Mistake(("overrideFields",), message, "OVERRIDE_ATTRIBUTE_INVALID"))
    if override.email_of is not None and not (one if override.email_of == one.id else two).email:
        message = "The customer whose email is kept must have an email address"
        raise Refused(Mistake(("overrideFields", "customerIdOfEmailToKeep"), message, "MISSING_OVERRIDE_ATTRIBUTE"))
    normalise.tags(override.tags or ())


def problems(one: Customer, two: Customer, override: Override, blocked: list[int]) -> list[Problem]:
    """All that keeps these two apart. `blocked` are the ids of customers that have gift cards."""
    found = [
        Problem((each.id,), "gift_cards", f"{each.display_name} has gift cards and can't be merged.")
        for each in (one, two)
        if each.id in blocked
    ]
    both = (one.id, two.id)
    if override.tags is None and len(_tags(one, two, override)) > TAGS_MAX:
        found.append(Problem(both, "tags", f"Customers must have {TAGS_MAX} tags or less."))
    if len(_note(one, two, override) or "") > NOTE_MAX:
        found.append(Problem(both, "note", f"Note is too long (maximum is {NOTE_MAX} characters)"))
    return found
