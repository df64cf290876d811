"""Resolvers of the mutations. What the shop refuses becomes `userErrors`, as Shopify answers it."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from onewriter.sandbox.call import Call, errors_of, number_in, seconds_of
from onewriter.sandbox.consents import CHANNELS, EMAIL, SMS, WHATSAPP, Channel
from onewriter.sandbox.customer import Consent, Customer, gid
from onewriter.sandbox.fields import metafield
from onewriter.sandbox.merging import NO_OVERRIDE, Override
from onewriter.sandbox.metafields import INPUT_MAX, resolved
from onewriter.sandbox.normalise import Mistake, Refused, camel, snake
from onewriter.sandbox.reads import shop_of
from onewriter.sandbox.subscriptions import scope_of

Payload = dict[str, Any]
WRITABLE = ("email", "phone", "firstName", "lastName", "note", "tags", "locale", "taxExempt", "addresses", "metafields")


def _answering(result: str, scope: str | None = None) -> Callable[[Callable[..., Any]], Callable[..., Payload]]:
    """A mutation's payload: its result under one key, or null and the mistakes."""

    def decorate(write: Callable[..., Any]) -> Callable[..., Payload]:
        @wraps(write)
        def answered(call: Call, **arguments: Any) -> Payload:
            if scope:
                call.need(scope, camel(write.__name__))
            try:
                return {result: write(call, **arguments), "userErrors": []}
            except Refused as refused:
                return {result: None, "userErrors": errors_of(refused.mistakes)}

        return answered

    return decorate


def _fields(given: dict[str, Any]) -> dict[str, Any]:
    return {snake(key): given[key] for key in WRITABLE if key in given}


@_answering("customer", "write_customers")
def customer_create(call: Call, *, input: dict[str, Any]) -> Customer:
    if input.get("id"):
        raise Refused(Mistake(("id",), "Cannot specify ID on creation"))
    fields = _fields(input)
    for channel in CHANNELS:
        if given := input.get(channel.input):
            at = seconds_of(given.get(channel.at)) or int(call.shop.clock())
            fields[channel.field] = Consent(given[channel.state], given.get(channel.level), at, channel.collected_from)
    return call.shop.create(**fields)


@_answering("customer", "write_customers")
def customer_update(call: Call, *, input: dict[str, Any]) -> Customer:
    if not input.get("id"):
        raise Refused(Mistake(("id",), "Customer does not exist"))
    for channel in CHANNELS:
        if channel.input in input:
            mutation = f"customer{channel.input[0].upper()}{channel.input[1:]}Update"
            message = f"To update {channel.input}, please use the {mutation} Mutation instead"
            raise Refused(Mistake((channel.input,), message))
    return call.shop.update(number_in("Customer", input["id"]), **_fields(input))


def customer_delete(call: Call, *, input: dict[str, Any]) -> Payload:
    @_answering("deletedCustomerId", "write_customers")
    def customer_delete(call: Call) -> str:
        return gid("Customer", call.shop.delete(number_in("Customer", input["id"])).id)

    return customer_delete(call) | {"shop": shop_of(call.shop)}


@_answering("customer", "write_customers")
def customer_email_marketing_consent_update(call: Call, *, input: dict[str, Any]) -> Customer:
    return _consented(call, EMAIL, input)


@_answering("customer", "write_customers")
def customer_sms_marketing_consent_update(call: Call, *, input: dict[str, Any]) -> Customer:
    return _consented(call, SMS, input)


@_answering("customerPhoneNumber", "write_customers")
def customer_whats_app_marketing_consent_update(call: Call, *, input: dict[str, Any]) -> Customer:
    return _consented(call, WHATSAPP, input)


def _consented(call: Call, channel: Channel, given: dict[str, Any]) -> Customer:
    consent = given[channel.input]
    number, at = number_in("Customer", given["customerId"]), seconds_of(consent.get(channel.at))
    return call.shop.consent(channel, number, consent[channel.state], consent.get(channel.level), at)


def customer_merge(
    call: Call, *, customer_one_id: str, customer_two_id: str, override_fields: dict[str, Any] | None = None
) -> Payload:
    """The job and who will be kept; neither is said of a merge that is refused."""

    @_answering("job", "write_customer_merge")
    def customer_merge(call: Call) -> Any:
        one, two = number_in("Customer", customer_one_id), number_in("Customer", customer_two_id)
        return call.shop.merge(one, two, override=_override(override_fields or {}))

    payload = customer_merge(call)
    job = payload["job"]
    return payload | {"resultingCustomerId": job and gid("Customer", job.kept)}


def _override(given: dict[str, Any]) -> Override:
    if not given:
        return NO_OVERRIDE

    def whose(part: str) -> int | None:
        identifier = given.get(f"customerIdOf{part}ToKeep")
        return None if identifier is None else number_in("Customer", identifier)

    return Override(
        email_of=whose("Email"),
        first_name_of=whose("FirstName"),
        last_name_of=whose("LastName"),
        phone_of=whose("PhoneNumber"),
        default_address_of=whose("DefaultAddress"),
        note=given.get("note"),
        tags=None if given.get("tags") is None else tuple(given["tags"]),
    )


