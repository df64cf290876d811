"""The bodies of `orders/*` and `refunds/create`: Shopify's REST order, as webhooks carry it.

There is no published sample of these topics for our versions. The keys are those of the REST resource; what the shop
does not play is there with the value of an order that has none of it.
"""

from datetime import UTC, datetime

from onewriter.sandbox import payloads
from onewriter.sandbox.customer import SHOP_ZONE, Customer, consent_text, gid, shop_text
from onewriter.sandbox.fields import CURRENCY
from onewriter.sandbox.order import Fulfilment, Order, Refund, money_text
from onewriter.sandbox.payloads import Body

GATEWAY = "bogus"
NULLS = (
    *("browser_ip", "cart_token", "checkout_id", "checkout_token", "client_details", "company", "customer_locale"),
    *("current_total_additional_fees_set", "current_total_duties_set", "device_id", "landing_site"),
    *("landing_site_ref", "location_id", "note", "original_total_additional_fees_set", "original_total_duties_set"),
    *("phone", "po_number", "reference", "referring_site", "source_identifier", "source_url", "user_id"),
    *("payment_terms",),
)
LISTS = ("discount_codes", "note_attributes", "tax_lines", "discount_applications", "returns")


def order(record: Order, buyer: Customer | None, *, denied: bool = False) -> Body:
    """`orders/create`, `updated`, `paid`, `fulfilled` and `cancelled`. `buyer` is None for a guest."""
    return {
        "id": record.id,
        "admin_graphql_api_id": gid("Order", record.id),
        **_texts(record),
        **_people(record, buyer, denied),
        **_times(record),
        **_amounts(record),
        "financial_status": record.financial_status.lower(),
        "fulfillment_status": _fulfilment_status(record),
        "fulfillments": [
            _fulfilment(record, each, place, denied) for place, each in enumerate(record.fulfilments, start=1)
        ],
        "line_items": [_line(record, place) for place in range(2)],
        "refunds": [refund(record, each) for each in record.refunds],
        "shipping_lines": [],
        **dict.fromkeys(NULLS),
        **{name: [] for name in LISTS},
    }


def _texts(record: Order) -> Body:
    return {
        "app_id": 580_111,
        "buyer_accepts_marketing": False,
        "cancel_reason": record.cancel_reason and record.cancel_reason.lower(),
        "confirmed": True,
        "currency": CURRENCY,
        "estimated_taxes": False,
        "name": record.name,
        "number": record.number - 1_000,
        "order_number": record.number,
        "payment_gateway_names": [GATEWAY] if record.received_cents else [],
        "presentment_currency": CURRENCY,
        "source_name": "web",
        "tags": "",
        "tax_exempt": False,
        "taxes_included": False,
        "test": record.test,
        "token": f"{record.id:032x}",
        "total_weight": 0,
    }


def _people(record: Order, buyer: Customer | None, denied: bool) -> Body:
    """The buyer as `customers/update` shows them, without the list of addresses, and null for a guest."""
    email = None if denied else record.email
    shown = None if buyer is None else payloads.customer(buyer, denied=denied)
    address = None
    if shown is not None:
        shown.pop("addresses")
        found = shown["default_address"]
        address = found and {name: value for name, value in found.items() if name not in ("id", "customer_id")}
    return {
        "email": email,
        "contact_email": email,
        "customer": shown,
        "billing_address": address,
        "shipping_address": address,
    }


def _times(record: Order) -> Body:
    return {
        "created_at": shop_text(record.created_at),
        "updated_at": shop_text(record.updated_at),
        "processed_at": shop_text(record.processed_at),
        "cancelled_at": consent_text(record.cancelled_at),
        "closed_at": consent_text(record.closed_at),
    }


def _amounts(record: Order) -> Body:
    """Each amount as text and, where Shopify has it, once more in both currencies."""
    shipping = record.total_cents - record.subtotal_cents
    both = {
        "current_subtotal_price": record.current_subtotal_cents,
        "current_total_discounts": 0,
        "current_total_price": record.current_total_cents,
        "current_total_tax": 0,
        "subtotal_price": record.subtotal_cents,
        "total_discounts": 0,
        "total_line_items_price": record.subtotal_cents,
        "total_price": record.total_cents,
        "total_tax": 0,
    }
    return {
        **{name: money_text(cents) for name, cents in both.items()},
        **{f"{name}_set": money_set(cents) for name, cents in both.items()},
        "current_shipping_price_set": money_set(max(0, record.current_total_cents - record.current_subtotal_cents)),
        "total_shipping_price_set": money_set(shipping),
        "total_outstanding": money_text(max(0, record.owed_cents)),
        "total_tip_received": "0.00",
    }


def money_set(cents: int) -> Body:
    money = {"amount": money_text(cents), "currency_code": CURRENCY}
    return {"shop_money": money, "presentment_money": money}


def _fulfilment_status(record: Order) -> str | None:
    return {"FULFILLED": "fulfilled", "PARTIALLY_FULFILLED": "partial"}.get(record.fulfilment_status)


