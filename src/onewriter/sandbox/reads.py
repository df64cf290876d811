"""Resolvers of what may be read at the root of the Admin API."""

from collections.abc import Callable
from typing import Any

from onewriter.sandbox import paging, search
from onewriter.sandbox.bulk import Operation
from onewriter.sandbox.call import Call, number_in
from onewriter.sandbox.customer import SHOP_ZONE_NAME, Customer, gid, number_of
from onewriter.sandbox.fields import CURRENCY
from onewriter.sandbox.merges import Merge
from onewriter.sandbox.order import Order
from onewriter.sandbox.paging import Page, bad_request
from onewriter.sandbox.shop import API_VERSION, Shop
from onewriter.sandbox.subscriptions import TOPICS

VERSIONS = ("2026-01", "2026-04", "2026-07", "2026-10")
NODES_MAX = 250
ORDERS_SHOWN_S = 60 * 86_400
"""How old an order may be for an app without `read_all_orders`."""
APP_ID = 2_580_490_001


def customers(
    call: Call,
    *,
    query: str | None = None,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool = False,
    sort_key: str = "ID",
) -> Page:
    call.need("read_customers", "customers")
    found = paging.understood(query)
    paging.keep_filters_known(found, query, call.extensions, "customers")
    paged = {"first": first, "last": last, "after": after, "before": before}
    return paging.page(call.shop, Customer, found, **paged, reverse=reverse, sort=sort_key)  # type: ignore[arg-type]


def customers_count(call: Call, *, query: str | None = None, limit: int | None = None) -> dict[str, Any]:
    """Counts by what Shopify counts by; any other filter is left out, with a warning that is easy to miss."""
    call.need("read_customers", "customersCount")
    found = paging.understood(query, search.COUNTED)
    paging.keep_filters_known(found, query, call.extensions, "customersCount")
    if found.conditions:
        counted = sum(1 for _ in paging.selected(call.shop, found))
    else:
        counted = len(call.shop.customers)
    if limit is not None and counted > limit:
        return {"count": limit, "precision": "AT_LEAST"}
    return {"count": counted, "precision": "EXACT"}


def customer(call: Call, *, id: str) -> Customer | None:
    call.need("read_customers", "customer")
    return call.shop.customers.get(number_in("Customer", id))


def customer_by_identifier(call: Call, *, identifier: dict[str, str]) -> Customer | None:
    call.need("read_customers", "customerByIdentifier")
    if "id" in identifier:
        return customer(call, id=identifier["id"])
    return call.shop.find(email=identifier.get("emailAddress"), phone=identifier.get("phoneNumber"))


def order(call: Call, *, id: str) -> Order | None:
    call.need("read_orders", "order")
    return _order(call, number_in("Order", id))


def _order(call: Call, number: int) -> Order | None:
    found = call.shop.orders.get(number)
    return found if found is not None and _is_shown(call)(found) else None


def _is_shown(call: Call) -> Callable[[Order], bool]:
    """Which orders the app may see: the newer ones, unless its scopes say all."""
    since = call.shop.clock() - ORDERS_SHOWN_S
    return paging.anything if not call.shop.access.missing("read_all_orders") else lambda each: each.created_at >= since


def orders(
    call: Call,
    *,
    query: str | None = None,
    first: int | None = None,
    last: int | None = None,
    after: str | None = None,
    before: str | None = None,
    reverse: bool = False,
    sort_key: str = "PROCESSED_AT",
) -> Page:
    call.need("read_orders", "orders")
    found = paging.understood(query, search.ORDERS_SEARCHED)
    paging.keep_filters_known(found, query, call.extensions, "orders")
    return paging.page(
        call.shop,
        Order,
        found,
        shown=_is_shown(call),
        first=first,
        last=last,
        after=after,
        before=before,
        reverse=reverse,
        sort=sort_key,
    )