@_answering("node", "write_customers")
def tags_add(call: Call, *, id: str, tags: list[str]) -> Customer:
    return call.shop.add_tags(number_in("Customer", id), tags)


@_answering("node", "write_customers")
def tags_remove(call: Call, *, id: str, tags: list[str]) -> Customer:
    return call.shop.remove_tags(number_in("Customer", id), tags)


def metafields_set(call: Call, *, metafields: list[dict[str, Any]]) -> Payload:
    """All of them or none, of at most 25; an error says by `elementIndex` which one it is about."""
    call.need("write_customers", "metafieldsSet")
    try:
        kept = _set_metafields(call, metafields)
    except Refused as refused:
        errors = [dict(error) for error in errors_of(refused.mistakes)]
        for error in errors:
            path = error["field"] or []
            error["elementIndex"] = int(path[1]) if len(path) > 1 else None
        return {"metafields": None, "userErrors": errors}
    return {"metafields": kept, "userErrors": []}


def _set_metafields(call: Call, given: list[dict[str, Any]]) -> list[Any]:
    if len(given) > INPUT_MAX:
        message = f"Exceeded the maximum metafields input limit of {INPUT_MAX}."
        raise Refused(Mistake(("metafields",), message, "LESS_THAN_OR_EQUAL_TO"))
    owners: dict[int, list[int]] = {}
    for place, each in enumerate(given):
        owners.setdefault(number_in("Customer", each["ownerId"]), []).append(place)
    with call.shop.lock:
        for number, places in owners.items():
            _checked(call, number, places, given)
        held = {
            number: call.shop.set_metafields(number, [given[place] for place in places])
            for number, places in owners.items()
        }
    return [
        metafield(held[number_in("Customer", each["ownerId"])], each["key"], resolved(each.get("namespace")))
        for each in given
    ]


def _checked(call: Call, number: int, places: list[int], given: list[dict[str, Any]]) -> None:
    if number not in call.shop.customers:
        raise Refused(Mistake(("metafields", str(places[0]), "ownerId"), "Owner does not exist.", "INVALID"))
    try:
        call.shop.set_metafields(number, [given[place] for place in places], check=True)
    except Refused as refused:
        mistake = refused.mistakes[0]
        _metafields, local, part = mistake.field or ("metafields", "0", "value")
        where = ("metafields", str(places[int(local)]), part)
        raise Refused(Mistake(where, mistake.message, mistake.code)) from None


@_answering("deletedMetafields", "write_customers")
def metafields_delete(call: Call, *, metafields: list[dict[str, Any]]) -> list[dict[str, Any] | None]:
    deleted: list[dict[str, Any] | None] = []
    for each in metafields:
        name = (resolved(each["namespace"]), each["key"])
        found = call.shop.delete_metafields(number_in("Customer", each["ownerId"]), [name])
        deleted.append(each | {"namespace": name[0]} if found[0] else None)
    return deleted


@_answering("bulkOperation", "read_customers")
def bulk_operation_run_query(call: Call, *, query: str, group_objects: bool = False) -> Any:
    return call.operations.start(query, grouped=group_objects)


@_answering("bulkOperation")
def bulk_operation_cancel(call: Call, *, id: str) -> Any:
    return call.operations.cancel(number_in("BulkOperation", id))


@_answering("webhookSubscription")
def webhook_subscription_create(call: Call, *, topic: str, webhook_subscription: dict[str, Any]) -> Any:
    scope = scope_of(topic)
    if scope and call.shop.access.missing(scope):
        message = "You do not have permission to create or update webhooks with this topic"
        raise Refused(Mistake(("webhookSubscription",), message))
    return call.shop.subscriptions.create(topic, webhook_subscription)


@_answering("webhookSubscription")
def webhook_subscription_update(call: Call, *, id: str, webhook_subscription: dict[str, Any]) -> Any:
    return call.shop.subscriptions.update(number_in("WebhookSubscription", id), webhook_subscription)


@_answering("deletedWebhookSubscriptionId")
def webhook_subscription_delete(call: Call, *, id: str) -> str:
    call.shop.subscriptions.delete(number_in("WebhookSubscription", id))
    return id


MUTATIONS: dict[str, Callable[..., Payload]] = {
    "bulkOperationCancel": bulk_operation_cancel,
    "bulkOperationRunQuery": bulk_operation_run_query,
    "customerCreate": customer_create,
    "customerDelete": customer_delete,
    "customerEmailMarketingConsentUpdate": customer_email_marketing_consent_update,
    "customerMerge": customer_merge,
    "customerSmsMarketingConsentUpdate": customer_sms_marketing_consent_update,
    "customerUpdate": customer_update,
    "customerWhatsAppMarketingConsentUpdate": customer_whats_app_marketing_consent_update,
    "metafieldsDelete": metafields_delete,
    "metafieldsSet": metafields_set,
    "tagsAdd": tags_add,
    "tagsRemove": tags_remove,
    "webhookSubscriptionCreate": webhook_subscription_create,
    "webhookSubscriptionDelete": webhook_subscription_delete,
    "webhookSubscriptionUpdate": webhook_subscription_update,
}
