"""The shapes of Shopify's JSON: what a delivery's body and what a Customer of our selection look like.

Deliveries have snake_case keys and numeric ids, GraphQL has camelCase keys and gids. Both kinds of address declare
the same fields in the same order, so that one conversion serves both. Keys that are not named here are passed over,
except in a deletion.
"""

from datetime import datetime
from functools import lru_cache
from typing import Annotated, Any

import msgspec
from msgspec import UNSET, UnsetType

Moment = Annotated[datetime, msgspec.Meta(tz=True)]


class WebhookAddress(msgspec.Struct, gc=False):
    """An address as a delivery writes it; of its many forms of country and province, the codes count."""

    id: int | str
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province_code: str | None = None
    country_code: str | None = None
    zip: str | None = None
    phone: str | None = None


class WebhookCustomer(msgspec.Struct):
    """The body of customers/create, update, enable and disable. A key that is absent was not said; null was said."""

    id: int | str
    updated_at: Moment
    created_at: Moment | None = None
    first_name: str | UnsetType | None = UNSET
    last_name: str | UnsetType | None = UNSET
    email: str | UnsetType | None = UNSET
    phone: str | UnsetType | None = UNSET
    note: str | UnsetType | None = UNSET
    state: str | UnsetType | None = UNSET
    addresses: list[WebhookAddress] | UnsetType | None = UNSET
    default_address: WebhookAddress | None = None


class WebhookDeletion(msgspec.Struct, forbid_unknown_fields=True):
    """The body of customers/delete: these three keys and no other.

    The topic is a header that nobody signs. Without the strict shape, a signed customers/update sent again under
    another topic would delete its customer.
    """

    id: int | str
    tax_exemptions: list[str] = []
    admin_graphql_api_id: str | None = None


class WebhookMerge(msgspec.Struct, forbid_unknown_fields=True):
    """The body of customers/merge. It is told of merges that failed as well; what it says of others is undocumented."""

    admin_graphql_api_customer_kept_id: str
    admin_graphql_api_customer_deleted_id: str
    status: str
    admin_graphql_api_job_id: str | None = None
    errors: list[dict[str, Any]] = []


class GraphAddress(msgspec.Struct, rename="camel", gc=False):
    """A MailingAddress; the fields are in the order of WebhookAddress, on which `_addresses` relies."""

    id: str
    first_name: str | None = None
    last_name: str | None = None
    company: str | None = None
    address1: str | None = None
    address2: str | None = None
    city: str | None = None
    province_code: str | None = None
    country_code: str | None = msgspec.field(default=None, name="countryCodeV2")
    zip: str | None = None
    phone: str | None = None


class GraphDefault(msgspec.Struct, gc=False):
    """The id of the default address, or of an order's customer."""

    id: str


class GraphEmail(msgspec.Struct, rename="camel", gc=False):
    """CustomerEmailAddress, with the consent that belongs to the address."""

    email_address: str | None = None
    marketing_state: str | None = None
    marketing_opt_in_level: str | None = None
    marketing_updated_at: Moment | None = None


class GraphConsent(msgspec.Struct, rename="camel", gc=False):
    """CustomerWhatsAppMarketingConsent."""

    state: str | None = None
    opt_in_level: str | None = None
    updated_at: Moment | None = None


class GraphPhone(msgspec.Struct, rename="camel", gc=False):
    """CustomerPhoneNumber, with the SMS and WhatsApp consents that belong to the number."""

    phone_number: str | None = None
    marketing_state: str | None = None
    marketing_opt_in_level: str | None = None
    marketing_updated_at: Moment | None = None
    whats_app_marketing_consent: GraphConsent | None = None


class GraphCustomer(msgspec.Struct, rename="camel", gc=False):
    """A Customer as our selection asks for it: every key is in the answer, and null without an error is empty."""

    id: str
    created_at: Moment
    updated_at: Moment
    first_name: str | None
    last_name: str | None
    note: str | None
    state: str | None
    locale: str | None
    tags: list[str] | None
    default_email_address: GraphEmail | None
    default_phone_number: GraphPhone | None
    default_address: GraphDefault | None
    addresses: list[GraphAddress] | None


class GraphMoney(msgspec.Struct, rename="camel", gc=False):
    """MoneyV2."""

    amount: str
    currency_code: str


class GraphMoneyBag(msgspec.Struct, rename="camel", gc=False):
    """MoneyBag: here only what it is in the shop's own currency."""

    shop_money: GraphMoney


class GraphRefund(msgspec.Struct, rename="camel", gc=False):
    """A Refund of an order."""

    id: str
    created_at: Moment | None
    total_refunded_set: GraphMoneyBag


class GraphFulfillment(msgspec.Struct, rename="camel", gc=False):
    """A Fulfillment of an order."""

    created_at: Moment
    status: str


class GraphOrder(msgspec.Struct, rename="camel"):
    """An Order as our selection asks for it: every key is in the answer."""

    id: str
    updated_at: Moment
    processed_at: Moment
    test: bool
    cancelled_at: Moment | None
    display_financial_status: str | None
    display_fulfillment_status: str
    total_price_set: GraphMoneyBag
    subtotal_price_set: GraphMoneyBag | None
    customer: GraphDefault | None
    refunds: list[GraphRefund]
    fulfillments: list[GraphFulfillment]


class WebhookOrder(msgspec.Struct):
    """What is read of the body of an order: which order it is, and when it was cancelled."""

    id: int | str
    admin_graphql_api_id: str
    cancelled_at: Moment | None = None


class WebhookTransaction(msgspec.Struct, gc=False):
    """A movement of money in a refund; others than `refund` in success moved nothing back."""

    kind: str
    status: str
    amount: str
    currency: str | None = None


class WebhookRefund(msgspec.Struct):
    """The body of refunds/create."""

    id: int | str
    admin_graphql_api_id: str
    order_id: int | str
    created_at: Moment
    transactions: list[WebhookTransaction]


_EMAIL = ("email", "email_consent")
_PHONE = ("phone", "sms_consent", "whatsapp_consent")

DENIED = {
    "firstName": ("first_name",),
    "lastName": ("last_name",),
    "note": ("note",),
    "state": ("state",),
    "locale": ("locale",),
    "tags": ("tags",),
    "addresses": ("addresses",),
    "defaultAddress": ("addresses",),
    "defaultEmailAddress": _EMAIL,
    "defaultEmailAddress.marketingOptInLevel": ("email_consent",),
    "defaultEmailAddress.marketingUpdatedAt": ("email_consent",),
    "defaultPhoneNumber": _PHONE,
    "defaultPhoneNumber.marketingOptInLevel": ("sms_consent",),
    "defaultPhoneNumber.marketingUpdatedAt": ("sms_consent",),
    "defaultPhoneNumber.whatsAppMarketingConsent.optInLevel": ("whatsapp_consent",),
    "defaultPhoneNumber.whatsAppMarketingConsent.updatedAt": ("whatsapp_consent",),
}
"""Which of our fields a refusal at a path inside a customer leaves unknown.

The other parts of an email address or phone number are non-null in the schema: refusing one of them makes the whole
object null, so each stands for all that the object would have told.
"""


@lru_cache(maxsize=256)
def denied_fields(paths: frozenset[str]) -> frozenset[str]:
    """Our fields behind GraphQL paths inside a customer; the deepest known part of a path decides."""
    return frozenset(field for path in paths for field in _behind(path))


def _behind(path: str) -> tuple[str, ...]:
    while path:
        if path in DENIED:
            return DENIED[path]
        path = path.rpartition(".")[0]
    return ()
