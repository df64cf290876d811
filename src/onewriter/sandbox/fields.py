"""How each field of a record is read. GraphQL execution and the bulk serializer share this one table.

Values are ready for JSON: times and 64-bit numbers are text already. The parts of a customer that have no
identity of their own (its email address, its phone number, its consents) read from the customer itself. Money is read
from whole cents.
"""

from collections.abc import Callable
from operator import attrgetter
from typing import Any

from onewriter.sandbox.customer import Address, Consent, Customer, Metafield, gid, utc_text
from onewriter.sandbox.metafields import resolved
from onewriter.sandbox.order import Fulfilment, Order, Refund, decimal_text

Getter = Callable[..., Any]

LIST_MAX = 250
CURRENCY = "USD"


def _time(name: str) -> Getter:
    get = attrgetter(name)
    return lambda record: utc_text(get(record))


def _time_if(name: str) -> Getter:
    get = attrgetter(name)

    def read(record: Any) -> str | None:
        at = get(record)
        return None if at is None else utc_text(at)

    return read


def _customer_if(name: str) -> Getter:
    """The customer itself where it has such a value, since that part of it is read from the customer."""
    get = attrgetter(name)
    return lambda customer: customer if get(customer) else None


def _consent_time(name: str) -> Getter:
    return _time_if(f"{name}.at")


def _newer_state(consent: Consent) -> str:
    return "NEVER_SUBSCRIBED" if consent.state == "NOT_SUBSCRIBED" else consent.state


def _full_name(address: Address) -> str | None:
    return " ".join(part for part in (address.first_name, address.last_name) if part) or None


def addresses(customer: Customer, first: int | None = None) -> list[Address]:
    return list(customer.addresses[: min(LIST_MAX, LIST_MAX if first is None else first)])


def metafield(customer: Customer, key: str, namespace: str | None = None) -> Metafield | None:
    """A metafield by name; a key without a namespace may carry one before a dot."""
    if namespace is None and "." in key:
        namespace, key = key.split(".", 1)
    name = (resolved(namespace), key)
    return next((each for each in customer.metafields if (each.namespace, each.key) == name), None)


def metafields(customer: Customer, namespace: str | None = None, keys: list[str] | None = None) -> list[Metafield]:
    return [
        each
        for each in customer.metafields
        if (namespace is None or each.namespace == resolved(namespace))
        and (keys is None or f"{each.namespace}.{each.key}" in keys)
    ]


CUSTOMER: dict[str, Getter] = {
    "addresses": addresses,
    "amountSpent": attrgetter("spent_cents"),
    "canDelete": lambda customer: customer.orders == 0,
    "createdAt": _time("created_at"),
    "dataSaleOptOut": lambda customer: False,
    "defaultAddress": lambda customer: customer.addresses[0] if customer.addresses else None,
    "defaultEmailAddress": _customer_if("email"),
    "defaultPhoneNumber": _customer_if("phone"),
    "displayName": attrgetter("display_name"),
    "email": attrgetter("email"),
    "firstName": attrgetter("first_name"),
    "id": lambda customer: f"gid://shopify/Customer/{customer.id}",
    "lastName": attrgetter("last_name"),
    "legacyResourceId": lambda customer: str(customer.id),
    "locale": attrgetter("locale"),
    "metafield": metafield,
    "multipassIdentifier": lambda customer: None,
    "note": attrgetter("note"),
    "numberOfOrders": lambda customer: str(customer.orders),
    "phone": attrgetter("phone"),
    "state": attrgetter("state"),
    "tags": lambda customer: list(customer.tags),
    "taxExempt": attrgetter("tax_exempt"),
    "updatedAt": _time("updated_at"),
    "verifiedEmail": attrgetter("verified_email"),
}

EMAIL_ADDRESS: dict[str, Getter] = {
    "emailAddress": attrgetter("email"),
    "marketingOptInLevel": attrgetter("email_consent.level"),
    "marketingState": attrgetter("email_consent.state"),
    "marketingUpdatedAt": _consent_time("email_consent"),
    "validFormat": lambda customer: True,
}

PHONE_NUMBER: dict[str, Getter] = {
    "marketingCollectedFrom": attrgetter("sms_consent.collected_from"),
    "marketingOptInLevel": attrgetter("sms_consent.level"),
    "marketingState": attrgetter("sms_consent.state"),
    "marketingUpdatedAt": _consent_time("sms_consent"),
    "phoneNumber": attrgetter("phone"),
    "smsMarketingConsent": lambda customer: customer,
    "whatsAppMarketingConsent": lambda customer: customer,
}

SMS_CONSENT: dict[str, Getter] = {
    "collectedFrom": attrgetter("sms_consent.collected_from"),
    "optInLevel": attrgetter("sms_consent.level"),
    "state": lambda customer: _newer_state(customer.sms_consent),
    "updatedAt": _consent_time("sms_consent"),
}

WHATSAPP_CONSENT: dict[str, Getter] = {
    "collectedFrom": attrgetter("whatsapp_consent.collected_from"),
    "optInLevel": attrgetter("whatsapp_consent.level"),
    "state": lambda customer: _newer_state(customer.whatsapp_consent),
    "updatedAt": _consent_time("whatsapp_consent"),
}

