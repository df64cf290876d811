"""Which webhooks a write causes, with their bodies: an item is about one customer, or None for the shop as a whole."""

from collections.abc import Callable

from onewriter.sandbox import consents, payloads
from onewriter.sandbox.customer import Customer
from onewriter.sandbox.payloads import Body

Item = tuple[int | None, str, Body]

CONSENT_BODIES: dict[str, Callable[..., Body]] = {
    consents.EMAIL.topic: payloads.email_consent,
    consents.SMS.topic: payloads.sms_consent,
    consents.WHATSAPP.topic: payloads.whatsapp_consent,
}


def of_creation(record: Customer, at: float, *, denied: bool) -> list[Item]:
    created = (record.id, "customers/create", payloads.customer(record, denied=denied))
    return [created, *of_tags(None, record, at), *of_consents(None, record, denied=denied)]


def of_update(before: Customer, after: Customer, at: float, *, denied: bool) -> list[Item]:
    body = payloads.customer(after, denied=denied)
    told: list[Item] = [(after.id, "customers/update", body)]
    if before.state != after.state and after.state in ("ENABLED", "DISABLED"):
        told.append((after.id, f"customers/{after.state.lower().removesuffix('d')}", body))
    return [*told, *of_tags(before, after, at), *of_consents(before, after, denied=denied)]


def of_deletion(record: Customer) -> list[Item]:
    return [(record.id, "customers/delete", payloads.deleted(record.id))]


def of_tags(before: Customer | None, after: Customer, at: float) -> list[Item]:
    had = before.tags if before else ()
    come = [tag for tag in after.tags if tag not in had]
    gone = [tag for tag in had if tag not in after.tags]
    return [
        (after.id, topic, payloads.tags(after.id, changed, at))
        for topic, changed in (("customer.tags_added", come), ("customer.tags_removed", gone))
        if changed
    ]


def of_consents(before: Customer | None, after: Customer, *, denied: bool) -> list[Item]:
    return [
        (after.id, channel.topic, CONSENT_BODIES[channel.topic](after, denied=denied))
        for channel in consents.changed(before, after)
    ]