def _line(record: Order, place: int) -> Body:
    """One of the two lines, which share the subtotal."""
    half = record.subtotal_cents // 2
    cents = record.subtotal_cents - half if place else half
    sent = record.is_fulfilled or (place == 0 and bool(record.fulfilments))
    number = record.line_ids[place]
    return {
        "id": number,
        "admin_graphql_api_id": gid("LineItem", number),
        "current_quantity": 0 if record.cancelled_at is not None else 1,
        "fulfillable_quantity": 0 if sent or record.cancelled_at is not None else 1,
        "fulfillment_service": "manual",
        "fulfillment_status": "fulfilled" if sent else None,
        "gift_card": False,
        "name": f"Tea {place + 1}",
        "price": money_text(cents),
        "price_set": money_set(cents),
        "quantity": 1,
        "requires_shipping": True,
        "sku": None,
        "taxable": False,
        "title": f"Tea {place + 1}",
        "total_discount": "0.00",
        "total_discount_set": money_set(0),
        **dict.fromkeys(("product_id", "variant_id", "variant_title", "vendor")),
        **{name: [] for name in ("properties", "tax_lines", "duties", "discount_allocations")},
    }


def _fulfilment(record: Order, made: Fulfilment, place: int, denied: bool) -> Body:
    # Whatever is sent after the first line is the second.
    first, second = (_line(record, each) for each in range(2))
    lines = [first] if not made.whole else [second] if place > 1 else [first, second]
    return {
        "id": made.id,
        "admin_graphql_api_id": gid("Fulfillment", made.id),
        "created_at": shop_text(made.created_at),
        "updated_at": shop_text(made.created_at),
        "email": None if denied else record.email,
        "line_items": lines,
        "name": f"{record.name}.{place}",
        "order_id": record.id,
        "service": "manual",
        "status": "success",
        **dict.fromkeys(("location_id", "shipment_status", "tracking_company", "tracking_number", "tracking_url")),
        **{name: [] for name in ("tracking_numbers", "tracking_urls")},
        "receipt": {},
    }


def refund(record: Order, made: Refund) -> Body:
    """`refunds/create`: an amount given back without naming lines. What it took off the order is an adjustment."""
    at = shop_text(made.created_at)
    adjustment = {
        "id": made.id + 2,
        "order_id": record.id,
        "refund_id": made.id,
        "amount": money_text(-made.returned_cents),
        "amount_set": money_set(-made.returned_cents),
        "kind": "refund_discrepancy",
        "reason": "Refund discrepancy",
        "tax_amount": "0.00",
        "tax_amount_set": money_set(0),
    }
    return {
        "id": made.id,
        "admin_graphql_api_id": gid("Refund", made.id),
        "created_at": at,
        "note": None,
        "order_id": record.id,
        "processed_at": at,
        "restock": False,
        "total_duties_set": money_set(0),
        "user_id": None,
        "order_adjustments": [adjustment] if made.returned_cents else [],
        "transactions": [_transaction(record, made)] if made.cents else [],
        **{name: [] for name in ("refund_line_items", "refund_shipping_lines", "duties")},
    }


def _transaction(record: Order, made: Refund) -> Body:
    at = shop_text(made.created_at)
    return {
        "id": made.id + 1,
        "admin_graphql_api_id": gid("OrderTransaction", made.id + 1),
        "amount": money_text(made.cents),
        "created_at": at,
        "currency": CURRENCY,
        "gateway": GATEWAY,
        "kind": "refund",
        "message": "Bogus Gateway: Forced success",
        "order_id": record.id,
        "processed_at": at,
        "source_name": "web",
        "status": "success",
        "test": record.test,
        "receipt": {},
        **dict.fromkeys(("authorization", "device_id", "error_code", "location_id", "parent_id", "user_id")),
    }


def edited(record: Order, edit_id: int, at: float, delta_cents: int) -> Body:
    """`orders/edited`, which names the order in a place of its own, and lines instead of amounts."""
    changed = [{"id": record.line_ids[1], "delta": 1}]
    return {
        "order_edit": {
            "id": edit_id,
            "app_id": None,
            "created_at": datetime.fromtimestamp(int(at), SHOP_ZONE).isoformat(),
            "notify_customer": False,
            "order_id": record.id,
            "staff_note": None,
            "user_id": None,
            "line_items": {
                "additions": changed if delta_cents > 0 else [],
                "removals": changed if delta_cents < 0 else [],
            },
            "discounts": {"line_item": {"additions": [], "removals": []}},
            "shipping_lines": {"additions": [], "removals": []},
        }
    }


def purchases(buyer: Customer, last_order: int, at: float) -> Body:
    """`customers/purchasing_summary`."""
    moment = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "customerId": gid("Customer", buyer.id),
        "numberOfOrders": buyer.orders,
        "amountSpent": {"amount": money_text(buyer.spent_cents), "currencyCode": CURRENCY},
        "lastOrderId": gid("Order", last_order),
        "occurredAt": moment,
    }