MAILING_ADDRESS: dict[str, Getter] = {
    "address1": attrgetter("address1"),
    "address2": attrgetter("address2"),
    "city": attrgetter("city"),
    "company": attrgetter("company"),
    "country": attrgetter("country"),
    "countryCodeV2": attrgetter("country_code"),
    "firstName": attrgetter("first_name"),
    "id": lambda address: f"gid://shopify/MailingAddress/{address.id}?model_name=CustomerAddress",
    "lastName": attrgetter("last_name"),
    "name": _full_name,
    "phone": attrgetter("phone"),
    "province": attrgetter("province"),
    "provinceCode": attrgetter("province_code"),
    "zip": attrgetter("zip"),
}

METAFIELD: dict[str, Getter] = {
    "createdAt": _time("created_at"),
    "id": lambda metafield: gid("Metafield", metafield.id),
    "key": attrgetter("key"),
    "legacyResourceId": lambda metafield: str(metafield.id),
    "namespace": attrgetter("namespace"),
    "type": attrgetter("type"),
    "updatedAt": _time("updated_at"),
    "value": attrgetter("value"),
}

MONEY: dict[str, Getter] = {
    "amount": decimal_text,
    "currencyCode": lambda cents: CURRENCY,
}

MONEY_BAG: dict[str, Getter] = {
    "presentmentMoney": lambda cents: cents,
    "shopMoney": lambda cents: cents,
}


def refunds(order: Order, first: int | None = None) -> list[Refund]:
    return list(order.refunds[:first])


def fulfilments(order: Order, first: int | None = None) -> list[Fulfilment]:
    return list(order.fulfilments[:first])


ORDER: dict[str, Getter] = {
    "cancelReason": attrgetter("cancel_reason"),
    "cancelledAt": _time_if("cancelled_at"),
    "closedAt": _time_if("closed_at"),
    "confirmed": lambda order: True,
    "createdAt": _time("created_at"),
    "currencyCode": lambda order: CURRENCY,
    "currentSubtotalPriceSet": attrgetter("current_subtotal_cents"),
    "currentTotalPriceSet": attrgetter("current_total_cents"),
    "currentTotalTaxSet": lambda order: 0,
    "displayFinancialStatus": attrgetter("financial_status"),
    "displayFulfillmentStatus": attrgetter("fulfilment_status"),
    "email": attrgetter("email"),
    "fulfillments": fulfilments,
    "fullyPaid": lambda order: order.received_cents >= order.current_total_cents,
    "id": lambda order: gid("Order", order.id),
    "legacyResourceId": lambda order: str(order.id),
    "name": attrgetter("name"),
    "netPaymentSet": attrgetter("kept_cents"),
    "presentmentCurrencyCode": lambda order: CURRENCY,
    "processedAt": _time("processed_at"),
    "refundable": lambda order: order.kept_cents > 0,
    "refunds": refunds,
    "sourceName": lambda order: "web",
    "subtotalPriceSet": attrgetter("subtotal_cents"),
    "tags": lambda order: [],
    "test": attrgetter("test"),
    "totalPriceSet": attrgetter("total_cents"),
    "totalReceivedSet": attrgetter("received_cents"),
    "totalRefundedSet": attrgetter("refunded_cents"),
    "unpaid": lambda order: order.received_cents == 0 and order.total_cents > 0,
    "updatedAt": _time("updated_at"),
}

REFUND: dict[str, Getter] = {
    "createdAt": _time("created_at"),
    "id": lambda refund: gid("Refund", refund.id),
    "legacyResourceId": lambda refund: str(refund.id),
    "note": lambda refund: None,
    "totalRefundedSet": attrgetter("cents"),
    "updatedAt": _time("created_at"),
}

FULFILMENT: dict[str, Getter] = {
    "createdAt": _time("created_at"),
    "id": lambda made: gid("Fulfillment", made.id),
    "legacyResourceId": lambda made: str(made.id),
    "status": lambda made: "SUCCESS",
    "updatedAt": _time("created_at"),
}

FIELDS: dict[str, dict[str, Getter]] = {
    "Customer": CUSTOMER,
    "CustomerEmailAddress": EMAIL_ADDRESS,
    "CustomerPhoneNumber": PHONE_NUMBER,
    "CustomerSmsMarketingConsent": SMS_CONSENT,
    "CustomerWhatsAppMarketingConsent": WHATSAPP_CONSENT,
    "Fulfillment": FULFILMENT,
    "MailingAddress": MAILING_ADDRESS,
    "Metafield": METAFIELD,
    "MoneyBag": MONEY_BAG,
    "MoneyV2": MONEY,
    "Order": ORDER,
    "Refund": REFUND,
}

# A connection under a record, as the list that it pages through.
CONNECTIONS: dict[str, dict[str, Getter]] = {
    "Customer": {
        "addressesV2": lambda customer: list(customer.addresses),
        "metafields": metafields,
    },
}

# Fields that an app without the second level of protected data reads as null. `displayName` cannot be null, so there
# the error takes the whole customer with it, as GraphQL has it.
PROTECTED: dict[str, frozenset[str]] = {
    "Customer": frozenset(
        {"firstName", "lastName", "displayName", "email", "phone", "defaultEmailAddress", "defaultPhoneNumber"}
    ),
    "MailingAddress": frozenset(
        {"address1", "address2", "city", "company", "firstName", "lastName", "name", "phone", "zip"}
    ),
    "Order": frozenset({"email"}),
}
