"""The topics that tell of customers and orders, and where the body of each has its customers' ids.

Shopify uses three casings, and numbers and gids side by side.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from onewriter.errors import NotUnderstood
from onewriter.shopify import canonical

FULL_TOPICS = ("customers/create", "customers/update", "customers/enable", "customers/disable")
DELETE_TOPIC = "customers/delete"
MERGE_TOPIC = "customers/merge"
REDACT_TOPIC = "customers/redact"
DATA_REQUEST_TOPIC = "customers/data_request"
SHOP_REDACT_TOPIC = "shop/redact"
COMPLIANCE_TOPICS = (DATA_REQUEST_TOPIC, REDACT_TOPIC, SHOP_REDACT_TOPIC)
"""Topics that ask something of us in law, to be done within thirty days. They are not in the Admin API: a person must
put them in the app's configuration."""
LINE_TOPIC = "import/line"
"""What a line of a bulk file that cannot be read is kept under, beside the deliveries that cannot be."""
DOORBELLS = (
    "customer.tags_added",
    "customer.tags_removed",
    "customers_email_marketing_consent/update",
    "customers_marketing_consent/update",
    "customers_whats_app_marketing_consent/update",
)
"""Topics that say that something changed, and too little of what: the customer is read."""
ORDER_CANCELLED, REFUND_CREATED = "orders/cancelled", "refunds/create"
ORDER_TOPICS = ("orders/paid", "orders/fulfilled", "orders/updated", ORDER_CANCELLED, REFUND_CREATED)
"""Topics that say that an order must be read. What the last two say stands for an order that cannot be."""
CUSTOMER_TOPICS = (*FULL_TOPICS, DELETE_TOPIC, MERGE_TOPIC, *DOORBELLS)

_ID_PATHS: Mapping[str, tuple[tuple[str, ...], ...]] = {
    **dict.fromkeys((*FULL_TOPICS, DELETE_TOPIC, "customers_marketing_consent/update"), (("id",),)),
    **dict.fromkeys((topic for topic in ORDER_TOPICS if topic != REFUND_CREATED), (("customer", "id"),)),
    "customers/merge": (("admin_graphql_api_customer_kept_id",), ("admin_graphql_api_customer_deleted_id",)),
    "customers/data_request": (("customer", "id"),),
    "customers/redact": (("customer", "id"),),
    "customers/purchasing_summary": (("customerId",),),
    "customer.tags_added": (("customerId",),),
    "customer.tags_removed": (("customerId",),),
    "customers_email_marketing_consent/update": (("customer_id",),),
    "customers_whats_app_marketing_consent/update": (("customer_id",),),
}
"""Where each topic has its customer ids; refunds/create has none."""


def customer_ids(topic: str, body: bytes) -> tuple[int, ...]:
    """Each customer id that can be read in a body, once; () for an unknown topic or an unreadable body, never an error.

    A merge names two ids, the kept one first. LINE_TOPIC stands for a line of a bulk file.
    """
    if topic == LINE_TOPIC:
        number = number_in_line(body)
        return () if number is None else (number,)
    paths = _ID_PATHS.get(topic, ())
    try:
        decoded = msgspec.json.decode(body) if paths else None
    except (ValueError, RecursionError):
        return ()
    found = (_number_at(decoded, path) for path in paths)
    return tuple(dict.fromkeys(number for number in found if number is not None))


# Our selection asks for the id first, so that a line need not be read as JSON to know whose it is.
_LINE_HEAD = f'{{"id":"{canonical.CUSTOMER}'.encode()


def number_in_line(line: bytes) -> int | None:
    """The Shopify id that a line of a bulk file begins with, whatever the rest is; None where it begins otherwise."""
    if not line.startswith(_LINE_HEAD):
        return None
    digits = line[len(_LINE_HEAD) : line.find(b'"', len(_LINE_HEAD))]
    return int(digits) if digits.isdigit() and len(digits) <= 19 else None


def _number_at(value: Any, path: tuple[str, ...]) -> int | None:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    try:
        return canonical.record_number(value)
    except NotUnderstood:
        return None
