"""What no shop has: the truth, the switches and the stage directions, for tests and the demo. Loopback only."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import asdict
from typing import Any

import msgspec
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from onewriter.sandbox import acts
from onewriter.sandbox.customer import Customer, gid, utc_text
from onewriter.sandbox.deliveries import Delivery
from onewriter.sandbox.normalise import Refused
from onewriter.sandbox.order import Order
from onewriter.sandbox.play import Player
from onewriter.sandbox.shop import Shop

SETTLE_MAX_S = 60.0
EVENTS_MAX = 1_000_000
BLOCK = 500

Act = Callable[[dict[str, Any]], Any]


class SandboxInfo(msgspec.Struct, frozen=True):
    """All that an app needs to know of the shop."""

    domain: str
    access_token: str
    client_id: str
    client_secret: str
    api_secret: str
    admin_url: str


def info_of(shop: Shop, admin_url: str) -> SandboxInfo:
    access = shop.access
    return SandboxInfo(
        domain=shop.domain,
        access_token=access.token,
        client_id=access.client_id,
        client_secret=access.client_secret,
        api_secret=access.client_secret,
        admin_url=admin_url,
    )


def routes(shop: Shop) -> list[Route]:
    player = Player(shop)

    async def info(request: Request) -> Response:
        found = info_of(shop, str(request.base_url).rstrip("/"))
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def customers(request: Request) -> Response:
        return StreamingResponse(truth_lines(shop), media_type="application/jsonl")

    async def orders(request: Request) -> Response:
        return StreamingResponse(order_lines(shop), media_type="application/jsonl")

    async def deliveries(request: Request) -> Response:
        return JSONResponse([delivery_row(each) for each in shop.deliveries])

    return [
        Route("/_sandbox/info", info),
        Route("/_sandbox/customers", customers),
        Route("/_sandbox/orders", orders),
        Route("/_sandbox/deliveries", deliveries),
        Route("/_sandbox/faults", _posted(lambda given: set_faults(shop, given)), methods=["POST"]),
        Route("/_sandbox/act", _posted(lambda given: act(shop, given)), methods=["POST"]),
        Route("/_sandbox/play", _posted(lambda given: play(player, given)), methods=["POST"]),
        Route("/_sandbox/redeliver", _posted(lambda given: redeliver(shop, given)), methods=["POST"]),
        Route("/_sandbox/uninstall", _posted(lambda given: uninstall(shop)), methods=["POST"]),
        Route("/_sandbox/redact_shop", _posted(lambda given: redact_shop(shop)), methods=["POST"]),
        Route("/_sandbox/rotate_secret", _posted(lambda given: rotate_secret(shop)), methods=["POST"]),
        Route("/_sandbox/revoke_old_secret", _posted(lambda given: revoke_old_secret(shop)), methods=["POST"]),
        Route("/_sandbox/settle", _posted(lambda given: settle(shop, given)), methods=["POST"]),
    ]


def _posted(do: Act) -> Callable[[Request], Awaitable[Response]]:
    """A POST with a JSON object, done in a thread since it may take long. What cannot be done answers 400 or 422."""

    async def endpoint(request: Request) -> Response:
        try:
            given = msgspec.json.decode(await request.body() or b"{}", type=dict[str, Any])
            return JSONResponse(await run_in_threadpool(do, given))
        except Refused as refused:
            return JSONResponse({"errors": [asdict(each) for each in refused.mistakes]}, status_code=422)
        except (msgspec.DecodeError, ValueError, KeyError, TypeError) as error:
            return JSONResponse({"errors": [{"message": str(error)}]}, status_code=400)

    return endpoint


def set_faults(shop: Shop, given: dict[str, Any]) -> Any:
    shop.set_faults(given)
    return asdict(shop.faults)


def act(shop: Shop, given: dict[str, Any]) -> Any:
    record = acts.act(shop, given["action"], given.get("id"), given.get("input") or {})
    return order_truth(record) if isinstance(record, Order) else truth(record)


def play(player: Player, given: dict[str, Any]) -> Any:
    events = int(given["events"])
    if not 0 <= events <= EVENTS_MAX:
        raise ValueError(f"The shop plays between 0 and {EVENTS_MAX} events at a time")
    return player.play(events, float(given.get("seconds", 0.0)), float(given.get("orders", 0.0)))


def redeliver(shop: Shop, given: dict[str, Any]) -> Any:
    if not shop.courier.again(str(given["webhook_id"])):
        raise ValueError("There is no such delivery")
    return {"webhook_id": given["webhook_id"]}


def uninstall(shop: Shop) -> Any:
    shop.uninstall()
    return {"uninstalled": True}


def redact_shop(shop: Shop) -> Any:
    shop.redact_shop()
    return {"redacted": True}


def rotate_secret(shop: Shop) -> Any:
    return {"client_secret": shop.access.rotate_secret()}


def revoke_old_secret(shop: Shop) -> Any:
    shop.access.revoke_old_secret()
    return {"client_secret": shop.access.client_secret}


def settle(shop: Shop, given: dict[str, Any]) -> Any:
    shop.tick()
    settled = shop.courier.settle(min(SETTLE_MAX_S, float(given.get("seconds", SETTLE_MAX_S))))
    return {"settled": settled, "outstanding": shop.courier.outstanding}


def truth_lines(shop: Shop) -> Iterator[bytes]:
    records = shop.snapshot()
    for start in range(0, len(records), BLOCK):
        yield b"".join(msgspec.json.encode(truth(record)) + b"\n" for record in records[start : start + BLOCK])


def truth(record: Customer) -> dict[str, Any]:
    """A customer as the shop holds it, without anything that an API would hide."""
    return {
        "id": record.id,
        "admin_graphql_api_id": gid("Customer", record.id),
        "first_name": record.first_name,
        "last_name": record.last_name,
        "email": record.email,
        "phone": record.phone,
        "note": record.note,
        "state": record.state,
        "locale": record.locale,
        "tags": list(record.tags),
        "addresses": [msgspec.to_builtins(address) for address in record.addresses],
        "metafields": {f"{each.namespace}.{each.key}": each.value for each in record.metafields},
        "orders": record.orders,
        "created_at": utc_text(record.created_at),
        "updated_at": utc_text(record.updated_at),
        "consents": {
            "email": record.email_consent._asdict(),
            "sms": record.sms_consent._asdict(),
            "whatsapp": record.whatsapp_consent._asdict(),
        },
    }


def order_lines(shop: Shop) -> Iterator[bytes]:
    with shop.lock:
        records = list(shop.orders.values())
    yield from (msgspec.json.encode(order_truth(record)) + b"\n" for record in records)


def order_truth(record: Order) -> dict[str, Any]:
    """An order as the shop holds it. Amounts are whole cents."""
    shown: dict[str, Any] = msgspec.to_builtins(record)
    at = {name: utc_text(shown[name]) for name in ("created_at", "processed_at", "updated_at")}
    cancelled = record.cancelled_at
    return shown | {
        "admin_graphql_api_id": gid("Order", record.id),
        "name": record.name,
        "financial_status": record.financial_status,
        "fulfilment_status": record.fulfilment_status,
        **at,
        "cancelled_at": None if cancelled is None else utc_text(cancelled),
        "closed_at": None if record.closed_at is None else utc_text(record.closed_at),
    }


def delivery_row(delivery: Delivery) -> dict[str, Any]:
    return {
        "webhook_id": delivery.webhook_id,
        "event_id": delivery.event_id,
        "topic": delivery.topic,
        "customer_id": delivery.customer_id,
        "status": delivery.status,
        "attempts": delivery.attempts,
        "copies": delivery.copies,
        "uri": delivery.uri,
    }