def node(call: Call, *, id: str) -> Any:
    kind = id.removeprefix("gid://shopify/").partition("/")[0]
    number = number_of(kind, id)
    if number is None:
        raise bad_request(f"Invalid global id '{id}'")
    match kind:
        case "Customer":
            call.need("read_customers", "node")
            return call.shop.customers.get(number)
        case "Order":
            call.need("read_orders", "node")
            return _order(call, number)
        case "BulkOperation":
            return call.operations.get(number)
        case "WebhookSubscription":
            return call.shop.subscriptions.get(number)
        case _:
            return None


def nodes(call: Call, *, ids: list[str]) -> list[Any]:
    if len(ids) > NODES_MAX:
        raise bad_request(f"The input array size of {len(ids)} is greater than the maximum allowed of {NODES_MAX}.")
    return [node(call, id=each) for each in ids]


def customer_merge_job_status(call: Call, *, job_id: str) -> Merge | None:
    call.need("read_customer_merge", "customerMergeJobStatus")
    return call.shop.merges.get(job_id)


def bulk_operation(call: Call, *, id: str) -> Operation | None:
    return call.operations.get(number_in("BulkOperation", id))


def bulk_operations(
    call: Call, *, query: str | None = None, reverse: bool = False, sort_key: str = "CREATED_AT", **paged: Any
) -> Page:
    found = call.operations.all()
    for term in (query or "").replace(" AND ", " ").split():
        name, _, value = term.partition(":")
        if name == "status":
            found = [each for each in found if each.status == value.strip("'\"").upper()]
    if sort_key == "COMPLETED_AT":
        found.sort(key=lambda each: each.completed_at or 0)
    return paging.listed(found[::-1] if reverse else found, **_forward(paged))


def webhook_subscriptions(
    call: Call, *, topics: list[str] | None = None, uri: str | None = None, reverse: bool = False, **paged: Any
) -> Page:
    wanted = {TOPICS[topic] for topic in topics or ()}
    found = [
        each
        for each in call.shop.subscriptions.all()
        if (not wanted or each.topic in wanted) and (uri is None or each.uri == uri)
    ]
    paged.pop("sort_key", None)
    return paging.listed(found[::-1] if reverse else found, **_forward(paged))


def _forward(paged: dict[str, Any]) -> dict[str, Any]:
    if paged.get("before"):
        raise bad_request("The sandbox pages this list forwards only.")
    return {key: value for key, value in paged.items() if key != "before"}


def current_app_installation(call: Call) -> dict[str, Any]:
    return {
        "id": gid("AppInstallation", APP_ID + 1),
        "accessScopes": [{"handle": scope, "description": f"Access to {scope}"} for scope in call.shop.faults.scopes],
        "app": {
            "id": gid("App", APP_ID),
            "apiKey": call.shop.access.client_id,
            "handle": "sandbox-app",
            "title": "Sandbox app",
            "webhookApiVersion": API_VERSION,
        },
    }


def shop_of(shop: Shop) -> dict[str, Any]:
    return {
        "id": gid("Shop", shop.id),
        "name": shop.name,
        "email": "owner@example.com",
        "myshopifyDomain": shop.domain,
        "currencyCode": CURRENCY,
        "ianaTimezone": SHOP_ZONE_NAME,
        "plan": {"publicDisplayName": "Development", "partnerDevelopment": True, "shopifyPlus": False},
    }


def version(handle: str) -> dict[str, Any]:
    return {"handle": handle, "displayName": handle, "supported": handle in VERSIONS}


QUERIES: dict[str, Callable[..., Any]] = {
    "bulkOperation": bulk_operation,
    "bulkOperations": bulk_operations,
    "currentAppInstallation": current_app_installation,
    "customer": customer,
    "customerByIdentifier": customer_by_identifier,
    "customerMergeJobStatus": customer_merge_job_status,
    "customers": customers,
    "customersCount": customers_count,
    "job": lambda call, *, id: call.shop.merges.get(id),
    "node": node,
    "nodes": nodes,
    "order": order,
    "orders": orders,
    "publicApiVersions": lambda call: [version(handle) for handle in VERSIONS],
    "shop": lambda call: shop_of(call.shop),
    "webhookSubscriptions": webhook_subscriptions,
}
